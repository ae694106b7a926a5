"""A study with two objectives: trained to the end, without pruner and confirmation, and told by its Pareto front."""

import json
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import TrialState
from optuna_dashboard import get_note
from optuna_dashboard._custom_plot_data import get_plotly_graph_objects

from hpo.analysis.importances import find_importances
from hpo.analysis.results import findings, next_command
from hpo.analysis.trial_table import trial_rows
from hpo.config.schema import Objective, StudyConfig
from hpo.config.search_space import distributions
from hpo.dashboard.plotly_figures import pareto_front as interactive_front
from hpo.dashboard.server import listen
from hpo.dashboard.study_overview import refresh
from hpo.figures.study.pareto_front import draw_pareto_front
from hpo.figures.style import as_svg
from hpo.report.study_page import write_report
from hpo.report.study_page_data import read_study_page
from hpo.search.best_trial import best_trial_of
from hpo.search.configurations import configurations_of
from hpo.search.pareto import ParetoFront, ParetoTrial, objectives_notice, pareto_front_data, pareto_front_of
from hpo.search.samplers import ConfigurationSampler
from hpo.search.warm_start import find_warm_start
from hpo.storage.create_study import attach_sampler_and_pruner, create_study
from hpo.storage.database import StudyError, existing_study
from hpo.storage.fingerprint import check_unchanged, fingerprint
from hpo.storage.open_study import OpenStudy
from hpo.storage.paths import StudyPaths
from hpo.workers.trial_context import TrialContext
from hpo.workers.worker import run_trials
from model.data.images import ImageData
from model.device import Runtime
from model.training.training_loop import Diverged
from tests.storage.test_create_study import CONFIG
from tests.tools import synthetic
from tests.tools.fault_injection import STUDY, checkout, finish, load, make_images, paths_in
from tests.tools.html_pages import Page

N_TRIALS = 5
SECONDS: Objective = "seconds_per_epoch"
Begin = Callable[..., OpenStudy]


def two(second: Objective) -> StudyConfig:
    """As a file with a second objective is read: `model_construct` would leave out what follows from it."""
    small = CONFIG.model.model_copy(update={"channels": (4, 4, 8, 8)})
    parts = {name: getattr(CONFIG, name) for name in ("name", "hyperparameters", "training", "budget", "pruner")}
    return StudyConfig(**parts, model=small, objectives=("val_bpd", second))


def place_of(paths: StudyPaths, config: StudyConfig, data: ImageData, runtime: Runtime) -> TrialContext:
    study = existing_study("small", paths)
    if study is None:
        attributes = {"startup_trials": 2, "identity": fingerprint(config, data), "data": synthetic.FACTS["data"]}
        study = create_study(config, paths, synthetic.FACTS | attributes)
    attach_sampler_and_pruner(study, config)
    return TrialContext(config, paths, study, data, runtime)


@pytest.fixture
def paths(tmp_path: Path) -> StudyPaths:
    return StudyPaths(tmp_path / "results" / "small")


@pytest.fixture
def begin(tmp_path: Path) -> Begin:
    """Begins a study of two objectives, the second one latent_dim, in which no model is trained."""
    return lambda name="small", **more: synthetic.begin(
        tmp_path, name, {"objectives": ["val_bpd", "latent_dim"]} | more
    )


# The search


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("second", ["latent_dim", "seconds_per_epoch"])
def test_every_trial_comes_to_its_end_and_is_judged_by_both(
    paths: StudyPaths, data: ImageData, runtime: Runtime, second: Objective
) -> None:
    place = place_of(paths, two(second), data, runtime)
    list(run_trials(place, N_TRIALS, None))
    study = place.study
    assert study.metric_names == ["val_bpd", second]
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * N_TRIALS
    for trial in study.trials:
        attributes = trial.user_attrs
        known = {"latent_dim": trial.params["latent_dim"], SECONDS: attributes["elapsed_s"] / attributes["epoch"]}
        assert list(trial.intermediate_values) == [1, 2, 3]
        assert trial.values == [trial.intermediate_values[3], known[second]]
    best = best_trial_of(configurations_of(study))
    assert best is not None and best.val_bpd == min(trial.values[0] for trial in study.trials)


@pytest.mark.usefixtures("undrawn")
def test_an_interrupted_search_ends_as_if_never_interrupted(tmp_path: Path, data: ImageData, runtime: Runtime) -> None:
    def outcome(folder: Path, stops: tuple[int, ...]) -> list[tuple[object, ...]]:
        paths = StudyPaths(folder / "small")
        for stop in (*stops, None):
            place = place_of(paths, two("latent_dim"), data, runtime)
            for index, _ in enumerate(run_trials(place, N_TRIALS, None), start=1):
                if index == stop:
                    break
        return [(t.number, t.state, t.params, t.values, t.intermediate_values) for t in place.study.trials]

    whole = outcome(tmp_path / "whole", ())
    assert len(whole) == N_TRIALS
    assert outcome(tmp_path / "cut", (1, 2, 1, 6)) == whole


@pytest.mark.usefixtures("undrawn")
def test_a_diverged_trial_is_ranked_last_and_stands_on_no_front(
    paths: StudyPaths, data: ImageData, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_of(paths, two("latent_dim"), data, runtime)
    list(run_trials(place, 1, None))
    with monkeypatch.context() as patch:
        patch.setattr("hpo.workers.objective.train", diverging)
        list(run_trials(place, 2, None))
    list(run_trials(place, N_TRIALS, None))
    diverged, *others = sorted(place.study.trials, key=lambda trial: trial.state == TrialState.COMPLETE)
    assert (diverged.number, diverged.state, diverged.values) == (1, TrialState.PRUNED, None)
    assert diverged.constraints == {"finite": 1.0} and {t.constraints["finite"] for t in others} == {0.0}
    found = pareto_front_of(
        ((row.number, row.objectives) for row in trial_rows(place.study, place.config)), place.config
    )
    assert found is not None
    assert {one.number for one in found.front} == {trial.number for trial in place.study.best_trials}


def diverging(*_: object) -> None:
    raise Diverged("half of the updates were not finite")


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random"])
def test_every_sampler_takes_two_objectives_and_what_other_programs_left(begin: Begin, sampler: str) -> None:
    at_hand = begin()
    synthetic.search(at_hand, 6, pictures=False)
    space = distributions(at_hand.config.hyperparameters)
    trial = at_hand.study.ask(space)
    trial.storage.set_trial_intermediate_value(trial._trial_id, 1, 7.0)
    at_hand.study.tell(trial, state=TrialState.PRUNED)
    at_hand.study.sampler = ConfigurationSampler(sampler, space, 0, n_startup_trials=2, n_reports=3)
    assert at_hand.study.ask(space).params.keys() == space.keys()


def test_a_search_for_small_codes_finds_smaller_ones_than_one_for_the_score_alone() -> None:
    """Of a score that falls with the size: by it alone only large ones are good."""
    space: dict[str, BaseDistribution] = {"latent_dim": IntDistribution(8, 512, log=True)}

    def sizes(n_objectives: int) -> list[int]:
        directions = [StudyDirection.MINIMIZE] * n_objectives
        study = optuna.create_study(directions=directions, sampler=ConfigurationSampler("tpe", space, 0, 10, 3))
        for _ in range(40):
            trial = study.ask(space)
            size = trial.params["latent_dim"]
            study.tell(trial, [8 - float(np.log(size)), float(size)][:n_objectives])
        return [trial.params["latent_dim"] for trial in study.trials[10:]]

    assert np.median(sizes(2)) < 0.5 * np.median(sizes(1))


# The front


def point(number: int, val_bpd: float, second: float) -> ParetoTrial:
    return ParetoTrial(number, val_bpd, second)


def test_the_front_is_what_no_other_trial_matches_in_both_and_beats_in_one() -> None:
    trials = [point(0, 7.0, 8), point(1, 6.5, 64), point(2, 6.8, 64), point(3, 6.4, 128), point(4, 7.0, 16)]
    found = pareto_front_data("latent_dim", [*trials, point(5, 6.5, 64)])
    assert [one.number for one in found.front] == [3, 1, 5, 0], "equal ones are both on it"
    assert [one.number for one in found.beaten] == [2, 4]


def test_the_front_is_the_one_that_optuna_finds() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        study = optuna.create_study(directions=["minimize", "minimize"])
        values = rng.integers(0, 8, (25, 2)).astype(float).tolist()
        study.add_trials([optuna.trial.create_trial(values=pair) for pair in values])
        found = pareto_front_data("latent_dim", [point(number, *pair) for number, pair in enumerate(values)])
        assert sorted(one.number for one in found.front) == [trial.number for trial in study.best_trials]
        assert len(found.front) + len(found.beaten) == len(values)


def test_both_figures_show_the_front_as_a_line_and_the_rest_apart() -> None:
    data = ParetoFront("latent_dim", (point(3, 6.4, 128), point(0, 7.0, 8)), (point(2, 6.8, 130),))
    figure = draw_pareto_front(data)
    (axes,) = figure.axes
    assert figure.get_suptitle() == "2 of 3 finished trials lie on the Pareto front"
    line = next(line for line in axes.get_lines() if len(line.get_xdata()) == 2)  # type: ignore[arg-type]
    assert (list(line.get_xdata()), list(line.get_ydata())) == ([8, 128], [7.0, 6.4])  # type: ignore[arg-type]
    assert {text.get_text() for text in axes.texts} == {"0", "3"}
    assert axes.get_xlabel() == "latent dimension"
    beaten, front = interactive_front(data, ()).data
    assert (list(front.x), list(front.y), front.line.shape) == ([8, 128], [7.0, 6.4], "hv")
    assert list(beaten.x) == [130] and "trial 2" in beaten.text[0]


@pytest.mark.parametrize(
    "data",
    [
        ParetoFront("latent_dim", (point(3, 6.4, 8),), ()),
        ParetoFront("seconds_per_epoch", (point(3, 6.4, 1.25), point(4, 6.5, 1.2)), (point(2, 60.8, 1.4),)),
        ParetoFront("latent_dim", tuple(point(n, 7 - n / 100, 8 + n) for n in reversed(range(30))), ()),
    ],
)
def test_the_front_is_drawn_of_one_trial_as_of_many(data: ParetoFront) -> None:
    assert as_svg(draw_pareto_front(data)) == as_svg(draw_pareto_front(data))
    assert len(interactive_front(data, ()).to_json()) < 5000


# What is told


def compromised(begin: Begin) -> OpenStudy:
    """Four trials, the second and third on the front: (6.5, 64) and (6.9, 16)."""
    at_hand = begin()
    for score, size in ((6.8, 128), (6.5, 64), (6.9, 16), (6.95, 20)):
        synthetic.add(at_hand, 7.5, 7.4, 7.3, 7.2, 7.1, score, values={"latent_dim": size})
    return at_hand


def test_the_summary_names_the_lowest_score_as_such_and_the_front(begin: Begin) -> None:
    at_hand = compromised(begin)
    told = findings(at_hand.study, at_hand.config, {})
    assert told[0].startswith("Best by val_bpd: trial 1, val_bpd 6.5000")
    assert "On the Pareto front of val_bpd and latent_dim: trial 1 (6.5000, 64), trial 2 (6.9000, 16)" in told
    assert "of lowest val_bpd; TRIAL=N for another of the front" in next_command(at_hand.study, at_hand.config, "small")


def test_the_page_shows_and_lists_the_front_and_says_why_nothing_is_pruned(begin: Begin) -> None:
    at_hand = compromised(begin)
    write_report(at_hand)
    page = Page(at_hand.paths.report.read_text(encoding="utf-8"))
    assert "front" in [section["id"] for section in page.all("section")]
    assert "the best by val_bpd alone, one of 2 on the Pareto front" in page.text
    assert str(objectives_notice(at_hand.config)) in page.text
    assert "Pruning is off in this study: every trial is trained to its end. Pruning compares val_bpd alone" in page.text
    assert page.text.count("on the front") >= 2
    assert "Trialval_bpdlatent dimension 16.500064 26.900016" in page.text
    links = {link["href"] for link in page.all("a") if link["href"].startswith("#")}
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {link[1:] for link in links} <= ids


def test_a_page_of_one_objective_or_without_a_finished_trial_has_no_front(begin: Begin, tmp_path: Path) -> None:
    empty, single = begin(), synthetic.begin(tmp_path, "single")
    synthetic.add(empty, 7.0, end="diverged: half of the updates were not finite")
    synthetic.add(single, 7.0, 6.9)
    for at_hand in (empty, single):
        write_report(at_hand)
        page = Page(at_hand.paths.report.read_text(encoding="utf-8"))
        assert "front" not in [section["id"] for section in page.all("section")]
    assert objectives_notice(single.config) is None


def test_importances_are_those_of_the_score(begin: Begin, tmp_path: Path) -> None:
    found = []
    for at_hand in (begin("two"), synthetic.begin(tmp_path, "one")):
        synthetic.search(at_hand, 30, pictures=False)
        n_finished = sum(row.kind == "finished" for row in trial_rows(at_hand.study, at_hand.config))
        found.append(find_importances(at_hand.study, n_finished))
    assert found[0] is not None and found[0] == found[1]


def test_a_search_judged_by_seconds_is_not_said_to_repeat_itself(begin: Begin) -> None:
    by_size, by_time = begin("size"), begin("time", objectives=["val_bpd", "seconds_per_epoch"])
    repeatable = [read_study_page(at_hand).recipe.is_repeatable for at_hand in (by_size, by_time)]
    assert repeatable == [True, False]


def test_the_dashboard_opens_it_with_both_objectives_note_and_front(begin: Begin) -> None:
    at_hand = compromised(begin)
    study = at_hand.study
    refresh(study, at_hand.config, at_hand.paths)
    assert f"### The objectives\n\n{objectives_notice(at_hand.config)}" in get_note(study)
    assert "On the Pareto front of val_bpd and latent_dim: trial 1" in get_note(study)
    figures = get_plotly_graph_objects(study._storage.get_study_system_attrs(study._study_id))
    assert [trace["name"] for trace in json.loads(figures["pareto-front"])["data"]] == [
        "beaten by a trial of the front",
        "on the front",
    ]
    server = listen(at_hand.paths, "127.0.0.1", 0)
    threading.Thread(target=server.handle_request, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/api/studies/{study._study_id}?after=0"
    with server, urllib.request.urlopen(address) as answer:
        told = json.load(answer)
    assert told["directions"] == ["minimize", "minimize"]
    assert told["objective_names"] == ["val_bpd", "latent_dim"]
    assert [trial["trial_id"] for trial in told["best_trials"]] == [trial._trial_id for trial in study.trials[1:3]]


# Beside other studies


def test_an_older_study_has_one_objective(begin: Begin) -> None:
    at_hand = begin()
    now = at_hand.study.user_attrs["identity"]
    at_hand.study.set_user_attr("identity", {key: value for key, value in now.items() if key != "objectives"})
    with pytest.raises(StudyError, match=r'objectives was \["val_bpd"\], is now \["val_bpd", "latent_dim"\]'):
        check_unchanged(at_hand.study, now, at_hand.paths)
    check_unchanged(at_hand.study, now | {"objectives": '["val_bpd"]'}, at_hand.paths)


def test_values_are_given_either_way_and_trials_where_the_objectives_are_the_same(begin: Begin, tmp_path: Path) -> None:
    ones, twos = synthetic.begin(tmp_path, "ones"), begin("twos")
    for at_hand in (ones, twos):
        synthetic.search(at_hand, 8, pictures=False)
    for giver in (ones, twos):
        for taker in (ones, twos):
            found = find_warm_start(taker.config, giver.study, giver.config, is_comparable=giver is taker)
            assert len(found.best) == 3
            known = found.trials(distributions(taker.config.hyperparameters))
            assert len(known) == (8 if giver is taker else 0)
            sampler = ConfigurationSampler("tpe", distributions(taker.config.hyperparameters), 0, 2, 3, known)
            study = optuna.create_study(directions=taker.study.directions, sampler=sampler)
            assert study.ask(distributions(taker.config.hyperparameters)).params


# The whole, as a user runs it

TWO = STUDY.replace("latent_dim: 4", "latent_dim: {choices: [2, 4, 8]}") + "objectives: [val_bpd, latent_dim]\n"


@pytest.mark.slow
def test_it_is_tuned_resumed_reported_exported_and_its_lowest_score_retrained(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    folder = checkout(tmp_path / "checkout", make_images(images), TWO)
    first = finish(folder, "tune", "small", "--trials", "2")
    assert "none of which is pruned" in first and "Pruning and confirmation are off" in first
    assert first.index("Pruning and confirmation") < first.index("trial 0")
    second = finish(folder, "tune", "small", "--workers", "2")
    study = load(folder)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 4
    lowest = min(study.trials, key=lambda trial: trial.values[0])
    assert f"Best by val_bpd: trial {lowest.number}, val_bpd {lowest.values[0]:.4f}" in second
    assert f"best by val_bpd: trial {lowest.number}," in finish(folder, "status", "small")
    assert f"Retraining trial {lowest.number}, of lowest val_bpd, for 3 epochs" in finish(folder, "retrain", "small")
    metrics = json.loads(paths_in(folder).best.metrics_json.read_text())
    assert (metrics["trial"], metrics["trial_val_bpd"]) == (lowest.number, lowest.values[0])
    assert 'id="front"' in paths_in(folder).report.read_text()
    finish(folder, "export", "small")
    trials = pd.read_csv(paths_in(folder).export.trials_csv)
    assert [list(pair) for pair in zip(trials["val_bpd"], trials["latent_dim"], strict=True)] == [
        trial.values for trial in study.trials
    ]
