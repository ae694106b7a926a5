"""Text in Markdown as it was written: nothing in it becomes a heading, a link or HTML."""

import re

from model.printable import printable

_SYNTAX = re.compile(r"([\\\\`*_\[\]<>&|~#!])")


def escaped(text: str) -> str:
    """Return text in one line with a backslash before every character that Markdown reads as its own.

    Names with underscores inside a word need none, and stay as they are.
    """
    return _SYNTAX.sub(_with_backslash, printable(text))


def _with_backslash(match: re.Match[str]) -> str:
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    is_inside_a_word = match[0] == "_" and before.isalnum() and after.isalnum()
    return match[0] if is_inside_a_word else f"\\{match[0]}"
