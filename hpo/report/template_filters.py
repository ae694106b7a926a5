"""Templates of the pages, and the ways in which they write numbers; everything put into them is escaped."""

import json
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_TEMPLATES = Path(__file__).resolve().parent / "templates"
_DEVICES = {"cpu": "CPU", "cuda": "GPU (CUDA)", "mps": "GPU (Apple MPS)"}


def environment() -> Environment:
    """The templates of every page."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"fixed": fixed, "short": short, "duration": duration, "device": device, "literal": literal}
    return made


def fixed(value: float, digits: int) -> str:
    """A number with so many digits: `−3,662.0`."""
    return f"{value:,.{digits}f}".replace("-", "−")


def short(value: object) -> str:
    """A number in three digits or fewer, `0.001` or `1e−05`, but `5,000`; a whole number and a word as they are."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if 1000 <= value < 1e6 else f"{value:.3g}".replace("-", "−")


def duration(seconds: float) -> str:
    """`42 s`, `14 min 37 s` or `3 h 5 min`."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def literal(text: str) -> str:
    """Text as it is written in code."""
    return json.dumps(text, ensure_ascii=False)


def device(kind: str) -> str:
    """A device's name as people write it."""
    return _DEVICES.get(kind, kind)


def source_of(name: str) -> str:
    """A file beside the templates, as it stands."""
    return (_TEMPLATES / name).read_text(encoding="utf-8")
