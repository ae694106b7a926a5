"""The targets and variables of the Makefile, in a checkout where stubs stand in for Python."""

import re
import shlex
from pathlib import Path

import pytest

from tests.tools.checkout import ROOT, Checkout, write_script


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_make_alone_prints_the_help(checkout: Checkout) -> None:
    assert checkout.make().stdout == checkout.make("help").stdout
    assert "make best-retrain" in checkout.make().stdout


def test_help_lists_every_target_and_every_variable_in_one_column(checkout: Checkout) -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = next(line for line in makefile.splitlines() if line.startswith(".PHONY:"))
    targets = [f"make {name}" for name in phony.split()[1:] if not name.startswith(".")]
    variables = [f"{name}={value}" for name, value in re.findall(r"^([A-Z_]+) *= ?(.*)$", makefile, re.MULTILINE)]
    assert len(targets) >= 7
    assert len(variables) >= 10
    entries = re.findall(r"^  (\S.*?)  +(?=\S)", re.sub(r"=  (?=[A-Z_]+=)", "= ", checkout.make("help").stdout), re.M)
    listed = {word for entry in entries for word in ([entry] if entry.startswith("make") else entry.split())}
    assert listed == set(targets + variables)


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["tune"], "tune 'cifar10'"),
        (["tune", "STUDY=quick", "TRIALS=7", "TIMEOUT=30"], "tune 'quick' --trials '7' --timeout '30'"),
        (["tune", "DEVICE=cpu", "FRESH=1"], "tune 'cifar10' --device 'cpu' --fresh"),
        (["tune", "EPOCHS=40", "WORKERS=2"], "tune 'cifar10' --epochs '40' --workers '2'"),
        (["tune", "FRESH=0"], "tune 'cifar10'"),
        (["tune", "STUDY=my studies/a.yaml"], "tune 'my studies/a.yaml'"),
        (["best-retrain"], "retrain 'cifar10'"),
        (
            ["best-retrain", "STUDY=quick", "TRIAL=3", "EPOCHS=50", "DEVICE=cuda"],
            "retrain 'quick' --trial '3' --epochs '50' --device 'cuda'",
        ),
        (["dashboard"], "dashboard"),
        (["dashboard", "STUDY="], "dashboard"),
        (["dashboard", "STUDY=quick"], "dashboard 'quick'"),
        (["figures", "RUN=results/a b/best", "FPS=4"], "figures 'results/a b/best' --fps '4'"),
        (["report", "STUDY=quick"], "report 'quick'"),
        (["dashboard", "STUDY=quick", "READ_ONLY=1"], "dashboard 'quick' --read-only"),
        (["dashboard", "HOST=0.0.0.0", "PORT=8081"], "dashboard --host '0.0.0.0' --port '8081'"),
    ],
)
def test_variables_are_passed_to_the_command_line(checkout: Checkout, arguments: list[str], command: str) -> None:
    done = checkout.make("-n", *arguments)
    assert done.returncode == 0, done.stderr
    printed = " ".join(done.stdout.replace("\\\n", " ").split())
    assert printed.endswith(f".venv/bin/python -m hpo {command}")


@pytest.mark.parametrize("text", ["o'brien", "$10_$(HOME)", "two  spaces", "a\\b", '"q" `ls` #x', "猫 <b>", "a,b(c"])
@pytest.mark.parametrize(("target", "variable"), [("train", "DATA"), ("tune", "STUDY"), ("figures", "RUN")])
def test_the_value_of_a_variable_reaches_the_command_line_unchanged(
    checkout: Checkout, target: str, variable: str, text: str
) -> None:
    printed = checkout.make("-n", target, f"{variable}={text}").stdout
    command = printed[printed.index(".venv/bin/python -m hpo") :]
    assert shlex.split(command)[-1] == text


def test_variables_of_the_environment_do_not_leak_in(checkout: Checkout) -> None:
    done = checkout.make("-n", "dashboard", HOST="my-laptop", PORT="1")
    assert "my-laptop" not in done.stdout
    assert "--port" not in done.stdout


def test_variables_that_configure_python_or_matplotlib_do_not_reach_commands(checkout: Checkout) -> None:
    names = ("PYTHONPATH", "PYTHONSAFEPATH", "MPLBACKEND", "MATPLOTLIBRC")
    printed = checkout.make("tune", **dict.fromkeys(names, "1")).stdout
    assert "ran: -m hpo tune" in printed and "PYTHONUTF8=1" in printed
    assert not [name for name in names if name in printed]


def test_test_and_test_long_share_all_tests_between_them(checkout: Checkout) -> None:
    short = " -m 'not long and not faults and not browser'\n"
    long = " -m 'long or faults or browser'\n"
    assert checkout.make("-n", "test").stdout.endswith(short)
    assert checkout.make("-n", "test-long").stdout.endswith(long)
    assert re.fullmatch(f"(?s).*{short}.*{long}", checkout.make("-n", "test-all").stdout)


def test_check_runs_ruff_then_strict_mypy_then_the_tests(checkout: Checkout) -> None:
    lint, check = checkout.make("-n", "lint").stdout, checkout.make("-n", "check").stdout
    steps = ["ruff check .", "ruff format --check .", "mypy --strict"]
    assert [lint.index(step) for step in steps] == sorted(lint.index(step) for step in steps)
    assert check.startswith(lint)
    assert check.endswith(checkout.make("-n", "test").stdout.splitlines(keepends=True)[-1])


def test_targets_run_one_after_the_other_under_parallel_make(checkout: Checkout) -> None:
    checkout.make("tune")
    fakes = 'case "$*" in *tune*) sleep 0.3; echo tuned;; *retrain*) echo retrained;; *showcase*) echo copied;; esac'
    write_script(checkout.root / ".venv/bin/python", f"#!/bin/sh\n{fakes}\n")
    done = checkout.make("showcase", "-s", MAKEFLAGS="-j4")
    assert done.stdout.split() == ["tuned", "retrained", "copied"], done.stderr


def test_a_failing_command_fails_make(checkout: Checkout) -> None:
    checkout.make("tune")
    write_script(checkout.root / ".venv/bin/python", "#!/bin/sh\ncase \"$*\" in *'-m hpo'*) exit 2;; esac\n")
    done = checkout.make("tune")
    assert done.returncode == 2
    assert "Error 2" in done.stderr


def test_make_names_a_python_that_is_not_there(checkout: Checkout) -> None:
    done = checkout.make("tune", "PYTHON=python-that-is-not-there")
    assert done.returncode == 2
    assert "'python-that-is-not-there' was not found: install Python 3.11 or newer" in done.stderr
