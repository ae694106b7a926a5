"""Exit codes: one message on stderr and one code for everything that can go wrong in a command."""

import errno
import sqlite3

import optuna
import pytest
import torch
import typer
from typer.testing import CliRunner

from hpo.cli.app import COMMANDS, app
from hpo.cli.exit_codes import reports_errors
from model.errors import UserError

FIX = "fix that and run the same command again"
ERRORS = {
    "user": (UserError("seed: must be >= 0, got -1"), 2, "error: seed: must be >= 0, got -1\n"),
    "file": (FileNotFoundError(errno.ENOENT, "No such file", "a/b"), 2, f"error: a/b: No such file; {FIX}\n"),
    "disk": (OSError(errno.ENOSPC, "No space left on device"), 2, f"error: No space left on device; {FIX}\n"),
    "memory": (
        torch.OutOfMemoryError("CUDA out of memory.\nTried 1 GiB"),
        2,
        "error: out of memory (CUDA out of memory.); try a smaller batch_size or model.channels, or fewer workers\n",
    ),
    "interruption": (KeyboardInterrupt(), 130, "Stopped. All is kept.\n"),
}


def run(error: BaseException) -> tuple[int, str, str]:
    """Run a command that fails with an error; return its exit code, stdout and stderr."""
    failing = typer.Typer()

    @failing.command()
    @reports_errors("Stopped. All is kept.")
    def fail() -> None:
        raise error

    result = CliRunner().invoke(failing)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(("error", "code", "message"), ERRORS.values(), ids=ERRORS.keys())
def test_an_error_is_one_message_on_stderr_and_its_exit_code(error: BaseException, code: int, message: str) -> None:
    assert run(error) == (code, "", message)


def test_an_error_of_the_database_is_reported_with_its_cause() -> None:
    error = optuna.exceptions.StorageInternalError("An exception is raised")
    error.__cause__ = sqlite3.OperationalError("database is locked")
    code, _, message = run(error)
    assert code == 2
    assert message.startswith("error: the study's database: ") and message.endswith(f"; {FIX}\n")
    assert "Traceback" not in message


def test_a_bug_exits_with_1_and_shows_its_traceback_to_report() -> None:
    code, _, message = run(ZeroDivisionError("division by zero"))
    assert code == 1
    assert message.startswith("Traceback (most recent call last)")
    assert message.endswith(
        "ZeroDivisionError: division by zero\nThis is a bug in this program; please report these lines.\n"
    )


def test_an_exit_code_that_a_command_chooses_is_kept() -> None:
    assert run(typer.Exit(130)) == (130, "", "")


@pytest.mark.parametrize("command", [command.__name__.replace("_", "-") for command in COMMANDS])
def test_help_explains_every_argument_and_option(command: str) -> None:
    parameters = typer.main.get_command(app).commands[command].params  # type: ignore[attr-defined]
    assert [parameter.name for parameter in parameters if not parameter.help.endswith(".")] == []
    assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0


@pytest.mark.parametrize("fps", ["0.001", "61", "nan"])
def test_frame_rates_beyond_the_limits_of_a_study_file_are_refused(fps: str) -> None:
    result = CliRunner().invoke(app, ["figures", "nowhere", "--fps", fps])
    assert (result.exit_code, result.stderr) == (2, f"error: --fps: must be from 0.1 to 60, got {float(fps)}\n")
