"""Studies with two objectives: every trial is trained to the end; texts, page and dashboard show the Pareto front."""

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from optuna.trial import TrialState
from optuna_dashboard import get_note
from optuna_dashboard._custom_plot_data import get_plotly_graph_objects

from hpo.analysis.findings import findings, next_command
from hpo.analysis.ppca_baseline import NO_BASELINE
from hpo.analysis.trial_table import trial_rows
from hpo.config.schema import Objective, StudyConfig
from hpo.dashboard.server import listen
from hpo.dashboard.study_overview import refresh
from hpo.report.embedded_pictures import Picture
from hpo.report.study_page import PAGE_BYTES, render
from hpo.report.study_page_data import read_study_page
from hpo.report.study_page_figures import FIGURES
from hpo.report.trial_gallery import trial_cards
from hpo.search.best_trial import best_trial_of
from hpo.search.configurations import configurations_of
from hpo.search.pareto import objectives_notice, pareto_front_of
from hpo.storage.backend import existing_study
from hpo.storage.create_study import attach_sampler_and_pruner, create_study
from hpo.storage.database import StudyError
from hpo.storage.fingerprint import check_unchanged, fingerprint
from hpo.storage.open_study import OpenStudy
from hpo.storage.paths import StudyPaths
from hpo.workers.trial_context import TrialContext
from hpo.workers.worker import run_trials
from model.data.images import ImageData
from model.device import Runtime
from model.training.training_loop import Diverged
from tests.tools import synthetic
from tests.tools.html_pages import Page
from tests.tools.small_study import CONFIG

N_TRIALS = 5
SECONDS: Objective = "seconds_per_epoch"
Begin = Callable[..., OpenStudy]
Open = Callable[[str, Objective], TrialContext]


def config_of(second: Objective) -> StudyConfig:
    """Return CONFIG with a second objective as read from a file: `model_construct` would leave out what follows."""
    names = ("name", "hyperparameters", "training", "budget", "pruner", "model")
    return StudyConfig(**{name: getattr(CONFIG, name) for name in names}, objectives=("val_bpd", second))


@pytest.fixture(scope="module")
def open_context(tmp_path_factory: pytest.TempPathFactory, few_images: ImageData, runtime: Runtime) -> Iterator[Open]:
    """Open the study in a folder of this name, or create it; its trials draw no pictures."""
    root = tmp_path_factory.mktemp("studies")

    def open_context(folder: str, second: Objective) -> TrialContext:
        config, paths = config_of(second), StudyPaths(root / folder / "small")
        study = existing_study("small", paths)
        if study is None:
            identity = fingerprint(config, few_images)
            attributes = {"startup_trials": 2, "identity": identity, "data": synthetic.ATTRIBUTES["data"]}
            study = create_study(config, paths, synthetic.ATTRIBUTES | attributes)
        attach_sampler_and_pruner(study, config, 1)
        return TrialContext(config, paths, study, few_images, runtime)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hpo.workers.pictures.trial_pictures.draw_trial", lambda *_: [])
        yield open_context


@pytest.fixture(scope="module")
def searched(open_context: Open) -> TrialContext:
    """A whole search for val_bpd and latent_dim."""
    context = open_context("whole", "latent_dim")
    list(run_trials(context, N_TRIALS, None))
    return context


@pytest.fixture
def begin(tmp_path: Path) -> Begin:
    """Create a synthetic study with two objectives, by default val_bpd and latent_dim."""
    return lambda name="small", **more: synthetic.create(
        tmp_path, name, {"objectives": ["val_bpd", "latent_dim"]} | more
    )


# Training


def assert_trained_to_the_end(context: TrialContext, second: Objective) -> None:
    study = context.study
    assert study.metric_names == ["val_bpd", second]
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE}
    for trial in study.trials:
        attributes = trial.user_attrs
        values = {"latent_dim": trial.params["latent_dim"], SECONDS: attributes["elapsed_s"] / attributes["epoch"]}
        assert list(trial.intermediate_values) == [1, 2, 3]
        assert trial.values == [trial.intermediate_values[3], values[second]]
    best = best_trial_of(configurations_of(study))
    assert best is not None and best.val_bpd == min(trial.values[0] for trial in study.trials)


def test_every_trial_is_trained_to_the_end_and_judged_by_both_objectives(
    searched: TrialContext, open_context: Open
) -> None:
    assert len(searched.study.trials) == N_TRIALS
    assert_trained_to_the_end(searched, "latent_dim")
    timed = open_context("timed", SECONDS)
    list(run_trials(timed, 2, None))
    assert_trained_to_the_end(timed, SECONDS)


def test_an_interrupted_search_ends_like_one_that_was_not(searched: TrialContext, open_context: Open) -> None:
    def results_of(context: TrialContext) -> list[tuple[object, ...]]:
        return [(t.number, t.state, t.params, t.values, t.intermediate_values) for t in context.study.trials]

    for n_events in (1, 2, 1, 6, None):
        context = open_context("interrupted", "latent_dim")
        events = run_trials(context, N_TRIALS, None)
        for index, _ in enumerate(events, start=1):
            if index == n_events:
                break
        events.close()
    assert results_of(context) == results_of(searched)


def test_a_diverged_trial_is_infeasible_and_on_no_front(open_context: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverge(*_: object) -> None:
        raise Diverged("half of the updates were not finite")

    context = open_context("diverged", "latent_dim")
    list(run_trials(context, 1, None))
    with monkeypatch.context() as patch:
        patch.setattr("hpo.workers.objective.train", diverge)
        list(run_trials(context, 2, None))
    list(run_trials(context, 4, None))
    diverged, *others = sorted(context.study.trials, key=lambda trial: trial.state == TrialState.COMPLETE)
    assert (diverged.number, diverged.state, diverged.values) == (1, TrialState.PRUNED, None)
    assert diverged.constraints == {"finite": 1.0}
    assert {trial.constraints["finite"] for trial in others} == {0.0}
    rows = trial_rows(context.study, context.config)
    front = pareto_front_of(((row.number, row.objectives) for row in rows), context.config)
    assert front is not None
    assert {trial.number for trial in front.front} == {trial.number for trial in context.study.best_trials}


# Texts, page and dashboard


@pytest.fixture
def four_trials(begin: Begin) -> OpenStudy:
    """Four trials, the second and third of which are on the front: (6.5, 64) and (6.9, 16)."""
    opened = begin()
    for score, size in ((6.8, 128), (6.5, 64), (6.9, 16), (6.95, 20)):
        synthetic.add_trial(opened, 7.5, 7.4, 7.3, 7.2, 7.1, score, values={"latent_dim": size})
    return opened


def page_of(opened: OpenStudy) -> Page:
    """Render a study's page; empty pictures stand for the learning curves and, if there is one, for the front."""
    page, picture = read_study_page(opened), Picture("data:,", 10, 10)
    figures = dict.fromkeys(FIGURES) | {"learning_curves": picture, "pareto": picture if page.pareto_front else None}
    return Page(render(page, figures, trial_cards(page.rows, opened, PAGE_BYTES), opened.paths))


def test_the_results_name_the_trial_of_lowest_score_as_such_and_the_front(four_trials: OpenStudy) -> None:
    study, config = four_trials.study, four_trials.config
    lines = findings(study, config, NO_BASELINE, four_trials.paths)
    assert lines[0].startswith("Best by val_bpd: trial 1, val_bpd 6.5000")
    assert "On the Pareto front of val_bpd and latent_dim: trial 1 (6.5000, 64), trial 2 (6.9000, 16)" in lines
    other = "of lowest val_bpd; another of the front: make best-retrain STUDY=small TRIAL=N"
    assert other in next_command(study, config, "small")


def test_the_page_shows_and_lists_the_front_and_explains_why_nothing_is_pruned(four_trials: OpenStudy) -> None:
    page = page_of(four_trials)
    assert "front" in [section["id"] for section in page.all("section")]
    assert "the best by val_bpd alone, one of 2 on the Pareto front" in page.text
    assert str(objectives_notice(four_trials.config)) in page.text
    reason = "Pruning is off in this study: every trial is trained to its end. Pruning compares val_bpd alone"
    assert reason in page.text
    assert page.text.count("on the front") >= 2
    assert "Trialval_bpdlatent dimension 16.500064 26.900016" in page.text
    links = {link["href"] for link in page.all("a") if link["href"].startswith("#")}
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {link[1:] for link in links} <= ids


def test_the_page_of_one_objective_or_without_a_finished_trial_has_no_front(begin: Begin, tmp_path: Path) -> None:
    empty, single = begin(), synthetic.create(tmp_path, "single")
    synthetic.add_trial(empty, 7.0, end="diverged: half of the updates were not finite")
    synthetic.add_trial(single, 7.0, 6.9)
    for opened in (empty, single):
        assert "front" not in [section["id"] for section in page_of(opened).all("section")]
    assert objectives_notice(single.config) is None


def test_a_search_for_seconds_per_epoch_is_not_called_repeatable(begin: Begin) -> None:
    by_size, by_time = begin("size"), begin("time", objectives=["val_bpd", SECONDS])
    assert [read_study_page(opened).recipe.is_repeatable for opened in (by_size, by_time)] == [True, False]


def test_the_dashboard_shows_both_objectives_the_notice_and_the_front(four_trials: OpenStudy) -> None:
    study = four_trials.study
    refresh(study, four_trials.config, four_trials.paths)
    assert f"### The objectives\n\n{objectives_notice(four_trials.config)}" in get_note(study)
    assert "On the Pareto front of val_bpd and latent_dim: trial 1" in get_note(study)
    figures = get_plotly_graph_objects(study._storage.get_study_system_attrs(study._study_id))
    traces = json.loads(figures["pareto-front"])["data"]
    assert [trace["name"] for trace in traces] == ["dominated by a trial of the front", "on the front"]
    server = listen(four_trials.paths, "127.0.0.1", 0)
    threading.Thread(target=server.handle_request, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/api/studies/{study._study_id}?after=0"
    with server, urllib.request.urlopen(address) as response:
        shown = json.load(response)
    assert shown["directions"] == ["minimize", "minimize"]
    assert shown["objective_names"] == ["val_bpd", "latent_dim"]
    assert [trial["trial_id"] for trial in shown["best_trials"]] == [trial._trial_id for trial in study.trials[1:3]]


def test_a_study_of_an_older_version_has_one_objective(begin: Begin) -> None:
    opened = begin()
    now = opened.study.user_attrs["identity"]
    opened.study.set_user_attr("identity", {key: value for key, value in now.items() if key != "objectives"})
    with pytest.raises(StudyError, match=r'objectives was \["val_bpd"\], is now \["val_bpd", "latent_dim"\]'):
        check_unchanged(opened.study, now, opened.paths)
    check_unchanged(opened.study, now | {"objectives": '["val_bpd"]'}, opened.paths)
