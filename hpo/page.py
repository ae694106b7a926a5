"""The page of one run: index.html, a single file with its pictures inside that opens from disk."""

import json
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hpo.page_data import RunPage, run_page
from hpo.paths import RunPaths
from model.atomic import write_text

TEMPLATES = Path(__file__).resolve().parent / "templates"
_DEVICES = {"cpu": "CPU", "cuda": "GPU (CUDA)", "mps": "GPU (Apple MPS)"}


def write_page(paths: RunPaths) -> None:
    """Write the page of a finished run from its files; a picture that is missing is left out."""
    write_text(paths.page, rendered(run_page(paths), paths))


def rendered(page: RunPage, paths: RunPaths) -> str:
    """The page as HTML. `paths` gives the names of the files that it points the reader to."""
    return environment().get_template("run.html").render(page=page, files=paths)


def environment() -> Environment:
    """Templates and the ways in which they write numbers; everything put into them is escaped."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
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


def short(value: float) -> str:
    """A number in three digits or fewer: `0.001`, `1e−05`."""
    return f"{value:.3g}".replace("-", "−")


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
