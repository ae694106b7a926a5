"""Text that can be shown: in one line, encodable, without characters that reorder what follows."""

import pytest

from model.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("K\udce4fer", "K\ufffdfer"),
        ("a\nb", "a\ufffdb"),
        ("\x1b[31mred", "\ufffd[31mred"),
        ("\u202egnp.exe", "\ufffdgnp.exe"),
        ("猫 שלום \U0001f468\u200d\U0001f469 \\ $ <b>", "猫 שלום \U0001f468\u200d\U0001f469 \\ $ <b>"),
    ],
)
def test_only_what_cannot_be_shown_is_replaced(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert shown.encode("utf-8")


def test_newlines_are_kept_on_request() -> None:
    assert printable("a\nb\udcff", keep="\n") == "a\nb\ufffd"
