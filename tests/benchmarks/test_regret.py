"""Retrain regrets of searches before judges, and their page."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from benchmarks.search import regret, regret_page
from benchmarks.search.judged import JUDGES
from benchmarks.search.methods import PARTS
from benchmarks.search.regret_page import UNTUNED, page, read_regrets
from benchmarks.search.table import CIFAR10, TABLES
from tests.tools.synthetic_curves import SPACE, table, timings

METHODS = {name: PARTS[name] for name in ("promotion_random", "promotion_tpe")}


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A table of synthetic curves in the place of all others, and results in a temporary folder."""
    made = SimpleNamespace(
        name="cifar10",
        path=tmp_path / "curves.jsonl",
        read=lambda: table(30),
        timings=lambda _: timings(),
        space=SPACE,
        outstanding=lambda _: [],
        architecture="norm_free",
        hyperparameters=CIFAR10.hyperparameters,
    )
    values: dict[str, Any] = {"REPLAYED": (made,), "COMPARED": METHODS, "BUDGETS": (4, 48)}
    for name, value in values.items():
        monkeypatch.setattr(regret, name, value)
    monkeypatch.setattr(regret, "OURS", "promotion_tpe")
    for name, file in (("PAGE", "REGRET.md"), ("REGRETS", "search_regret.json"), ("SEARCH", "search.json")):
        monkeypatch.setattr(regret_page, name, tmp_path / file)
    monkeypatch.setattr(regret_page, "BUDGETS", (4, 48))
    monkeypatch.setattr("benchmarks.search.replays.replay.__defaults__", (tmp_path / "cache.jsonl", 1))
    return made


def test_regrets_have_every_judge_method_and_budget_and_fall_with_it(task: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "search.json").write_text('{"target": 1.0}')
    regret.main(repetitions=3, processes=1)
    found = read_regrets()
    assert set(found) == {"cifar10"} and set(found["cifar10"]) == set(JUDGES)
    for methods in found["cifar10"].values():
        assert set(methods) == {UNTUNED, *METHODS}
        assert methods[UNTUNED]["4"] == methods[UNTUNED]["48"]
        for name in METHODS:
            assert methods[name]["4"] == {"median": None, "low": None, "high": None}, "half a training"
            low, median, high = (methods[name]["48"][each] for each in ("low", "median", "high"))
            assert low is not None and median is not None and high is not None and -0.2 < low <= median <= high
    numbers = json.loads((tmp_path / "search.json").read_text())
    assert numbers == {"target": 1.0, "retrain_regret": found}
    text = (tmp_path / "REGRET.md").read_text()
    assert text == page() and text.count("| promotion_tpe | - (-, -) |") == len(JUDGES)
    assert "over 3 searches" in text and "## All of CIFAR-10" in text


def test_a_table_that_lacks_runs_is_named_with_the_remedy(
    task: SimpleNamespace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task, "outstanding", lambda _: [(3, 0)])
    with pytest.raises(typer.Exit) as exit_:
        regret.main(repetitions=1, processes=1)
    assert exit_.value.exit_code == 2
    assert "lacks runs; make them with `python -m benchmarks.search.grow --table cifar10`" in capsys.readouterr().err


def test_a_table_that_does_not_exist_is_named() -> None:
    # As the command line, which checks the options' types.
    app = typer.Typer()
    app.command()(regret.main)
    result = CliRunner().invoke(app, ["--table", "mnist"])
    assert result.exit_code == 2 and "must be one of cifar10, sample, plain, but got" in " ".join(result.output.split())


def test_the_committed_page_is_that_of_the_numbers() -> None:
    assert regret_page.PAGE.read_text() == page()
    assert set(read_regrets()) <= set(TABLES)
