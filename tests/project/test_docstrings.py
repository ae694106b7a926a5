"""Docstrings open with a verb or a noun and name their subject."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REFUSED = ("What", "Which", "How", "Whether", "Of", "When", "Where", "Why", "That", "Those")
SOURCES = sorted(
    str(path.relative_to(ROOT)) for folder in ("hpo", "model", "scripts") for path in (ROOT / folder).rglob("*.py")
)


def docstrings(source: str) -> Iterator[tuple[str, str]]:
    """Every docstring as (name of its object, its first line)."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
            yield getattr(node, "name", "module"), text.splitlines()[0]


def refused(source: str) -> list[str]:
    return [f"{name}: {line}" for name, line in docstrings(source) if line.split()[0].rstrip(",:") in REFUSED]


@pytest.mark.parametrize("file", SOURCES)
def test_docstrings_open_with_a_verb_or_a_noun(file: str) -> None:
    assert refused((ROOT / file).read_text()) == []


def test_a_docstring_that_opens_otherwise_is_found() -> None:
    assert refused('def f():\n    """Whether it holds."""\ndef g():\n    """Return it."""') == ["f: Whether it holds."]
