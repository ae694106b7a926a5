"""The error log: unforeseen errors of by-products are logged, errors with a message for the user are not."""

import sqlite3
from pathlib import Path

import pytest

from hpo.storage.error_log import attempt
from model.errors import UserError


def raise_(error: Exception) -> None:
    raise error


def test_an_interruption_that_an_error_hides_is_raised(tmp_path: Path) -> None:
    def interrupted() -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise_(KeyError("a library's clean-up"))

    log = tmp_path / "errors.log"
    with pytest.raises(KeyboardInterrupt):
        attempt(interrupted, subject="its pictures", heading="trial 3", log=log)
    assert not log.exists()


def test_an_unforeseen_error_becomes_a_message_and_a_traceback_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "study" / "errors.log"
    for heading in ("trial 3", "trial 4"):
        message = attempt(lambda: raise_(KeyError("bug")), subject="its pictures", heading=heading, log=log)
        assert message == f"its pictures could not be made (KeyError: 'bug'); see {log}"
    lines = log.read_text().splitlines()
    assert [lines[0], lines.count("trial 4"), lines.count("KeyError: 'bug'")] == ["trial 3", 1, 2]


def test_success_leaves_no_message_and_no_log(tmp_path: Path) -> None:
    log = tmp_path / "errors.log"
    assert attempt(lambda: None, subject="its pictures", heading="trial 3", log=log) is None
    assert not log.exists()


@pytest.mark.parametrize("error", [UserError("no such file"), OSError(28, "disk full"), sqlite3.OperationalError("x")])
def test_errors_with_a_message_for_the_user_are_raised_and_not_logged(error: Exception, tmp_path: Path) -> None:
    log = tmp_path / "errors.log"
    with pytest.raises(type(error)):
        attempt(lambda: raise_(error), subject="its pictures", heading="trial 3", log=log)
    assert not log.exists()
