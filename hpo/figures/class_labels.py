"""Names of classes as pictures show them: only characters that a font of this machine has, never mathematics.

DejaVu Sans, which matplotlib brings, has no Chinese, Japanese or Korean: for characters that it lacks, a font of the
system is used. Without such a font the class is named by its number, since boxes would say nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from pathlib import Path

import matplotlib
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font
from matplotlib.legend import Legend
from PIL import features

from model.printable import printable

# Columns of text; an East Asian character takes two.
_LONGEST_NAME = 13
# A word from right to left, or several.
_WORD = "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]+"
_RIGHT_TO_LEFT = re.compile(f"({_WORD}(?: {_WORD})*)")
# Files of these styles come last; coloured glyphs and the boxes of a font of last resort are never used.
_OTHER_STYLES = ("serif", "mono", "bold", "italic", "oblique", "light", "thin", "black", "condensed")
_NOT_DRAWN = ("color", "lastresort")


def class_labels(names: Sequence[str]) -> tuple[str, ...]:
    """Return the label of each class: its name, shortened, or `class 3` if the name cannot be drawn."""
    labels = map(_drawn, names)
    return tuple(
        label if label and font_files(label) is not None else f"class {index}" for index, label in enumerate(labels)
    )


def label_entries(legend: Legend, labels: Sequence[str]) -> None:
    """Write labels into the entries of a legend, character by character: `$` starts no formula.

    Given to the artists instead, a label that starts with `_` would drop its entry.
    """
    for text, label in zip(legend.get_texts(), labels, strict=True):
        files = font_files(label) or ()
        for file in files[1:]:
            font_manager.fontManager.addfont(file)
        families = [font_manager.FontProperties(fname=file).get_name() for file in files]
        text.set(text=label, parse_math=False, usetex=False, fontfamily=families or "DejaVu Sans")


def label_pieces(text: str) -> list[tuple[str, Path]]:
    """Split text into pieces of one font and one direction, from left to right as they are drawn."""
    pieces: list[tuple[str, Path]] = []
    for index, part in enumerate(_RIGHT_TO_LEFT.split(text)):
        if index % 2:
            # One piece, which the layout engine arranges; without it, Hebrew is at least in order.
            ordered = part if features.check("raqm") and features.check("fribidi") else part[::-1]
            pieces.append((ordered, _font_file(part)))
        else:
            pieces += [("".join(characters), file) for file, characters in groupby(part, _font_file)]
    return pieces


@cache
def font_files(text: str) -> tuple[Path, ...] | None:
    """Return the fonts that draw the text, DejaVu Sans first; None if no font has the characters that it lacks."""
    missing = "".join(character for character in text if not _has_all(_dejavu(), character))
    if not missing:
        return (_dejavu(),)
    return next(((_dejavu(), file) for file in _system_fonts() if _has_all(file, missing)), None)


def _font_file(text: str) -> Path:
    return (font_files(text) or (_dejavu(),))[-1]


def _drawn(name: str) -> str:
    """Return a name without invisible characters, in one line, and not longer than a legend has room for."""
    visible = "".join(character for character in printable(name) if not _is_invisible(character)).strip()
    ends = [0]
    for character in visible:
        ends.append(ends[-1] + 1 + (unicodedata.east_asian_width(character) in "WF"))
    if ends[-1] <= _LONGEST_NAME:
        return visible
    return f"{visible[: sum(end < _LONGEST_NAME for end in ends[1:])]}…"


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f"


@cache
def _dejavu() -> Path:
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


@cache
def _system_fonts() -> tuple[Path, ...]:
    """Return the system's fonts in a fixed order, plain sans serif first."""
    files = {Path(file) for file in font_manager.findSystemFonts()}
    candidates = [file for file in files if not any(word in file.name.lower() for word in _NOT_DRAWN)]
    return tuple(sorted(candidates, key=lambda file: (_n_other_styles(file), file.name, str(file))))


def _n_other_styles(file: Path) -> int:
    return sum(style in file.name.lower().replace("sansserif", "") for style in _OTHER_STYLES)


@cache
def _font(file: Path) -> FT2Font | None:
    try:
        font = FT2Font(str(file))
    # A damaged font of the system is as good as none.
    except (OSError, RuntimeError):
        return None
    return font if font.scalable else None


def _has_all(file: Path, characters: str) -> bool:
    font = _font(file)
    return font is not None and all(font.get_char_index(ord(character)) for character in characters)
