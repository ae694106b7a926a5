"""What the README tells its reader to type works: every command is expanded by make and parsed by the command line."""

import os
import re
import shlex
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from hpo.cli.app import app
from hpo.config.dataset import ROOT_VARIABLE
from hpo.config.study_file import find_config
from hpo.storage.run_record import read_record
from model.config import TrainConfig

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PYTHON = ".venv/bin/python -m hpo "


def code() -> list[str]:
    """Every line of a code block without a language, comment removed, and everything else in backticks."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    lines = [line.partition("  #")[0].strip() for kind, block in blocks if not kind for line in block.splitlines()]
    return lines + re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL))


CODE = code()
MAKE = sorted({line for line in CODE if re.match(r"([A-Z0-9_]+=\S+ )?make ", line)})
HPO = sorted({line for line in CODE if line.startswith(PYTHON)})


@dataclass(frozen=True)
class Printed:
    """What `make -n` answers."""

    returncode: int
    text: str
    errors: str

    @property
    def of_hpo(self) -> list[list[str]]:
        """Arguments of each `python -m hpo` in it."""
        return [shlex.split(line) for line in re.findall(r"-m hpo (.*)", self.text)]


def make_n(*arguments: str) -> Printed:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make", "-n", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)
    return Printed(done.returncode, done.stdout.replace("\\\n", " "), done.stderr)


def parse(arguments: list[str]) -> dict[str, Any]:
    """What the command line makes of it. Raises: UsageError: the command, an option or a value is unknown to it."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    name, *rest = arguments
    assert name in group.commands, f"no command {name}"
    values = group.commands[name].make_context(name, rest).params
    if "config" in values:
        find_config(values["config"])
    return values


def test_the_readme_names_the_commands_there_are() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    told = {line.removeprefix(PYTHON).split()[0] for line in HPO}
    told |= {arguments[0] for line in MAKE for arguments in make_n(*words(line)).of_hpo}
    assert group.commands.keys() <= told
    assert len(MAKE) >= 15 and len(HPO) >= 3


def words(line: str) -> list[str]:
    """The arguments of make: what comes before it is for the environment."""
    return shlex.split(line.partition("make ")[2])


@pytest.mark.parametrize("line", MAKE)
def test_a_make_line_expands_to_a_command_that_is_understood(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    target, *settings = words(line)
    # `mine` is the reader's own.
    settings = ["STUDY=quick" if setting == "STUDY=mine" else setting for setting in settings]
    printed = make_n(target, *settings)
    assert printed.returncode == 0, printed.errors
    for arguments in printed.of_hpo:
        parse(arguments)
    if target not in ("help", "test", "check", "showcase", "bench", "bench-search"):
        assert len(printed.of_hpo) == 1
    for setting in settings:
        # make says nothing of a variable that it does not know.
        without = [other for other in settings if other != setting] + ["RUN=elsewhere"] * setting.startswith("RUN=")
        assert make_n(target, *without).text != printed.text, f"{setting} changes nothing"


@pytest.mark.parametrize("line", HPO)
def test_a_python_line_is_understood(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    parse(shlex.split(line.removeprefix(PYTHON)))


def test_make_help_lists_every_target_and_variable_that_is_named() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    named = {f"make {words(line)[0]} " for line in MAKE}
    named |= {match[0] for line in CODE if (match := re.match(r"[A-Z]+=", line))}
    assert {"make tune ", "make showcase ", "FRESH=", "TEST="} <= named
    assert {line.partition("=")[0] for line in MAKE if not line.startswith("make")} <= {
        ROOT_VARIABLE,
        "PIP_EXTRA_INDEX_URL",
    }
    assert {name for name in named if not re.search(rf"\b{name}", listed)} == set()


def test_the_line_for_the_showcases_model_has_its_values() -> None:
    (line,) = [line for line in HPO if "--seed" in line]
    given = parse(shlex.split(line.removeprefix(PYTHON)))
    kept = asdict(read_record(ROOT / "results/showcase/config.yaml").training)
    assert given["test"] is True
    for name in TrainConfig.__dataclass_fields__.keys() & given.keys():
        assert given[name] == kept[name], name
    for name in kept.keys() - given.keys() - {"channels"}:
        assert kept[name] == getattr(TrainConfig(), name), name
