"""Gaussian process over learning curves."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import multivariate_normal, norm

from hpo.optunahub.samplers.learning_curves.learning_curve_gp import LearningCurveGP, Scores

RNG = np.random.default_rng(0)
SCORES = Scores(RNG.random((12, 2)), RNG.choice([0.125, 0.25, 0.5, 1.0], 12), 6.5 + RNG.random(12))


def test_standardization_keeps_the_order_of_scores_and_has_an_inverse() -> None:
    gp = LearningCurveGP(Scores(np.array([[0.1], [0.5], [0.9]]), np.ones(3), np.array([6.5, 6.2, 8.0])))
    scores = np.array([6.1, 6.2, 7.0, 9.0])
    assert (np.diff(gp.standardize(scores)) > 0).all()
    assert gp.unstandardize(gp.standardize(scores)) == pytest.approx(scores)


@pytest.mark.parametrize("share", [0.5, 1.0, 2.0])
def test_predictions_are_the_posterior_of_the_documented_kernel(share: float) -> None:
    theta = np.log([0.4, 0.6, 0.8, 1.1, 0.9, 0.5, 0.3, 0.1])
    gp = LearningCurveGP(SCORES, theta)
    x_length_scales, t_length_scale = np.exp(theta[:2]), np.exp(theta[2])
    sigma_c, sigma_o, sigma_p, sigma_r, sigma_n = np.exp(theta[3:])

    def kernel(x: NDArray[np.float64], t: NDArray[np.float64]) -> NDArray[np.float64]:
        r = np.sqrt(5 * (((x[:, None] - x[None]) / x_length_scales) ** 2).sum(2))
        k_x, k_t = (1 + r + r**2 / 3) * np.exp(-r), np.exp(-((t[:, None] - t[None]) ** 2) / (2 * t_length_scale**2))
        same = sigma_r**2 * (r == 0)
        return np.asarray(sigma_c**2 * k_t + sigma_o**2 * k_x + sigma_p**2 * k_x * k_t + same + 0.01)

    new = RNG.random((3, 2))
    k = kernel(np.vstack([SCORES.features, new]), np.log2(np.concatenate([SCORES.shares, [share] * 3])) / 3)
    observed, cross = k[:12, :12] + sigma_n**2 * np.eye(12), k[12:, :12]
    mean, deviation = gp.predict_final(new, share)
    assert mean == pytest.approx(cross @ np.linalg.solve(observed, gp.standardize(SCORES.values)), abs=1e-3)
    variance = np.diag(k[12:, 12:] - cross @ np.linalg.solve(observed, cross.T)) - sigma_r**2
    assert deviation == pytest.approx(np.sqrt(variance), abs=1e-3)


def test_the_posterior_density_is_that_of_a_normal_distribution_with_log_normal_priors() -> None:
    gp = LearningCurveGP(SCORES, np.zeros(8))
    median = np.array([0.5, 0.5, 0.7, 1.0, 1.0, 0.5, 0.1, 0.05])
    deviation = [0.3, 0.3, 0.7, 1.0, 1.0, 1.0, 1.0, 1.0]

    def expected(theta: NDArray[np.float64]) -> float:
        scores, covariance = gp.standardize(SCORES.values), gp._covariance(theta)
        prior = norm.logpdf(theta, np.log(median), deviation).sum()
        return -float(multivariate_normal.logpdf(scores, np.zeros(12), covariance) + prior)

    thetas = [np.log(median), np.log(median) + np.linspace(-0.5, 1.0, 8)]
    (low, _), (high, gradient) = (gp._negative_log_posterior(theta) for theta in thetas)
    assert high - low == pytest.approx(expected(thetas[1]) - expected(thetas[0]))
    for index, step in enumerate(1e-5 * np.eye(8)):
        slope = (expected(thetas[1] + step) - expected(thetas[1] - step)) / 2e-5
        assert gradient[index] == pytest.approx(slope, rel=1e-4)


def test_the_process_sees_scores_of_mean_zero_and_deviation_one_above_a_floor() -> None:
    gp = LearningCurveGP(SCORES, np.zeros(8), gap=0.3)
    logarithms = np.log(SCORES.values - SCORES.values.min() + 0.3)
    z = gp.standardize(SCORES.values)
    assert z == pytest.approx((logarithms - logarithms.mean()) / logarithms.std())
    assert np.isfinite(gp.standardize(np.array([SCORES.values.min() - 1.0]))).all(), "also below the floor"
    assert gp.noise == pytest.approx(2**0.5), "of a score, and of its run"


def test_by_default_the_floor_follows_the_scale_of_the_scores() -> None:
    theta = np.zeros(8)
    thousandths = Scores(SCORES.features, SCORES.shares, SCORES.values / 1000)
    z, small = LearningCurveGP(SCORES, theta), LearningCurveGP(thousandths, theta)
    assert small.standardize(thousandths.values) == pytest.approx(z.standardize(SCORES.values))
    equal = LearningCurveGP(Scores(SCORES.features, SCORES.shares, np.ones(12)), theta)
    assert np.isfinite(equal.standardize(np.array([1.0]))).all(), "scores without a scale"


def test_hyperparameters_stay_within_their_bounds() -> None:
    x = np.linspace(0, 1, 30)
    gp = LearningCurveGP(Scores(x[:, None], np.ones(30), 7.0 + np.sin(3 * x)))
    assert np.exp(gp.hyperparameters[-1]) == pytest.approx(0.003), "scores without noise"


def test_a_prediction_follows_the_configurations_own_curve_where_its_neighbours_are_otherwise() -> None:
    x, shares = np.repeat(np.linspace(0, 1, 9), 2), np.tile([0.25, 0.5], 9)
    scores = 7.0 - 0.3 * shares
    scores[8:10] -= 0.1
    gp = LearningCurveGP(Scores(x[:, None], shares, scores), gap=0.3)
    means = gp.unstandardize(gp.predict_final_means(np.array([[0.375], [0.5], [0.501], [0.625]])))
    assert means[1] < means[[0, 3]].mean() - 0.08
    assert means[2] > means[1] + 0.04, "another run"


def test_the_hyperparameters_are_a_maximum_of_the_posterior_density() -> None:
    gp = LearningCurveGP(SCORES)
    best, gradient = gp._negative_log_posterior(gp.hyperparameters)
    for step in np.eye(8):
        assert gp._negative_log_posterior(gp.hyperparameters + 0.3 * step)[0] > best
        assert gp._negative_log_posterior(gp.hyperparameters - 0.3 * step)[0] > best
    assert np.abs(gradient).max() < 0.05
