"""Scores that the Gaussian process of large studies is fitted to."""

from functools import cache

import numpy as np
import pytest

from hpo.search.configurations import Configuration
from hpo.search.learning_curve_gp import LearningCurveGP
from hpo.search.learning_curve_sampler import LearningCurveSampler
from hpo.search.learning_curves.scores_to_fit import ScoreCollector, _prefix_size
from hpo.search.search_space_transform import SearchSpaceTransform
from tests.search.test_learning_curve_sampler import make_configuration
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
    return None if scores is None else scores.val_bpd.tolist()


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
    old = LearningCurveSampler(SPACE, 2, n_startup=10, seed=0)
    for grown in (study(109, "running"), study(109), study(110, "running"), study(110)):
        new = LearningCurveSampler(SPACE, 2, n_startup=10, seed=0)
        assert old.predict_final_scores(grown) == new.predict_final_scores(grown)


def test_means_in_blocks_are_those_of_all_at_once() -> None:
    scores = ScoreCollector(SearchSpaceTransform(SPACE), 2).collect(study(20))
    gp = LearningCurveGP(scores)
    points = np.random.default_rng(0).random((600, scores.features.shape[1]))
    assert gp.predict_final_means(points) == pytest.approx(gp.predict_final(points)[0], abs=1e-9)
