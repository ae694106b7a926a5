"""Pareto front of two objectives, and samplers that search for it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import TrialState

from hpo.analysis.importances import find_importances
from hpo.analysis.trial_table import trial_rows
from hpo.config.hyperparameters import Hyperparameters, Range
from hpo.config.schema import Budget, Objective, StudyConfig
from hpo.config.search_space import distributions
from hpo.dashboard.interactive_figures.pareto_front import draw_interactive_pareto_front
from hpo.figures.study.pareto_front import draw_pareto_front
from hpo.figures.style import as_svg
from hpo.search.pareto import ParetoFront, ParetoTrial, objectives_notice, pareto_front_data, pareto_front_of
from hpo.search.samplers import ConfigurationSampler
from hpo.search.warm_start import find_warm_start
from hpo.storage.open_study import OpenStudy
from tests.tools import synthetic

Begin = Callable[[str], OpenStudy]


@pytest.fixture
def begin(tmp_path: Path) -> Begin:
    """Create a synthetic study with two objectives."""
    return lambda name: synthetic.create(tmp_path, name, {"objectives": ["val_bpd", "latent_dim"]})


def numbers(trials: tuple[ParetoTrial, ...]) -> list[int]:
    return [trial.number for trial in trials]


# The front


def test_a_trial_is_on_the_front_unless_another_one_is_better_in_one_objective_and_no_worse_in_the_other() -> None:
    values = [(7.0, 8), (6.5, 64), (6.8, 64), (6.4, 128), (7.0, 16), (6.5, 64)]
    front = pareto_front_data("latent_dim", [ParetoTrial(number, *pair) for number, pair in enumerate(values)])
    assert numbers(front.front) == [3, 1, 5, 0], "trials of equal values are both on it"
    assert numbers(front.dominated) == [2, 4]


def test_the_front_is_the_one_that_optuna_finds() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        study = optuna.create_study(directions=["minimize", "minimize"])
        values = rng.integers(0, 8, (25, 2)).astype(float).tolist()
        study.add_trials([optuna.trial.create_trial(values=pair) for pair in values])
        front = pareto_front_data("latent_dim", [ParetoTrial(number, *pair) for number, pair in enumerate(values)])
        assert sorted(numbers(front.front)) == [trial.number for trial in study.best_trials]
        assert len(front.front) + len(front.dominated) == len(values)


def config_of(*objectives: Objective) -> StudyConfig:
    space = Hyperparameters(latent_dim=Range[int](low=8, high=64))
    return StudyConfig(name="small", hyperparameters=space, objectives=objectives, budget=Budget(trials=1))


def test_the_front_of_a_study_is_that_of_its_trials_that_have_both_values() -> None:
    one, two = config_of("val_bpd"), config_of("val_bpd", "latent_dim")
    finished: list[tuple[int, list[float]]] = [(0, [6.5, 16.0]), (1, []), (2, [6.4, 8.0])]
    assert pareto_front_of(finished, two) == ParetoFront(
        "latent_dim", (ParetoTrial(2, 6.4, 8.0),), (ParetoTrial(0, 6.5, 16.0),)
    )
    assert pareto_front_of(finished[1:2], two) is None
    assert pareto_front_of([(0, [6.5])], one) is None


def test_a_user_of_two_objectives_reads_what_is_off() -> None:
    assert objectives_notice(config_of("val_bpd")) is None
    assert objectives_notice(config_of("val_bpd", "latent_dim")) == (
        "Two objectives, val_bpd and latent_dim, both minimised: the search finds a Pareto front. Pruning and "
        "confirmation are off: both compare val_bpd alone, and a trial that is bad by val_bpd may still be on the "
        "front."
    )


def test_both_figures_show_the_front_as_a_line_and_the_other_trials_apart() -> None:
    front = ParetoFront("latent_dim", (ParetoTrial(3, 6.4, 128), ParetoTrial(0, 7.0, 8)), (ParetoTrial(2, 6.8, 130),))
    figure = draw_pareto_front(front)
    (axes,) = figure.axes
    assert figure.get_suptitle() == "2 of 3 finished trials lie on the Pareto front"
    line = next(line for line in axes.get_lines() if len(line.get_xdata()) == 2)  # type: ignore[arg-type]
    assert (list(line.get_xdata()), list(line.get_ydata())) == ([8, 128], [7.0, 6.4])  # type: ignore[arg-type]
    assert {text.get_text() for text in axes.texts} == {"0", "3"}
    assert axes.get_xlabel() == "latent dimension"
    dominated, best = draw_interactive_pareto_front(front, ()).data
    assert (list(best.x), list(best.y), best.line.shape) == ([8, 128], [7.0, 6.4], "hv")
    assert list(dominated.x) == [130] and "trial 2" in dominated.text[0]


@pytest.mark.parametrize(
    "front",
    [
        ParetoFront("latent_dim", (ParetoTrial(3, 6.4, 8),), ()),
        ParetoFront(
            "seconds_per_epoch", (ParetoTrial(3, 6.4, 1.25), ParetoTrial(4, 6.5, 1.2)), (ParetoTrial(2, 60.8, 1.4),)
        ),
        ParetoFront("latent_dim", tuple(ParetoTrial(n, 7 - n / 100, 8 + n) for n in reversed(range(30))), ()),
    ],
    ids=["one trial", "an outlier", "many trials"],
)
def test_any_front_is_drawn_repeatably_and_small(front: ParetoFront) -> None:
    assert as_svg(draw_pareto_front(front)) == as_svg(draw_pareto_front(front))
    assert len(draw_interactive_pareto_front(front, ()).to_json()) < 5000


# Samplers, importances and warm starts


def test_every_sampler_accepts_two_objectives_and_pruned_trials_of_other_programs(begin: Begin) -> None:
    opened = begin("two")
    synthetic.add_search(opened, 4, pictures=False)
    space = distributions(opened.config.hyperparameters)
    trial = opened.study.ask(space)
    trial.storage.set_trial_intermediate_value(trial._trial_id, 1, 7.0)
    opened.study.tell(trial, state=TrialState.PRUNED)
    for name in ("tpe", "gp", "random"):
        opened.study.sampler = ConfigurationSampler(name, space, 0, n_startup_trials=2, n_reports=3)
        assert opened.study.ask(space).params.keys() == space.keys()


def test_a_search_with_a_second_objective_finds_smaller_codes_than_one_for_the_score_alone() -> None:
    space: dict[str, BaseDistribution] = {"latent_dim": IntDistribution(8, 512, log=True)}

    def sizes(n_objectives: int) -> list[int]:
        directions = [StudyDirection.MINIMIZE] * n_objectives
        study = optuna.create_study(directions=directions, sampler=ConfigurationSampler("tpe", space, 0, 10, 3))
        for _ in range(40):
            trial = study.ask(space)
            size = trial.params["latent_dim"]
            # The score falls with the size: by it alone, only large codes are good.
            study.tell(trial, [8 - float(np.log(size)), float(size)][:n_objectives])
        return [trial.params["latent_dim"] for trial in study.trials[10:]]

    assert np.median(sizes(2)) < 0.5 * np.median(sizes(1))


def test_importances_are_those_of_the_score(begin: Begin, tmp_path: Path) -> None:
    importances = []
    for opened in (begin("two"), synthetic.create(tmp_path, "one")):
        synthetic.add_search(opened, 20, pictures=False)
        n_finished = sum(row.kind == "finished" for row in trial_rows(opened.study, opened.config))
        importances.append(find_importances(opened.study, n_finished))
    assert importances[0] is not None and importances[0] == importances[1]


def test_a_warm_start_takes_values_from_any_study_and_trials_from_one_with_the_same_objectives(
    begin: Begin, tmp_path: Path
) -> None:
    studies = (synthetic.create(tmp_path, "one"), begin("two"))
    for opened in studies:
        synthetic.add_search(opened, 8, pictures=False)
    for source in studies:
        for target in studies:
            warm_start = find_warm_start(target.config, source.study, source.config, is_comparable=source is target)
            assert len(warm_start.best) == 3
            space = distributions(target.config.hyperparameters)
            trials = warm_start.trials(space)
            assert len(trials) == (8 if source is target else 0)
            sampler = ConfigurationSampler("tpe", space, 0, 2, 3, trials)
            study = optuna.create_study(directions=target.study.directions, sampler=sampler)
            assert study.ask(space).params
