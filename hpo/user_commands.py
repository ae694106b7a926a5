"""Commands as users type them: by make in a checkout, by `hpo` where the program is installed."""

import shlex

from model.data.locations import IS_CHECKOUT

# Names of commands that differ from those of make's targets.
_TARGETS = {"retrain": "best-retrain"}
# The program itself, and the option that starts a study over, as messages name them.
PROGRAM = "python -m hpo" if IS_CHECKOUT else "hpo"
FRESH = "--fresh (make tune FRESH=1)" if IS_CHECKOUT else "--fresh"


def user_command(command: str, study: str | None = None, **options: object) -> str:
    """Return the line that runs a command of this program on a study, with options by their names.

    Example:
        >>> user_command("retrain", "quick", trial=3)
        'make best-retrain STUDY=quick TRIAL=3'
    """
    if IS_CHECKOUT:
        variables = {} if study is None else {"study": study}
        parts = [f"{name.upper()}={shlex.quote(str(value))}" for name, value in (variables | options).items()]
        return " ".join(["make", _TARGETS.get(command, command), *parts])
    flags = [f"--{name.replace('_', '-')} {shlex.quote(str(value))}" for name, value in options.items()]
    return " ".join(["hpo", command, *([] if study is None else [shlex.quote(study)]), *flags])


def how_to_install(extra: str) -> str:
    """Return how the packages of requirements-<extra>.txt are installed."""
    if IS_CHECKOUT:
        return f".venv/bin/pip install -r requirements-{extra}.txt"
    return f"install the program with [{extra}]"


def in_venv(program: str) -> str:
    """Return how a program is started that is installed beside this one."""
    return f".venv/bin/{program}" if IS_CHECKOUT else program
