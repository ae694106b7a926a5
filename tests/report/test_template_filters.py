"""Text of the user's in pages: escaped, encodable, and exact where it is code."""

from pathlib import Path

from markupsafe import Markup

from hpo.report.template_filters import literal, template_environment


def render(template: str, value: object) -> str:
    return template_environment().from_string(template).render(value=value)


def test_a_name_of_any_bytes_is_shown_escaped_and_can_be_encoded() -> None:
    for value in ("<b>K\udce4fer\x1b", Path("<b>K\udce4fer\x1b")):
        assert render("{{ value }}", value).encode() == "&lt;b&gt;K\ufffdfer\ufffd".encode()


def test_lines_of_text_and_markup_of_ours_are_kept() -> None:
    assert render("{{ value }}", "a:\n\tb") == "a:\n\tb"
    assert render("{{ value }}", Markup("<b>")) == "<b>"


def test_a_path_as_code_is_the_path_whatever_its_bytes() -> None:
    for path in ("B\udcfccher/\U0001f600/猫", "a\"b\\c'\n"):
        assert eval(literal(path)) == path
        assert literal(path).encode("utf-8")


def test_a_name_in_a_command_is_one_word_of_the_shell() -> None:
    assert render("{{ value|shell }}", "quick") == "quick"
    assert render("{{ value|shell }}", "my study") == "&#39;my study&#39;"
