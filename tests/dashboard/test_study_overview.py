"""The study's page in the dashboard: what its figures show, compared as data; when it is refreshed; what it keeps."""

import json
import math
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import optuna
import plotly.graph_objects as go
import pytest
from optuna.trial import TrialState
from optuna_dashboard import get_note
from optuna_dashboard._custom_plot_data import get_plotly_graph_objects

from hpo.analysis.ppca_baseline import PpcaBaseline, compute_ppca_baseline, load_ppca_baseline
from hpo.analysis.trial_table import trial_rows
from hpo.config.schema import Budget
from hpo.dashboard import study_overview
from hpo.dashboard.plotly_data import (
    BetaScale,
    PcaPoint,
    PlottedTrial,
    Spending,
    beta_scale,
    marker_sizes,
    rate_distortion_window,
    score_window,
    spending,
)
from hpo.dashboard.plotly_figures import learning_curves, rate_distortion, score_against_compute
from hpo.dashboard.study_overview import attach_run, iso_scores, plotted_trials, ppca_points, refresh
from hpo.search.best_trial import BestTrial
from hpo.storage import artifacts
from hpo.storage.paths import StudyPaths
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import Notice, TrialEnded, TrialEvent
from hpo.workers.tuning_session import TuningSession
from hpo.workers.worker import run_trials
from model.data.images import ImageData
from model.device import Runtime
from model.scoring import elbo
from model.scoring.ppca import RateDistortion
from tests.storage.test_create_study import CONFIG, begin, place_of

pytestmark = pytest.mark.usefixtures("undrawn")

FINISHED = PlottedTrial(0, "finished", 1.0, 128, 100.0, -2000.0, 7.0, 60.0, ((1.0, 7.4), (2.0, 7.0)))
PRUNED = PlottedTrial(1, "pruned", 0.1, 32, 300.0, -1500.0, 7.6, 30.0, ((1.0, 7.6),))
BETTER = PlottedTrial(2, "finished", 10.0, 8, 50.0, -2100.0, 6.9, 90.0, ((1.0, 7.3), (2.0, 6.9)))
DIVERGED = PlottedTrial(3, "diverged", 3.0, 64, 90.0, 9000.0, 12.0, 20.0, ((1.0, 12.0),))
TRIALS = (FINISHED, PRUNED, BETTER, DIVERGED)
FIGURES = {"rate-distortion", "learning-curves", "score-against-compute"}


@pytest.fixture
def paths(tmp_path: Path) -> StudyPaths:
    return StudyPaths(tmp_path / "results" / "small")


@pytest.fixture
def place(paths: StudyPaths, data: ImageData, runtime: Runtime) -> TrialContext:
    return place_of(paths, begin(paths, data), data, runtime)


def trace(figure: go.Figure, name: str) -> go.Scatter:
    (found,) = (one for one in figure.data if one.name and one.name.startswith(name))
    return found


def test_spending_adds_up_all_trials_and_follows_the_best_finished_one() -> None:
    expected = Spending("minutes", (1.0, 1.5, 3.0, 3.0 + 1 / 3), ((1.0, 7.0), (3.0, 6.9), (3.0 + 1 / 3, 6.9)))
    assert spending(TRIALS) == expected


def test_long_searches_count_in_hours() -> None:
    assert spending((replace(FINISHED, seconds=7200.0),)) == Spending("hours", (2.0,), ((2.0, 7.0), (2.0, 7.0)))


def test_areas_of_markers_grow_with_the_latent_size() -> None:
    assert marker_sizes([128, 32, 2]) == [30.0, 15.0, 8.0]


def test_scores_are_looked_at_from_the_best_to_the_worst_that_was_no_fault() -> None:
    low, high = score_window(TRIALS) or (0.0, 0.0)
    assert low < 6.9 and 7.6 < high < 8.0
    assert score_window((DIVERGED,)) is None


def test_rate_and_distortion_are_looked_at_where_the_finished_trials_lie() -> None:
    few = rate_distortion_window((FINISHED, PRUNED), ())
    assert few[0][0] < 100 and few[0][1] > 300, "with few finished trials all are shown"
    third = replace(FINISHED, number=4, rate_nats=80.0)
    linear = (PcaPoint(8, 60.0, -2600.0, 6.8), PcaPoint(128, 500.0, -4000.0, 6.2))
    rates, distortions = rate_distortion_window((*TRIALS, third), linear)
    assert rates[0] < 50 and 100 < rates[1] < 300
    assert distortions[0] < -2600 and distortions[1] < -1500, "with the linear model's course beneath them"


def test_colours_are_named_at_round_places_of_the_log_scale() -> None:
    scale = beta_scale([0.1, 1.0, 10.0])
    assert scale == BetaScale((-1.0, 0.0, 1.0), (-1.0, -0.5, 0.0, 0.5, 1.0), ("0.1", "0.32", "1", "3.2", "10"))
    assert beta_scale([1.0, 1.0]) == BetaScale((0.0, 0.0), (0.0,), ("1",))
    assert beta_scale([1e-6, 1e-2]).labels == ("1e-06", "1e-05", "0.0001", "0.001", "0.01")


def test_lines_of_equal_score_are_round_and_hold_what_the_score_says() -> None:
    lines = iso_scores([6.41, 6.78])
    assert [line.bpd for line in lines] == [6.4, 6.5, 6.6, 6.7, 6.8, 6.9]
    for line in lines:
        assert elbo.bits_per_dimension(line.nats - 100.0, 100.0) == pytest.approx(line.bpd)


def test_every_trial_is_a_marker_coloured_by_beta_and_sized_by_latent_dimension() -> None:
    linear = (PcaPoint(8, 60.0, -2600.0, 6.8), PcaPoint(128, 500.0, -4000.0, 6.2))
    figure = rate_distortion(TRIALS, linear, iso_scores([7.0, 6.9]))
    cloud = trace(figure, "trials")
    assert (list(cloud.x), list(cloud.y)) == ([100.0, 300.0, 50.0, 90.0], [-2000.0, -1500.0, -2100.0, 9000.0])
    assert list(cloud.marker.color) == [0.0, -1.0, 1.0, round(math.log10(3), 4)]
    assert list(cloud.marker.size) == marker_sizes([128, 32, 8, 64])
    assert list(cloud.marker.symbol) == ["circle", "x", "circle", "circle"]
    assert cloud.text[1] == "trial 1, pruned<br>val_bpd 7.6000<br>beta 0.1, latent_dim 32"
    line = trace(figure, "probabilistic PCA")
    assert (list(line.x), list(line.y)) == ([60.0, 500.0], [-2600.0, -4000.0])
    assert [list(one) for one in line.customdata] == [[8, 6.8], [128, 6.2]]
    assert figure.data[-1] is cloud, "above all lines"


def test_a_weight_of_zero_makes_the_scale_linear_and_is_labelled_zero() -> None:
    cloud = trace(rate_distortion((replace(FINISHED, beta=0.0), replace(FINISHED, beta=1.0)), (), ()), "trials")
    assert list(cloud.marker.color) == [0.0, 1.0]
    assert list(cloud.marker.colorbar.ticktext) == ["0", "0.25", "0.5", "0.75", "1"]


def test_learning_curves_have_gaps_between_trials_and_crosses_at_prunings() -> None:
    figure = learning_curves(TRIALS, BestTrial(2, 6.9))
    finished = trace(figure, "finished")
    assert list(finished.x) == [1.0, 2.0, None, 1.0, 2.0, None]
    assert list(finished.y) == [7.4, 7.0, None, 7.3, 6.9, None]
    assert list(finished.text) == ["trial 0"] * 3 + ["trial 2"] * 3
    assert list(trace(figure, "pruned").y) == [7.6, None]
    assert list(trace(figure, "ended by a fault").y) == [12.0, None]
    assert list(trace(figure, "best: trial 2").y) == [7.3, 6.9, None]
    stops = trace(figure, "stopped by the pruner")
    assert (list(stops.x), list(stops.y), stops.marker.symbol) == ([1.0], [7.6], "x")


def test_learning_curves_mark_the_trial_that_new_seeds_have_chosen() -> None:
    figure = learning_curves(TRIALS, BestTrial(0, 7.0, (7.1,)))
    assert list(trace(figure, "best by a new seed: trial 0").y) == [7.4, 7.0, None]


def test_scores_stand_where_the_compute_was_spent() -> None:
    figure = score_against_compute(TRIALS)
    assert figure.layout.xaxis.title.text == "minutes of training, all trials so far"
    assert (list(trace(figure, "finished").x), list(trace(figure, "finished").y)) == ([1.0, 3.0], [7.0, 6.9])
    assert (list(trace(figure, "pruned").x), list(trace(figure, "pruned").y)) == ([1.5], [7.6])
    steps = trace(figure, "best so far")
    assert (steps.line.shape, list(steps.y)) == ("hv", [7.0, 6.9, 6.9])


def test_figures_are_stored_without_plotlys_template_and_as_plain_numbers() -> None:
    for figure in (rate_distortion(TRIALS, (), ()), learning_curves(TRIALS, None), score_against_compute(TRIALS)):
        stored = figure.to_json()
        assert len(stored) < 5000
        assert "bdata" not in stored, "packed arrays, which an older plotly in the browser does not draw"


def test_figures_take_the_trials_that_are_over_and_made_a_report(place: TrialContext) -> None:
    list(run_trials(place, 2, None))
    place.study.ask()
    trials = plotted_trials(trial_rows(place.study, place.config))
    stored = place.study.trials[:2]
    assert [(t.number, t.kind, t.val_bpd) for t in trials] == [(t.number, "finished", t.value) for t in stored]
    assert [t.rate_nats for t in trials] == [t.user_attrs["val_rate_nats"] for t in stored]
    assert [t.curve for t in trials] == [
        tuple((float(step), value) for step, value in t.intermediate_values.items()) for t in stored
    ]


def test_the_linear_model_is_there_where_its_rate_is_known() -> None:
    curve = {2: RateDistortion(5.0, -10.0), 1: RateDistortion(3.0, -6.0)}
    linear = ppca_points(PpcaBaseline("", {d: one.bpd for d, one in curve.items()}, curve))
    assert linear == [PcaPoint(d, curve[d].rate_nats, curve[d].distortion_nats, curve[d].bpd) for d in (1, 2)]
    assert ppca_points(None) == []


def test_a_yardstick_without_rates_is_read_and_made_anew(paths: StudyPaths, data: ImageData) -> None:
    bpd = compute_ppca_baseline(paths, data, 4)
    contents = json.loads(paths.ppca_baseline.read_text())
    older = {name: contents[name] for name in ("digest", "validation_bpd")}
    paths.ppca_baseline.write_text(json.dumps(older))
    kept = load_ppca_baseline(paths)
    assert kept is not None and kept.bpd == pytest.approx(bpd, abs=1e-6) and kept.curve == {}
    compute_ppca_baseline(paths, data, 4)
    assert json.loads(paths.ppca_baseline.read_text()) == contents
    before = paths.ppca_baseline.stat().st_mtime_ns
    assert compute_ppca_baseline(paths, data, 3) == pytest.approx(bpd, abs=1e-6)
    assert paths.ppca_baseline.stat().st_mtime_ns == before, "what holds more than is asked for is left alone"


def figures_of(study: optuna.Study) -> dict[str, str]:
    """As the dashboard reads them."""
    figures: dict[str, str] = get_plotly_graph_objects(study._storage.get_study_system_attrs(study._study_id))
    return figures


def test_the_page_has_its_note_and_figures_however_often_it_is_written(place: TrialContext) -> None:
    refresh(place.study, place.config, place.paths)
    assert figures_of(place.study) == {} and "No trial has finished yet." in get_note(place.study)
    list(run_trials(place, 2, None))
    for _ in range(2):
        refresh(place.study, place.config, place.paths)
    figures = {name: json.loads(text) for name, text in figures_of(place.study).items()}
    assert figures.keys() == FIGURES
    assert len(figures["rate-distortion"]["data"][-1]["x"]) == 2
    best = place.study.best_trial
    assert f"- Best: trial {best.number}, val_bpd {best.value:.4f}" in get_note(place.study)


class FakeWorkers:
    """Workers whose events are given."""

    def __init__(self, events: Iterable[TrialEvent]) -> None:
        self._events = events

    def events(self) -> Generator[TrialEvent]:
        yield from self._events

    def stop(self) -> None:
        raise AssertionError("nobody asked to stop")


def run_session(place: TrialContext, events: Iterable[TrialEvent]) -> list[TrialEvent]:
    """Everything that a listener of the session hears."""
    heard: list[TrialEvent] = []
    session = TuningSession(place, {}, Budget(trials=3), deadline=None, n_workers=1, config_name="small")
    session.run(FakeWorkers(events), heard.append)
    return heard


def test_the_overview_is_refreshed_at_intervals_and_always_at_the_end(
    place: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, refreshed = iter([0.0, 1.0, 5.0, 30.0, 31.0]), list[str]()
    monkeypatch.setattr("hpo.dashboard.study_overview.time.monotonic", lambda: next(clock))
    monkeypatch.setattr("hpo.dashboard.study_overview.refresh", lambda *_: refreshed.append("now"))
    counts = []

    def ended() -> Iterator[TrialEvent]:
        for number in range(3):
            yield TrialEnded(number, TrialState.COMPLETE, "finished", 7.0)
            counts.append(len(refreshed))

    run_session(place, ended())
    assert counts == [1, 1, 2], "after the first trial, not yet after the second, after the third"
    assert len(refreshed) == 3, "and at the end"


def test_a_fault_of_ours_in_the_overview_does_not_end_the_search(
    place: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Iterator[None]:
        raise AssertionError("a bug")

    monkeypatch.setattr("hpo.dashboard.study_overview.refresh", broken)
    events = run_session(place, run_trials(place, 1, None))
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert len(notices) == 2 and all("could not be made (AssertionError: a bug)" in text for text in notices)
    assert "in broken" in place.paths.errors.read_text()
    assert place.study.trials[0].state == TrialState.COMPLETE


def test_a_retrained_model_replaces_an_earlier_one_on_the_study(place: TrialContext) -> None:
    best = place.paths.best
    best.folder.mkdir(parents=True)
    names = ("animation_gif", "animation_mp4", "reconstructions", "samples", "metrics_json", "metrics_csv", "page")
    for content in ("first", "second"):
        for name in names:
            getattr(best, name).write_text(f"{name} of the {content}")
        attach_run(place.study, place.paths, best)
    there = artifacts.artifact_files(place.study, place.study, place.paths)
    assert {name: path.read_text() for name, path in there.items()} == {
        getattr(best, name).name: f"{name} of the second" for name in names
    }
    assert len(list(place.paths.artifacts.iterdir())) == len(names)
    study_overview.refresh(place.study, CONFIG, place.paths)
    assert f"/artifacts/{place.study._study_id}/{there[best.animation_gif.name].name}" in get_note(place.study)
