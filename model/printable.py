"""Text of the user's (names of files, folders and classes) in a form that every terminal, page and picture can show."""

import re

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_UNPRINTABLE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # controls, among them newline and escape
    "\ud800-\udfff"  # surrogates: bytes of a name that are not UTF-8
    "\u2028\u2029"  # line and paragraph separators
    "\u202a-\u202e\u2066-\u2069"  # change the order of the text that follows them, also outside of a name
    "]"
)


def printable(text: object, keep: str = "") -> str:
    """Return text in one line that can be encoded: each character that cannot be shown becomes U+FFFD.

    Args:
        text: a text or a path.
        keep: characters that are kept in any case, such as newlines.
    """
    return _UNPRINTABLE.sub(lambda match: match[0] if match[0] in keep else REPLACEMENT, str(text))
