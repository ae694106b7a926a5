"""Stub."""

from hpo.paths import RunPaths
from model.atomic import write_text


def write_page(paths: RunPaths) -> None:
    """Stub."""
    write_text(paths.page, "stub")
