"""Jinja environment of the pages: filters that format numbers, and functions that several templates use."""

import json
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hpo.analysis.earlier_best import earlier_best_notice
from hpo.figures.study.trial_marks import hyperparameter_label
from hpo.report.shareable_text import without_paths
from model.scoring.definitions import ACTIVE_VARIANCE

_TEMPLATES = Path(__file__).resolve().parent / "templates"
_DEVICES = {"cpu": "CPU", "cuda": "GPU (CUDA)", "mps": "GPU (Apple MPS)"}


def template_environment() -> Environment:
    """Return the environment of all pages; it escapes every value."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "fixed": fixed,
        "short": short,
        "duration": duration,
        "device": device_name,
        "literal": literal,
        "label": hyperparameter_label,
        "without_paths": without_paths,
    }
    environment.globals |= {"earlier_best_notice": earlier_best_notice, "active_variance": ACTIVE_VARIANCE}
    return environment


def fixed(value: float, digits: int) -> str:
    """Format a number with this many decimals and a proper minus sign: `−3,662.0`."""
    return f"{value:,.{digits}f}".replace("-", "−")


def short(value: object) -> str:
    """Format a float with three digits or fewer, `0.001` or `1e−05`, but `5,000`; keep integers and words."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if 1000 <= value < 1e6 else f"{value:.3g}".replace("-", "−")


def duration(seconds: float) -> str:
    """Format a time: `42 s`, `14 min 37 s` or `3 h 5 min`."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def literal(value: object) -> str:
    """Format a text or a path as a string literal of Python."""
    return json.dumps(str(value), ensure_ascii=False)


def device_name(device_type: str) -> str:
    """Return the name of a device type for readers: `GPU (CUDA)` for `cuda`."""
    return _DEVICES.get(device_type, device_type)


def read_template_file(name: str) -> str:
    """Return the text of a file in the template folder, unrendered."""
    return (_TEMPLATES / name).read_text(encoding="utf-8")
