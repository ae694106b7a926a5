"""Sampler `curves`: predicted final scores and proposed values, on learning curves of known structure."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from scipy.stats import qmc, spearmanr

from benchmarks.search.table import N_EPOCHS
from hpo.config.hyperparameters import Hyperparameters, Range
from hpo.config.schema import Budget, Pruner, Sampler, StudyConfig, Training
from hpo.config.search_space import distributions
from hpo.optunahub.samplers.learning_curves.configurations import as_single_trial
from hpo.optunahub.samplers.learning_curves.learning_curve_gp import LearningCurveGP
from hpo.optunahub.samplers.learning_curves.learning_curve_model import N_SPREAD, LearningCurveModel
from hpo.optunahub.samplers.learning_curves.search_space_transform import SearchSpaceTransform, Values
from hpo.search.configurations import CONSTRAINT, Configuration, group_trials
from hpo.search.pruners import HalvingPruner
from hpo.search.samplers import ConfigurationSampler
from hpo.search.warm_start import WarmStart, _to_plain_values
from tests.search.trial_lists import SPACE as LIST_SPACE
from tests.search.trial_lists import Description, make_configurations
from tests.tools.synthetic_curves import SPACE, true_curve
from tests.tools.synthetic_curves import configurations as sobol_values

STATES = {
    "finished": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "diverged": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}
CUBE = SearchSpaceTransform(SPACE)


def make_trial(
    number: int, values: Mapping[str, Any], scores: Sequence[float], end: str, space: Any = SPACE
) -> FrozenTrial:
    trial = create_trial(
        state=STATES.get(end, TrialState.RUNNING),
        value=scores[-1] if end == "finished" else None,
        params=dict(values),
        distributions=space,
        intermediate_values=dict(enumerate(scores, start=1)),
        user_attrs={"end": end},
        constraints={CONSTRAINT: float(end in ("diverged", "failed"))},
    )
    trial.number = number
    return trial


def propose(sampler: LearningCurveModel, configurations: Sequence[Configuration], number: int) -> Values:
    values = sampler.propose(configurations, number)
    assert values is not None
    return values


def make_configuration(number: int, values: Mapping[str, Any], scores: Sequence[float], end: str) -> Configuration:
    return Configuration([make_trial(number, values, scores, end)])


@cache
def paused(n: int, n_epochs: int, n_finished: int) -> tuple[Configuration, ...]:
    """Return configurations of known curves: the first `n_finished` finished, the others paused after `n_epochs`."""
    return tuple(
        make_configuration(number, values, list(true_curve(values)), "finished")
        if number < n_finished
        else make_configuration(number, values, list(true_curve(values)[:n_epochs]), "pruned")
        for number, values in enumerate(sobol_values(n))
    )


def make_sampler(space: Any = SPACE, seed: int = 0, n_steps: int = N_EPOCHS) -> LearningCurveModel:
    return LearningCurveModel(space, n_steps, n_startup=10, seed=seed, gap=0.3)


def distance(values: dict[str, Any], other: dict[str, Any]) -> float:
    """Largest distance of two configurations in a dimension of the unit cube."""
    return float(np.abs(CUBE.features(values) - CUBE.features(other)).max())


# Predictions


def test_a_few_finished_curves_suffice_to_predict_where_the_paused_ones_would_end() -> None:
    configurations = paused(24, n_epochs=2, n_finished=4)
    predicted = make_sampler().predict_final_scores(configurations)
    true = {configuration.number: true_curve(configuration.params)[-1] for configuration in configurations}
    for configuration in configurations[:4]:
        assert predicted[configuration.number] == pytest.approx(configuration.value, abs=0.02)
    numbers = [configuration.number for configuration in configurations[4:]]
    errors = [abs(predicted[number] - true[number]) for number in numbers]
    assert np.median(errors) < np.std(list(true.values())) / 3
    assert spearmanr([predicted[number] for number in numbers], [true[number] for number in numbers]).statistic > 0.8


def test_scores_after_a_longer_training_are_predicted_with_a_deviation_that_grows_with_it() -> None:
    configurations = paused(24, n_epochs=2, n_finished=4)
    sampler = make_sampler()
    final, at_end, longer = (
        sampler.predict_final_scores(configurations),
        sampler.predict_scores_at(configurations, 1.0),
        sampler.predict_scores_at(configurations, 2.0),
    )
    assert {number: prediction.score for number, prediction in at_end.items()} == pytest.approx(final)
    finished = [configuration.number for configuration in configurations if configuration.value is not None]
    assert all(longer[number].deviation > 2 * at_end[number].deviation > 0 for number in finished)
    assert longer[finished[0]].score != at_end[finished[0]].score
    assert sampler.predict_scores_at([], 2.0) == {}


def test_a_diverged_configuration_is_predicted_to_end_badly() -> None:
    configurations = paused(12, n_epochs=2, n_finished=4)
    fast = configurations[0].params | {"learning_rate": 1e-2}
    predicted = {
        end: make_sampler().predict_final_scores(
            [*configurations, make_configuration(12, fast, [true_curve(fast)[0]], end)]
        )[12]
        for end in ("pruned", "diverged")
    }
    assert predicted["diverged"] > predicted["pruned"] + 0.1


def test_nothing_is_predicted_without_a_score() -> None:
    assert make_sampler().predict_final_scores([make_configuration(0, sobol_values(1)[0], [], "running")]) == {}


def test_the_curves_of_another_study_count_like_the_study_s_own() -> None:
    configurations = paused(12, n_epochs=2, n_finished=4)
    plain_trials = [_to_plain_values(as_single_trial(configuration)) for configuration in configurations]
    warm = ConfigurationSampler("curves", SPACE, 0, 10, N_EPOCHS, WarmStart("other", [], plain_trials).trials(SPACE))
    new = make_configuration(12, sobol_values(13)[12], list(true_curve(sobol_values(13)[12])[:1]), "pruned")
    all_at_once = make_sampler().predict_final_scores([*configurations, new])
    assert warm.predict_final_scores([new])[12] == pytest.approx(all_at_once[12])
    study = optuna.create_study(sampler=warm)
    assert study.ask(SPACE).params == propose(make_sampler(), configurations, number=0)


def test_trials_of_another_program_are_ignored() -> None:
    configurations = paused(12, n_epochs=2, n_finished=4)
    foreign = [
        create_trial(state=TrialState.PRUNED, intermediate_values={1: 7.0}),
        create_trial(state=TrialState.RUNNING),
    ]
    for number, trial in enumerate(foreign, start=12):
        trial.number = number
    mixed = [*configurations, *group_trials(foreign)]
    assert make_sampler().predict_final_scores(mixed) == make_sampler().predict_final_scores(configurations)
    assert propose(make_sampler(), mixed, number=14) == propose(make_sampler(), configurations, number=14)


def test_of_very_many_configurations_the_best_and_some_of_the_others_are_fitted() -> None:
    values = sobol_values(100)
    many = [
        make_configuration(number, values[number % 100], [7.0 + number / 1000] * (8 if number < 200 else 1), "pruned")
        for number in range(900)
    ]
    scores = make_sampler()._scores.collect(many)
    assert 500 < len(scores.values) <= 600
    # From full curves only the last score: all 200 of them are among the best.
    assert (scores.shares == 1.0).sum() == 200
    assert (scores.values < 7.3).sum() == 300
    assert scores.values.max() == pytest.approx(7.899)


def test_at_a_rung_the_configurations_with_the_best_predictions_continue(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = ConfigurationSampler("curves", SPACE, seed=0, n_startup_trials=4, n_reports=N_EPOCHS)
    monkeypatch.setattr(sampler, "predict_final_scores", lambda _: {0: 6.3, 1: 6.2, 2: 6.1})
    study = optuna.create_study(
        sampler=sampler, pruner=HalvingPruner(Pruner(warmup_epochs=1, reduction_factor=3), Training(epochs=2))
    )
    for number, (values, score) in enumerate(zip(sobol_values(3), (6.5, 6.6, 6.7), strict=True)):
        study.enqueue_trial(values)
        trial = study.ask(SPACE)
        trial.report(score, 1)
        pauses = trial.should_prune()
        assert pauses is (number < 2), "the last one has the worst score and the best prediction"
        if pauses:
            trial.set_user_attr("end", "pruned")
            study.tell(trial, state=TrialState.PRUNED)
    assert isinstance(study.pruner, HalvingPruner)
    verdict = study.pruner.reason(study, 2, 1)
    assert verdict == "expected to end at 6.1000: ranked 1 of 3 at this rung; 1 promoted so far"


# Proposals


def test_the_first_proposals_are_spread_and_all_follow_from_the_seed() -> None:
    for configurations in (paused(N_SPREAD - 1, n_epochs=2, n_finished=0), paused(8, n_epochs=2, n_finished=2)):
        proposed = [propose(make_sampler(seed=seed), configurations, number=9) for seed in (0, 0, 1)]
        assert proposed[0] == proposed[1] != proposed[2]
    first = [propose(make_sampler(), paused(n, n_epochs=2, n_finished=0), number=n) for n in range(N_SPREAD)]
    assert len({tuple(values.values()) for values in first}) == N_SPREAD


def test_a_good_configuration_is_found_sooner_than_by_chance() -> None:
    values = sobol_values(3)
    for number in range(3, 16):
        configurations = [
            make_configuration(index, tried, list(true_curve(tried)[:3]), "pruned")
            for index, tried in enumerate(values)
        ]
        values.append(propose(make_sampler(), configurations, number))
    best = min(true_curve(tried)[-1] for tried in values)
    by_chance = sorted(true_curve(drawn)[-1] for drawn in sobol_values(256))
    # Better than the best 2%, where sixteen random draws come in one of four searches.
    assert best < by_chance[256 // 50]


def test_near_the_well_known_best_values_another_sampler_is_asked_every_other_time() -> None:
    # Curves of one point each: what counts is how well the final scores around the best values are known.
    others = sobol_values(40)
    configurations = [
        make_configuration(number, values, [true_curve(values)[-1]], "finished")
        for number, values in enumerate(others[:20])
    ]
    distances = []
    for number in range(20, 40):
        best = min(configurations, key=lambda configuration: configuration.value or 0.0)
        values = make_sampler(n_steps=1).propose(configurations, number)
        distances.append(None if values is None else distance(values, best.params))
        values = values or others[number]
        configurations.append(make_configuration(number, values, [true_curve(values)[-1]], "finished"))
    late = [found for found in distances[-10:] if found is not None]
    assert len(late) < 9 and max(late) < 0.15
    assert None not in distances[1::2]


def test_values_where_a_configuration_diverged_before_its_first_score_are_avoided() -> None:
    configurations = paused(12, n_epochs=2, n_finished=4)
    proposed = propose(make_sampler(), configurations, number=12)
    # The cause of a failure may be fixed by now.
    failed, diverged = (make_configuration(12, proposed, [], end) for end in ("failed", "diverged"))
    near, far = (
        distance(proposed, propose(make_sampler(), [*configurations, ended], number=12)) for ended in (failed, diverged)
    )
    assert near < 0.05 < 0.2 < far


def test_no_values_are_proposed_twice_and_workers_do_not_follow_each_other() -> None:
    configurations = paused(10, n_epochs=2, n_finished=2)
    first = propose(make_sampler(), configurations, number=10)
    running = make_configuration(10, first, [], "running")
    # With the same trial number, and so the same random candidates.
    second = propose(make_sampler(), [*configurations, running], number=10)
    assert distance(first, second) > 0.02


def test_a_space_without_untried_values_still_yields_values() -> None:
    space = {"batch_size": CategoricalDistribution((16, 32))}
    configurations = group_trials(
        make_trial(number, {"batch_size": size}, [7.0, 6.9], "pruned", space)
        for number, size in enumerate((16, 32, 16))
    )
    assert propose(make_sampler(space), configurations, number=3)["batch_size"] in (16, 32)


BETA = distributions(LIST_SPACE)
CURVES: list[Description] = [("pruned", [7.0, 6.9], {}), ("finished", [6.9, 6.7], {}), ("pruned", [6.8], {})]


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Replace the fit of the process's hyperparameters by their medians; return the numbers of scores of all fits."""
    fits: list[int] = []

    def medians(gp: LearningCurveGP, _: object) -> Any:
        fits.append(len(gp._y))
        return gp._priors[:, 0].copy()

    monkeypatch.setattr(LearningCurveGP, "_maximize_posterior", medians)
    return fits


def beta_sampler(n_startup: int = 10, others: Sequence[Configuration] = ()) -> LearningCurveModel:
    return LearningCurveModel(BETA, 2, n_startup, seed=0, other_configurations=others)


class Minimization:
    """Stand-in for the search for the lowest bound, which records what it is asked for."""

    def __init__(self, sampler: LearningCurveModel, monkeypatch: pytest.MonkeyPatch, share_of_noise: float) -> None:
        self.n_asked = 0
        self._share_of_noise = share_of_noise
        monkeypatch.setattr(sampler, "_minimize_bound", self)

    def __call__(self, gp: LearningCurveGP, tried: object, known: Any, _: object) -> tuple[Any, float]:
        self.n_asked += 1
        self.gp, self.tried, self.known = gp, tried, known
        return np.array([0.3]), self._share_of_noise * gp.noise


@pytest.mark.usefixtures("fits")
@pytest.mark.parametrize(
    ("n_configurations", "share_of_noise", "proposes"),
    [(4, 0.9, False), (5, 0.9, True), (6, 0.9, False), (4, 1.0, True)],
)
def test_every_other_time_nothing_is_proposed_where_the_score_is_known_better_than_the_noise(
    n_configurations: int, share_of_noise: float, proposes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler = beta_sampler()
    Minimization(sampler, monkeypatch, share_of_noise)
    configurations = make_configurations(*[("pruned", [7.0 - n / 10], {}) for n in range(n_configurations)])
    expected = sampler._transform.values(np.array([0.3])) if proposes else None
    assert sampler.propose(configurations, number=9) == expected


@pytest.mark.usefixtures("fits")
def test_the_process_is_used_after_the_startup_configurations_if_one_has_a_score(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def uses_process(n_startup: int, *descriptions: Description, others: Sequence[Configuration] = ()) -> bool:
        sampler = beta_sampler(n_startup, others)
        minimization = Minimization(sampler, monkeypatch, 2.0)
        propose(sampler, make_configurations(*descriptions), number=9)
        return bool(minimization.n_asked)

    assert [uses_process(n, *CURVES[:2]) for n in (1, 2, 3, 10)] == [True, True, False, False]
    assert uses_process(10, *CURVES), "at most three"
    assert not uses_process(1, *[("failed", [], {})] * 4)
    assert uses_process(3, others=make_configurations(*CURVES))


def test_the_startup_configurations_are_a_scrambled_sobol_sequence() -> None:
    points = qmc.Sobol(1, rng=0).random_base2(2)[:3]
    proposed = [propose(beta_sampler(), make_configurations(*CURVES[:n]), number=n) for n in range(3)]
    assert proposed == [SearchSpaceTransform(BETA).values(point) for point in points]


def test_a_process_is_fitted_again_only_to_new_scores(fits: list[int]) -> None:
    sampler, configurations = beta_sampler(), make_configurations(*CURVES)
    once, again = sampler.predict_final_scores(configurations), sampler.predict_final_scores(configurations)
    assert once == again and fits == [5]
    better = make_configurations(CURVES[0], CURVES[1], ("pruned", [6.6], {}))
    assert sampler.predict_final_scores(better)[2] < once[2] and fits == [5, 5]
    assert sampler.predict_final_scores(configurations[:2]).keys() == {0, 1} and fits == [5, 5, 4]
    waiting = make_configurations(("waiting", [], {}))
    assert sampler.predict_final_scores([*configurations[:2], *waiting]).keys() == {0, 1} and fits == [5, 5, 4]


def test_a_prediction_is_computed_again_only_for_another_process_or_other_configurations(
    fits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler, asked = beta_sampler(), 0
    gp, other = (sampler._fit(make_configurations(*CURVES[:n]))[0] for n in (3, 2))
    expected = {
        (process, share): process.unstandardize(process.predict_final_means(np.array([[share]])))[0]
        for process in (gp, other)
        for share in (0.1, 0.9)
    }
    assert len(set(expected.values())) == 4
    means = LearningCurveGP.predict_final_means

    def count(process: LearningCurveGP, features: Any) -> Any:
        nonlocal asked
        asked += 1
        return means(process, features)

    monkeypatch.setattr(LearningCurveGP, "predict_final_means", count)
    for process, share, n_asked in ((gp, 0.1, 1), (gp, 0.1, 1), (gp, 0.9, 2), (other, 0.9, 3), (other, 0.1, 4)):
        assert sampler._predict(process, np.array([[share]]))[0] == expected[process, share]
        assert asked == n_asked


def test_in_a_large_study_new_scores_do_not_change_the_fitted_hyperparameters(
    fits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("MAX_REFITTED", 8), ("_FIRST_PREFIX", 8), ("_PREFIX_GROWTH", 0.5)):
        monkeypatch.setattr(f"hpo.optunahub.samplers.learning_curves.scores_to_fit.{name}", value)
    sampler, descriptions = beta_sampler(), [*CURVES, *CURVES, *CURVES, CURVES[2]]
    for n_configurations in (9, 10):
        assert len(sampler.predict_final_scores(make_configurations(*descriptions[:n_configurations]))) > 8
    assert fits == [2 + 2 + 1 + 2 + 2 + 1 + 2 + 2], "those of the first eight trials, once"


def test_running_configurations_count_with_their_predicted_scores_and_the_fitted_hyperparameters(
    fits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler = beta_sampler()
    minimization = Minimization(sampler, monkeypatch, 2.0)
    running: list[Description] = [("running", [], {}), ("running", [7.1], {}), ("failed", [], {})]
    configurations = make_configurations(*CURVES, *running)
    propose(sampler, configurations, number=9)
    assert fits == [6], "the hyperparameters do not follow from fantasies"
    fitted, _ = sampler._fit(configurations)
    features = sampler._scores.features(configurations[3:4])
    observed = minimization.gp.unstandardize(minimization.gp._y)
    assert len(observed) == 7, "one fantasy, of the one without a score"
    assert observed[-1] == pytest.approx(fitted.unstandardize(fitted.predict_final(features)[0])[0])
    assert minimization.gp._x[-1].tolist() == [features[0, 0], 0.0], "as at the end of its training"
    assert minimization.tried == {tuple(row) for row in sampler._scores.features(configurations)}


@pytest.mark.usefixtures("fits")
def test_candidates_lie_around_all_configurations_or_in_a_large_study_around_the_fitted_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sampler = beta_sampler()
    minimization = Minimization(sampler, monkeypatch, 2.0)
    configurations = make_configurations(*CURVES, ("failed", [], {}))
    features = sampler._scores.features(configurations)
    propose(sampler, configurations, number=9)
    assert minimization.known.tolist() == sorted(features.tolist())
    monkeypatch.setattr("hpo.optunahub.samplers.learning_curves.learning_curve_model.MAX_REFITTED", 3)
    propose(sampler, configurations, number=9)
    assert minimization.known.tolist() == sorted(features[:3].tolist())


@pytest.mark.usefixtures("fits")
@pytest.mark.parametrize("curves", [CURVES, CURVES[::-1]])
def test_the_proposed_point_of_the_cube_has_the_lowest_bound_of_all(curves: list[Description]) -> None:
    sampler, configurations = beta_sampler(), make_configurations(*curves)
    gp, _ = sampler._fit(configurations)
    known = sampler._scores.features(configurations)
    generator = np.random.default_rng(0)
    point, deviation = sampler._minimize_bound(gp, set(), known, generator)
    mean, deviations = gp.predict_final(np.linspace(0, 1, 2001)[:, None])
    found_mean, found_deviation = gp.predict_final(point[None])
    assert deviation == pytest.approx(found_deviation[0])
    assert found_mean[0] - deviation <= (mean - deviations).min() + 1e-4
    assert 0.0 <= point[0] <= 1.0


@pytest.mark.usefixtures("fits")
def test_candidates_are_drawn_everywhere_and_around_the_five_best_known_configurations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sampler = beta_sampler()
    configurations = make_configurations(*[("pruned", [7.0 + abs(n - 4) / 10], {}) for n in range(9)])
    gp, _ = sampler._fit(configurations)
    known, candidates = sampler._scores.features(configurations), []
    predict = gp.predict_final

    def record(features: Any) -> Any:
        candidates.append(features[:, 0])
        return predict(features)

    monkeypatch.setattr(gp, "predict_final", record)
    sampler._minimize_bound(gp, set(), known, np.random.default_rng(0))
    uniform, around = np.split(candidates[0], [800])
    assert np.histogram(uniform, bins=4, range=(0, 1))[0].min() > 150
    centers = sorted(np.median(around.reshape(-1, 60), axis=1))
    assert centers == pytest.approx(sorted([*known[2:7, 0]] * 2), abs=0.05)
    assert [len(points) for points in candidates[1:]] == [61] * 3
    assert np.std(candidates[3]) < np.std(candidates[2]) < np.std(candidates[1]) < 0.15


@pytest.mark.usefixtures("fits")
def test_of_a_few_choices_the_last_untried_one_is_proposed_although_it_promises_least() -> None:
    space: dict[str, BaseDistribution] = {"batch_size": CategoricalDistribution((16, 32, 64))}
    configurations = group_trials(
        make_trial(number, {"batch_size": size}, [score], "finished", space)
        for number, (size, score) in enumerate(((16, 6.5), (32, 7.5), (16, 6.5)))
    )
    sampler = LearningCurveModel(space, 1, n_startup=1, seed=0)
    assert {propose(sampler, configurations, number)["batch_size"] for number in range(3, 6)} == {64}


def test_a_study_with_two_objectives_is_sampled_by_tpe() -> None:
    space = Hyperparameters(latent_dim=Range[int](low=8, high=64))
    curves = Sampler(name="curves")
    two = StudyConfig(
        name="two",
        hyperparameters=space,
        objectives=("val_bpd", "latent_dim"),
        budget=Budget(trials=1),
        sampler=curves,
    )
    assert two.sampler.name == "tpe"
    assert StudyConfig(name="one", hyperparameters=space, budget=Budget(trials=1)).sampler.name == "curves"
