"""What further search is expected to bring, and the study's patience."""

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np
import pytest

from hpo.analysis.further_search import further_search_sentence
from hpo.config.schema import Budget, StudyConfig
from hpo.config.search_space import distributions
from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES
from hpo.optunahub.samplers.learning_curves.configurations import Configuration as TrainedConfiguration
from hpo.optunahub.samplers.learning_curves.expected_gain import expected_gain
from hpo.optunahub.samplers.learning_curves.learning_curve_gp import LearningCurveGP, Scores
from hpo.optunahub.samplers.learning_curves.learning_curve_model import LearningCurveModel
from hpo.search.configurations import CONFIRMS
from hpo.search.learning_curves.further_search import FurtherSearch, further_search
from hpo.search.samplers import ConfigurationSampler
from hpo.search.scheduler import Plan, Step, next_step
from tests.search.trial_lists import SPACE as LIST_SPACE
from tests.search.trial_lists import Description, make_configurations, small_config
from tests.tools.synthetic_curves import SPACE, finished
from tests.tools.synthetic_curves import configurations as sobol_values

# Independent scores far from each other, hardly any noise, no change with time.
THETA = np.log([0.05, 0.7, 0.01, 1.0, 0.01, 0.003, 0.003])
SCORES = Scores(np.array([[0.0], [0.3]]), np.ones(2), np.array([6.5, 6.9]))


def gain(gp: LearningCurveGP, points: Sequence[float], n_new: int) -> float:
    """Return the expected gain where the first point is the best finished configuration."""
    return expected_gain(gp, np.array(points, dtype=float)[:, None], 0, n_new, np.random.default_rng(0))


def test_joint_samples_have_the_means_and_deviations_of_the_predictions_and_agree_at_equal_points() -> None:
    gp = LearningCurveGP(SCORES, THETA, gap=0.3)
    points = np.array([[0.3], [0.02], [0.8], [0.8]])
    samples = gp.sample_final(points, 20_000, np.random.default_rng(0))
    mean, deviation = gp.predict_final(points)
    assert samples.mean(0) == pytest.approx(mean, abs=0.03)
    assert samples.std(0) == pytest.approx(deviation, rel=0.03, abs=2e-3)
    assert np.abs(samples[:, 2] - samples[:, 3]).max() < 0.02 < samples[:, 2].std()


def test_the_gain_of_one_new_configuration_is_its_expected_improvement() -> None:
    gp = LearningCurveGP(SCORES, THETA, gap=0.3)
    mean, deviation = gp.predict_final(np.array([[1.0]]))
    scores = gp.unstandardize(mean + deviation * np.random.default_rng(1).standard_normal(200_000))
    assert gain(gp, [0.0, 0.3, 1.0], 1) == pytest.approx(np.maximum(6.5 - scores, 0).mean(), rel=0.2)


def test_more_configurations_bring_more_and_known_ones_nothing() -> None:
    gp, others = LearningCurveGP(SCORES, THETA, gap=0.3), np.linspace(0.6, 1.0, 40).tolist()
    one, three, many = (gain(gp, [0.0, 0.3, *others], n_new) for n_new in (1, 3, 1000))
    assert 0.005 < one < 0.8 * three < 0.8 * many
    assert gain(gp, [0.0, 0.3, 0.3], 5) == pytest.approx(0, abs=1e-4)
    assert gain(gp, [0.3, 0.0], 1) == pytest.approx(0.4, abs=0.01), "a better one that is paused counts"


def test_the_sampler_expects_less_the_more_it_knows() -> None:
    def predicted(n_configurations: int) -> float | None:
        configurations = [finished(number, values) for number, values in enumerate(sobol_values(n_configurations))]
        sampler = LearningCurveModel(SPACE, 8, n_startup=3, seed=0, gap=0.3)
        found = sampler.predict_gain(configurations, 10)
        assert found == sampler.predict_gain(configurations, 10)
        return found

    few, many = predicted(6), predicted(48)
    assert few is not None and many is not None and few > 3 * many >= 0
    assert predicted(0) is None


class _Predicting(ConfigurationSampler):
    """Sampler whose further configurations bring so many bits per dimension each."""

    def __init__(self, gain_each: float) -> None:
        super().__init__("tpe", SPACE, seed=0, n_startup_trials=1, n_reports=9)
        self._gain_each = gain_each

    def predict_gain(self, configurations: Sequence[TrainedConfiguration], n_new: int) -> float | None:
        return n_new * self._gain_each


def test_the_number_of_further_configurations_follows_from_the_seconds_of_the_ones_so_far() -> None:
    trials: list[Description] = [
        ("running", [], {"elapsed_s": None}),
        *[("pruned", [7.0], {"elapsed_s": 10.0})] * 8,
        *[("finished", [6.9], {"elapsed_s": 50.0})] * 8,
    ]
    configurations = make_configurations(*trials)
    assert further_search(configurations, _Predicting(0.001), 2.0, 3) == FurtherSearch(2.0, 12, 0.012)
    assert further_search(configurations, _Predicting(0.001), 0.001, 1) == FurtherSearch(0.001, 1, 0.001)
    assert further_search(configurations[:-1], _Predicting(0.001), 2.0, 1) is None, "too few to predict from"
    assert further_search(configurations, None, 2.0, 1) is None
    tpe = ConfigurationSampler("tpe", SPACE, seed=0, n_startup_trials=1, n_reports=9)
    assert further_search(configurations, tpe, 2.0, 1) is None


def patient(minutes: float | None, **settings: Any) -> StudyConfig:
    return small_config(**settings).model_copy(update={"budget": Budget(trials=40, patience=minutes)})


def test_a_patience_keeps_new_configurations_from_being_started_and_nothing_else() -> None:
    # Ten seconds each: six in a minute.
    finished: list[Description] = [("finished", [7.0, 6.5 + number / 10], {}) for number in range(16)]

    def step(minutes: float | None, *more: Description, n: int = 16, n_workers: int = 1, top: int = 1) -> Step:
        configurations = make_configurations(*finished[:n], *more)
        plan, config = Plan(n_workers, trial_s=10.0), patient(minutes, top=top)
        return next_step(configurations, config, plan, 40, inf, _Predicting(0.0014))

    assert step(None).action == step(0.5).action == "start", "0.5 minutes are three configurations"
    assert step(0.3, n_workers=2).action == "start", "two workers train four"
    assert step(0.3, n=15).action == "start", "too few to be sure"
    confirming = step(0.3)
    assert confirming.action == "enqueue" and dict(confirming.attributes)[CONFIRMS] == 0
    assert step(0.3, top=0).action == "stop"
    assert step(0.3, ("running", [7.0], {})).action == "wait", "it may become the best"
    promoted = step(0.3, ("pruned", [6.0], {}))
    assert promoted.action == "enqueue" and dict(promoted.attributes)[CONTINUES] == 16


def test_nothing_is_predicted_before_a_configuration_has_finished() -> None:
    paused: list[Description] = [("pruned", [7.0 - number / 100], {}) for number in range(20)]
    sampler = ConfigurationSampler("curves", distributions(LIST_SPACE), seed=0, n_startup_trials=1, n_reports=9)
    assert further_search(make_configurations(*paused), sampler, 2.0, 1) is None
    with_finished = make_configurations(*paused, ("finished", [7.0, 6.9], {}))
    further = further_search(with_finished, sampler, 2.0, 1)
    assert further is not None and further.gain > 0
    assert sampler._last_model
    model = sampler._last_model[1]
    asked = model._compute_gain
    model._compute_gain = None  # type: ignore[method-assign, assignment]
    assert further_search(with_finished, sampler, 2.0, 1) == further, "not computed again"
    model._compute_gain = asked  # type: ignore[method-assign]
    assert further_search(with_finished, sampler, 20.0, 1) != further


def test_the_sentence_names_a_patience_that_has_ended() -> None:
    little, more = (further_search_sentence(FurtherSearch(5.0, 9, gain), patient(5.0)) for gain in (0.0029, 0.003))
    assert little.endswith("by about 0.003; this is too little for budget.patience, so no new configuration is started")
    assert more.endswith("by about 0.003")


@pytest.mark.parametrize(
    ("further", "sentence"),
    [
        (
            FurtherSearch(30.0, 1240, 0.01234),
            "another 30 minutes, about 1,240 configurations, are expected to lower the best score by about 0.012",
        ),
        (
            FurtherSearch(2.5, 1, 0.00099),
            "another 2.5 minutes, about 1 configuration, are expected to lower the best score by less than 0.001",
        ),
    ],
)
def test_the_sentence_has_duration_number_and_gain(further: FurtherSearch, sentence: str) -> None:
    assert further_search_sentence(further, patient(None)) == sentence
