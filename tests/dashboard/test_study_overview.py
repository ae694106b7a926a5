"""Overview of a study in the dashboard: its note and figures, and when it is refreshed."""

import errno
import json
import sqlite3
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from optuna_dashboard import get_note
from optuna_dashboard._custom_plot_data import get_plotly_graph_objects
from sqlalchemy.exc import OperationalError

from hpo.analysis.ppca_baseline import PpcaBaseline
from hpo.analysis.trial_table import trial_rows
from hpo.config.schema import Budget
from hpo.dashboard.interactive_figures.plotted_trial import plotted_trials
from hpo.dashboard.interactive_figures.rate_distortion import PpcaPoint, iso_scores, ppca_points
from hpo.dashboard.study_overview import attach_run, refresh
from hpo.storage import artifacts
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import Notice, TrialEnded, TrialEvent
from hpo.workers.tuning_session import TuningSession
from hpo.workers.worker import run_trials
from model.scoring.definitions import bits_per_dimension
from model.scoring.ppca import RateDistortion
from tests.tools import synthetic

pytestmark = pytest.mark.usefixtures("undrawn")

FIGURES = {"rate-distortion", "learning-curves", "score-against-compute"}


def test_iso_score_lines_are_at_round_scores_and_hold_rate_and_distortion_of_that_score() -> None:
    lines = iso_scores([6.41, 6.78])
    assert [line.bpd for line in lines] == [6.4, 6.5, 6.6, 6.7, 6.8, 6.9]
    for line in lines:
        assert bits_per_dimension(line.nats - 100.0, 100.0) == pytest.approx(line.bpd)


def test_the_ppca_curve_is_sorted_by_dimension_and_empty_without_rates() -> None:
    curve = {2: RateDistortion(5.0, -10.0), 1: RateDistortion(3.0, -6.0)}
    points = ppca_points(PpcaBaseline("", {d: point.bpd for d, point in curve.items()}, curve))
    assert points == [PpcaPoint(d, curve[d].rate_nats, curve[d].distortion_nats, curve[d].bpd) for d in (1, 2)]
    assert ppca_points(None) == []


def figures_of(study: optuna.Study) -> dict[str, str]:
    """Return the figures as the dashboard reads them."""
    figures: dict[str, str] = get_plotly_graph_objects(study._storage.get_study_system_attrs(study._study_id))
    return figures


def test_the_overview_shows_the_ended_trials_however_often_it_is_refreshed(context: TrialContext) -> None:
    study = context.study
    refresh(study, context.config, context.paths)
    assert figures_of(study) == {} and "No trial has finished yet." in get_note(study)
    list(run_trials(context, 2, None))
    study.ask()
    for _ in range(2):
        refresh(study, context.config, context.paths)
    figures = {name: json.loads(text) for name, text in figures_of(study).items()}
    assert figures.keys() == FIGURES
    assert len(figures["rate-distortion"]["data"][-1]["x"]) == 2
    assert f"- Best: trial {study.best_trial.number}, val_bpd {study.best_value:.4f}" in get_note(study)
    plotted = plotted_trials(trial_rows(study, context.config))
    ended = study.trials[:2]
    assert [(t.number, t.kind, t.val_bpd) for t in plotted] == [(t.number, "finished", t.value) for t in ended]
    assert [t.rate_nats for t in plotted] == [t.user_attrs["val_rate_nats"] for t in ended]
    assert [t.curve for t in plotted] == [
        tuple((float(step), value) for step, value in t.intermediate_values.items()) for t in ended
    ]


def test_the_learning_curves_mark_the_trial_that_is_expected_to_end_best_until_one_has_finished(tmp_path: Path) -> None:
    opened = synthetic.create(tmp_path)

    def marked() -> list[str]:
        refresh(opened.study, opened.config, opened.paths)
        figure = json.loads(figures_of(opened.study)["learning-curves"])
        return [trace["name"] for trace in figure["data"] if "best" in trace["name"]]

    synthetic.add_trial(opened, 7.5, end="pruned at epoch 0.5")
    better = synthetic.add_trial(opened, 7.0, end="pruned at epoch 0.5")
    assert marked() == [f"expected best: trial {better}"]
    finished = synthetic.add_trial(opened, 7.2, 7.1, 7.0, 6.9, 6.8, 6.7)
    assert marked() == [f"best: trial {finished}"]


class FakeWorkers:
    """Workers whose events are given."""

    def __init__(self, events: Iterable[TrialEvent]) -> None:
        self._events = events

    def events(self) -> Generator[TrialEvent]:
        yield from self._events

    def stop(self) -> None:
        raise AssertionError("nobody asked to stop")


def run_session(context: TrialContext, events: Iterable[TrialEvent]) -> list[TrialEvent]:
    """Run a session with these events; return the events that its listener received."""
    received: list[TrialEvent] = []
    session = TuningSession(context, Budget(trials=3), deadline=None, n_workers=1, config_name="small")
    with session.overview(lambda text: received.append(Notice(text))) as overview:
        session.run(FakeWorkers(events), received.append, overview)
    return received


def test_the_overview_is_refreshed_at_intervals_and_at_the_end(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, refreshed = iter([0.0, 1.0, 5.0, 30.0, 31.0]), list[bool]()
    has_baseline = context.paths.ppca_baseline.exists
    monkeypatch.setattr("hpo.dashboard.overview_refresher.time.monotonic", lambda: next(clock))
    monkeypatch.setattr("hpo.dashboard.study_overview.refresh", lambda *_: refreshed.append(has_baseline()))
    counts = []
    assert not has_baseline()

    def ended_trials() -> Iterator[TrialEvent]:
        for number in range(3):
            yield TrialEnded(number, TrialState.COMPLETE, "finished", 7.0)
            counts.append(len(refreshed))

    run_session(context, ended_trials())
    assert counts == [1, 1, 2], "after the first trial, not yet after the second, after the third"
    assert len(refreshed) == 3, "and at the end"
    assert all(refreshed), "pPCA's scores are there from the first time on"


def test_an_unforeseen_error_in_the_overview_does_not_end_the_search(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Iterator[None]:
        raise AssertionError("a bug")

    monkeypatch.setattr("hpo.dashboard.study_overview.refresh", broken)
    events = run_session(context, run_trials(context, 1, None))
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert len(notices) == 2 and all("could not be made (AssertionError: a bug)" in text for text in notices)
    assert "in broken" in context.paths.errors.read_text()
    assert context.study.trials[0].state == TrialState.COMPLETE


def test_a_locked_database_in_the_overview_becomes_a_notice_and_a_full_disk_ends_the_search(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_with(error: Exception) -> None:
        def refuse(*_: object) -> None:
            raise error

        monkeypatch.setattr("hpo.dashboard.study_overview.refresh", refuse)

    ended: TrialEvent = TrialEnded(0, TrialState.COMPLETE, "finished", 7.0)
    for code, refusals in ((sqlite3.SQLITE_BUSY, 2), (sqlite3.SQLITE_BUSY_SNAPSHOT, 2)):
        fail_with(database_error(code, "database is locked"))
        events = run_session(context, [ended])
        expected = Notice("the study's overview in the dashboard was not refreshed (database is locked)")
        assert events == [ended, *[expected] * refusals], "after the trial and at the end"
    for error in (OSError(errno.ENOSPC, "No space left"), database_error(sqlite3.SQLITE_FULL, "disk is full")):
        fail_with(error)
        with pytest.raises(type(error)) as raised:
            run_session(context, [ended])
        assert raised.value is error


def database_error(code: int, message: str) -> StorageInternalError:
    """Return SQLite's error as Optuna's storage raises it."""
    reason = sqlite3.OperationalError(message)
    reason.sqlite_errorcode = code
    error = StorageInternalError("An exception is raised during the commit.")
    error.__cause__ = OperationalError("INSERT", {}, reason)
    return error


def test_files_of_a_retrained_model_replace_those_of_an_earlier_one(context: TrialContext) -> None:
    best = context.paths.best
    best.folder.mkdir(parents=True)
    names = ("animation_gif", "animation_mp4", "reconstructions", "samples", "metrics_json", "metrics_csv", "page")
    for content in ("first", "second"):
        for name in names:
            getattr(best, name).write_text(f"{name} of the {content}")
        attach_run(context.study, context.paths, best)
    files = artifacts.artifact_files(context.study, context.study, context.paths)
    assert {name: path.read_text() for name, path in files.items()} == {
        getattr(best, name).name: f"{name} of the second" for name in names
    }
    assert len(list(context.paths.artifacts.iterdir())) == len(names)
    refresh(context.study, context.config, context.paths)
    assert f"/artifacts/{context.study._study_id}/{files[best.animation_gif.name].name}" in get_note(context.study)
