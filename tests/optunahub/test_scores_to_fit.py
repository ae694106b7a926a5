"""Scores that the Gaussian process of large studies is fitted to."""

from functools import cache

import numpy as np
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES
from hpo.optunahub.samplers.learning_curves.learning_curve_gp import LearningCurveGP
from hpo.optunahub.samplers.learning_curves.learning_curve_model import LearningCurveModel
from hpo.optunahub.samplers.learning_curves.scores_to_fit import (
    ScoreCollector,
    _before,
    _count_leading_ended,
    _prefix_size,
    _subsample,
)
from hpo.optunahub.samplers.learning_curves.search_space_transform import SearchSpaceTransform
from hpo.search.configurations import CONFIRMS, Configuration, group_trials
from tests.optunahub.test_learning_curve_model import make_configuration, make_trial
from tests.tools.synthetic_curves import SPACE, configurations, true_curve


@cache
def study(n: int, last: str = "pruned") -> tuple[Configuration, ...]:
    """Return `n` configurations of two reports each; `last` is how the last one ended."""
    return tuple(
        make_configuration(number, values, list(true_curve(values)[:2]), "pruned" if number < n - 1 else last)
        for number, values in enumerate(configurations(n))
    )


def collected(configurations: tuple[Configuration, ...]) -> list[float] | None:
    scores = ScoreCollector(SearchSpaceTransform(SPACE), 2).collect_for_hyperparameters(configurations, [])
    return None if scores is None else scores.values.tolist()


def test_hyperparameters_are_fitted_again_when_the_study_has_grown_by_a_tenth() -> None:
    assert [_prefix_size(n) for n in (100, 109, 110, 120, 121, 133, 10_000)] == [100, 100, 110, 110, 121, 133, 9394]
    assert collected(study(100)) is None, "all scores decide"
    assert collected(study(101)) == collected(study(109)) != collected(study(110))


def test_a_trial_that_has_not_ended_does_not_count_among_those_that_are_fitted() -> None:
    assert collected(study(110, "running")) == collected(study(109))


def test_predictions_of_a_large_study_do_not_depend_on_what_the_process_has_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # They differ with the scores that they are fitted to.
    monkeypatch.setattr(LearningCurveGP, "_maximize_posterior", lambda gp, _: gp._priors[:, 0] + 1e-2 * gp._mean)
    old = LearningCurveModel(SPACE, 2, n_startup=10, seed=0)
    for grown in (study(109, "running"), study(109), study(110, "running"), study(110)):
        new = LearningCurveModel(SPACE, 2, n_startup=10, seed=0)
        assert old.predict_final_scores(grown) == new.predict_final_scores(grown)


def test_means_in_blocks_are_those_of_all_at_once() -> None:
    scores = ScoreCollector(SearchSpaceTransform(SPACE), 2).collect(study(20))
    gp = LearningCurveGP(scores)
    points = np.random.default_rng(0).random((600, scores.features.shape[1]))
    assert gp.predict_final_means(points) == pytest.approx(gp.predict_final(points)[0], abs=1e-9)


def steps(curve_lengths: list[int], n_reports: int) -> list[int]:
    """Return the report points that are used of curves of these lengths."""
    curves = [
        make_configuration(number, values, [7.0 + number] * n, "pruned")
        for number, (n, values) in enumerate(zip(curve_lengths, configurations(8), strict=False))
    ]
    scores = ScoreCollector(SearchSpaceTransform(SPACE), n_reports).collect(curves)
    return [round(share * n_reports) for share in scores.shares]


def test_of_long_curves_evenly_spaced_scores_and_the_last_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert steps([8], 8) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert steps([20, 7], 20) == [3, 6, 9, 12, 15, 18, 20, 3, 6, 7]
    monkeypatch.setattr("hpo.optunahub.samplers.learning_curves.scores_to_fit._MAX_SCORES", 16)
    assert steps([8] * 2, 8) == list(range(1, 9)) * 2
    assert steps([8] * 4, 8) == [2, 4, 6, 8] * 4
    assert steps([8] * 5, 8) == [3, 6, 8] * 5
    monkeypatch.setattr("hpo.optunahub.samplers.learning_curves.scores_to_fit._MAX_SCORES", 2)
    assert steps([8, 8, 8], 8) == [8, 8, 8]


def test_a_diverged_configuration_ends_with_the_worst_score_of_all() -> None:
    first, second, third = configurations(3)
    curves = [
        make_configuration(0, first, [7.0, 6.9], "pruned"),
        make_configuration(1, second, [7.5], "diverged"),
        make_configuration(2, third, [], "diverged"),
    ]
    scores = ScoreCollector(SearchSpaceTransform(SPACE), 4).collect(curves)
    assert list(zip(scores.shares, scores.values, strict=True)) == [
        (0.25, 7.0),
        (0.5, 6.9),
        (0.25, 7.5),
        (1.0, 7.5),
        (1.0, 7.5),
    ]
    assert scores.features[-1] == pytest.approx(SearchSpaceTransform(SPACE).features(third))


def test_of_too_many_configurations_half_are_the_best_and_half_are_spread_over_the_rest() -> None:
    values = configurations(10)
    # The best come last, and one diverged before its first score.
    curves = [make_configuration(n, values[n], [9.0, 7.9 - n / 10], "pruned") for n in range(9)]
    curves.append(make_configuration(9, values[9], [], "diverged"))
    assert [configuration.number for configuration in _subsample(curves, 6)] == [8, 7, 6, 5, 2, 9]
    assert _subsample(curves, 10) == curves
    assert len(_subsample(curves, 9)) == 8


def test_hyperparameters_are_fitted_to_the_trials_before_the_first_that_has_not_ended() -> None:
    space = {"x": FloatDistribution(0.0, 1000.0)}
    trials = [make_trial(n, {"x": float(n)}, [7.0, 6.0], "pruned", space) for n in range(130)]
    trials[60].user_attrs[CONTINUES] = 5
    trials[61].user_attrs[CONFIRMS] = 6
    groups = group_trials(trials)
    assert _count_leading_ended(groups) == 130
    for number in (119, 61, 60):
        trials[number].state = TrialState.RUNNING
        assert _count_leading_ended(groups) == number
    before = _before(60, groups)
    assert [configuration.number for configuration in before] == list(range(60))
    assert [len(configuration.trials) for configuration in before] == [1] * 60, "the second trial came later"
