"""Text in notes: Markdown shows it as it was written."""

import io

import pytest
from rich.console import Console
from rich.markdown import Markdown

from hpo.dashboard.markdown_text import escaped


def shown(cell: str) -> str:
    """Render a table of Markdown with one cell as plain text."""
    console = Console(file=io.StringIO(), width=200)
    console.print(Markdown(f"| h |\n|---|\n| {cell} |"))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "*a* _b_ `c`", "[x](http://y)", "a | b", "\\*", "norm_free", "&lt;", "~~x~~"]
)
def test_text_is_shown_as_it_was_written(text: str) -> None:
    assert text in shown(escaped(text))


def test_text_that_is_not_escaped_is_not() -> None:
    assert not any(text in shown(text) for text in ("<script>", "*a*", "a | b", "&lt;", "~~x~~"))


def test_names_with_underscores_stay_readable_in_the_source() -> None:
    assert escaped("norm_free") == "norm_free"
