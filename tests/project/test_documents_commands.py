"""Commands in README, docs/ and CONTRIBUTING work: make expands every one, and the command line parses it."""

import os
import re
import shlex
import subprocess
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from hpo.cli.app import app
from hpo.config.dataset_with_fallback import ROOT_VARIABLE
from hpo.config.study_file import find_config
from hpo.storage.paths import SHOWCASE
from hpo.storage.run_record import read_record
from model.config import TrainConfig
from tests.tools.markdown_pages import GUIDES, ROOT

PYTHON = ".venv/bin/python -m hpo "
# Targets that run no command of hpo, or more than one.
OTHER_TARGETS = ("help", "test", "test-long", "lint", "showcase", "bench", "bench-search", "bench-scale")


def code_lines() -> list[str]:
    """Return every line of a code block without a language, without its comment, and all other text in backticks."""
    lines = [line for page in GUIDES for block in page.code_blocks("") for line in block.splitlines()]
    return [line.partition("  #")[0].strip() for line in lines] + [
        code for page in GUIDES for code in page.inline_code()
    ]


CODE = code_lines()
MAKE = sorted({line for line in CODE if re.match(r"([A-Z0-9_]+=\S+ )?make ", line)})
HPO = sorted({line for line in CODE if line.startswith(PYTHON)})


@dataclass(frozen=True)
class Expansion:
    """Answer of `make -n`."""

    returncode: int
    text: str
    errors: str

    @property
    def hpo_arguments(self) -> list[list[str]]:
        """Arguments of each `python -m hpo` in it."""
        return [shlex.split(line) for line in re.findall(r"-m hpo (.*)", self.text)]


@cache
def expand(*arguments: str) -> Expansion:
    """Run `make -n`, which prints commands without running them."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make", "-n", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)
    return Expansion(done.returncode, done.stdout.replace("\\\n", " "), done.stderr)


def commands() -> TyperGroup:
    """Return the command line."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return group


def parse(arguments: list[str]) -> dict[str, Any]:
    """Return the values that the command line reads. Raises: UsageError: command, option or value is unknown to it."""
    name, *rest = arguments
    assert name in commands().commands, f"no command {name}"
    values = commands().commands[name].make_context(name, rest).params
    for name in filter(None, (values.get(argument) for argument in ("config", "study"))):
        find_config(name)
    return values


def make_arguments(line: str) -> list[str]:
    """Return the arguments of make; variables before it go to the environment."""
    return shlex.split(line.partition("make ")[2])


def test_every_command_is_documented() -> None:
    documented = {line.removeprefix(PYTHON).split()[0] for line in HPO}
    documented |= {arguments[0] for line in MAKE for arguments in expand(*make_arguments(line)).hpo_arguments}
    assert commands().commands.keys() <= documented
    assert len(MAKE) >= 15 and len(HPO) >= 3


@pytest.mark.parametrize("line", MAKE)
def test_a_make_line_expands_to_a_command_that_exists(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    target, *settings = make_arguments(line)
    # `mine` is the reader's own.
    settings = ["STUDY=quick" if setting == "STUDY=mine" else setting for setting in settings]
    expansion = expand(target, *settings)
    assert expansion.returncode == 0, expansion.errors
    for arguments in expansion.hpo_arguments:
        parse(arguments)
    if target not in OTHER_TARGETS:
        assert len(expansion.hpo_arguments) == 1
    for setting in settings:
        # make ignores a variable that it does not know.
        others = [other for other in settings if other != setting] + ["RUN=elsewhere"] * setting.startswith("RUN=")
        assert expand(target, *others).text != expansion.text, f"{setting} changes nothing"


@pytest.mark.parametrize("line", HPO)
def test_a_python_line_is_parsed(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    parse(shlex.split(line.removeprefix(PYTHON)))


def test_make_help_lists_every_target_and_variable_that_is_named() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    named = {f"make {make_arguments(line)[0]}" for line in MAKE}
    named |= {match[0] for line in CODE if (match := re.match(r"[A-Z_]+=(?=\S*$)", line))}
    before_make = {line.partition("=")[0] for line in MAKE if not line.startswith("make")}
    assert before_make <= {ROOT_VARIABLE, "PIP_EXTRA_INDEX_URL"}
    assert {"make tune", "make showcase", "FRESH=", "TEST="} <= named
    assert [name for name in named if not re.search(rf"(?<!\w){name}(?![a-z-])|{name}\w", listed)] == []


def test_python_modules_that_are_named_exist() -> None:
    named = {name for page in GUIDES for name in re.findall(r"python -m ((?:benchmarks|scripts)[\w.]*)", page.text)}
    assert {"benchmarks.overhead", "scripts.generate_docs"} <= named
    assert [name for name in named if find_spec(name) is None] == []


def test_the_line_for_the_showcases_model_has_its_values() -> None:
    (line,) = [line for line in HPO if "--seed" in line]
    given = parse(shlex.split(line.removeprefix(PYTHON)))
    kept = asdict(read_record(ROOT / SHOWCASE / "config.yaml").training)
    assert given["test"] is True
    for name in TrainConfig.__dataclass_fields__.keys() & given.keys():
        assert given[name] == kept[name], name
    for name in kept.keys() - given.keys() - {"channels"}:
        assert kept[name] == getattr(TrainConfig(), name), name
