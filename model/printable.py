"""Text of the user's (names of files, folders and classes) in a form that every terminal, page and picture can show."""

import unicodedata

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# Change the order of the text that follows them, also outside of a name.
_BIDIRECTIONAL_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Controls (among them newline and escape), surrogates (bytes of a name that are not UTF-8), line separators.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def printable(text: object, keep: str = "") -> str:
    """Return text in one line that can be encoded: each character that cannot be shown becomes U+FFFD.

    Args:
        text: a text or a path.
        keep: characters that are kept in any case, such as newlines.
    """
    return "".join(
        REPLACEMENT if character not in keep and _is_unprintable(character) else character for character in str(text)
    )


def _is_unprintable(character: str) -> bool:
    return unicodedata.category(character) in _UNPRINTABLE or character in _BIDIRECTIONAL_CONTROLS
