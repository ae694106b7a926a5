"""Jinja environment of the pages: filters that format numbers, and functions that several templates use."""

import base64
import hashlib
import json
import math
import shlex
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hpo.analysis.earlier_best import earlier_best_notice
from hpo.analysis.formatting import counted
from hpo.analysis.results import SHORTER_CODE_BPD
from hpo.figures.study.trial_marks import hyperparameter_label
from hpo.report.shareable_text import without_paths
from hpo.user_commands import PROGRAM, user_command
from model.printable import printable
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
        finalize=_encodable,
    )
    environment.filters |= {
        "counted": counted,
        "fixed": fixed,
        "short": short,
        "duration": duration,
        "device": device_name,
        "literal": literal,
        "label": hyperparameter_label,
        "without_paths": without_paths,
        "shell": shlex.quote,
    }
    environment.globals |= {
        "earlier_best_notice": earlier_best_notice,
        "active_variance": ACTIVE_VARIANCE,
        "shorter_code_bpd": SHORTER_CODE_BPD,
        "user_command": user_command,
        "program": PROGRAM,
    }
    return environment


def _encodable(value: object) -> object:
    # A markup is ours, and remains one only if it is not rebuilt.
    return printable(value, keep="\n\t") if isinstance(value, str | Path) and not isinstance(value, Markup) else value


def fixed(value: float, digits: int) -> str:
    """Format a number with this many decimals and a proper minus sign: `−3,662.0`."""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
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
    # A byte of a name that is not UTF-8 is a lone surrogate, which Python writes as an escape.
    return json.dumps(str(value), ensure_ascii=False).encode("utf-8", "backslashreplace").decode("utf-8")


def device_name(device_type: str) -> str:
    """Return the name of a device type for readers: `GPU (CUDA)` for `cuda`."""
    return _DEVICES.get(device_type, device_type)


@dataclass(frozen=True)
class PageScript:
    """Script of a page. The browser runs only one with this digest, which the page's head names."""

    text: Markup
    sha256: str


def page_script(name: str) -> PageScript:
    """Read a script in the template folder."""
    text = (_TEMPLATES / name).read_text(encoding="utf-8")
    return PageScript(Markup(text), base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii"))
