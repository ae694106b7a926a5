"""Formats of values, durations and sizes in terminal lines and notes."""

from typing import Any

from hpo.config.hyperparameters import Choices, Range


def format_value(value: Any, n_digits: int = 3) -> str:
    """Format a hyperparameter's value: a float with so many significant digits, anything else as it is."""
    return f"{value:.{n_digits}g}" if isinstance(value, float) else str(value)


def format_duration(seconds: float) -> str:
    """Format a duration roughly: `42 s`, or from 90 s on `15 min`."""
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def format_megabytes(n_bytes: int) -> str:
    """Format a size on disk: `12.3 MB`."""
    return f"{n_bytes / 1e6:.1f} MB"


def counted(n: float, noun: str) -> str:
    """Return a number with its noun, which takes an s in the plural: `1 epoch`, `2 epochs`, `0.5 epochs`."""
    return f"{n:g} {noun}{'' if n == 1 else 's'}"


def capitalized(text: str) -> str:
    """Return the text with a capital first letter, the others as they are."""
    return text[0].upper() + text[1:]


def search_range(entry: Range[Any] | Choices[Any]) -> str:
    """Return what is searched of a hyperparameter, in words: `0.3 to 3, log scale` or `one of 32, 64`."""
    if isinstance(entry, Choices):
        return "one of " + ", ".join(f"{choice}" for choice in entry.choices)
    return f"{entry.low:g} to {entry.high:g}" + (", log scale" if entry.log else "")
