"""Text in notes: Markdown shows it as it was written."""

import pytest
from markdown_it import MarkdownIt

from hpo.dashboard.markdown_text import escaped


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", "*a* _b_ `c`", "[x](http://y)", "a | b", "\\*", "# x", "norm_free", "~~x~~"],
)
def test_text_is_shown_as_it_was_written(text: str) -> None:
    rendered = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(f"| h |\n|---|\n| {escaped(text)} |")
    shown = rendered.partition("<td>")[2].partition("</td>")[0]
    assert shown == text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def test_names_with_underscores_stay_readable_in_the_source() -> None:
    assert escaped("norm_free") == "norm_free"
