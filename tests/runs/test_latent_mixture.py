"""Mixture fitted to codes, and its samples."""

from __future__ import annotations

import time

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from hpo.runs.latent_mixture import fit_mixture, fit_mixture_of_any_size, mixture_samples


def test_mixture_samples_have_the_moments_of_the_means() -> None:
    generator = np.random.default_rng(0)
    mixing = np.array([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 0.1]])
    means = generator.normal(size=(4000, 3)) @ mixing.T + np.where(np.arange(4000) % 2, 5.0, -5.0)[:, None]
    drawn = mixture_samples(fit_mixture(means), 20_000)
    assert drawn.mean(axis=0) == pytest.approx(means.mean(axis=0), abs=0.15)
    assert np.cov(drawn.T) == pytest.approx(np.cov(means.T), rel=0.05, abs=0.05)


def test_mixture_samples_are_in_no_order_of_components_and_always_the_same() -> None:
    means = np.repeat([[-9.0], [9.0]], 200, axis=0) + np.random.default_rng(0).normal(size=(400, 1))
    first, second = (mixture_samples(fit_mixture(means, 2), 64) for _ in range(2))
    assert np.array_equal(first, second)
    changes = np.count_nonzero(np.diff(np.sign(first[:, 0])))
    assert changes > 10


def test_a_mixture_fits_fewer_images_than_dimensions_and_unused_dimensions() -> None:
    means = np.random.default_rng(0).normal(size=(30, 64))
    means[:, 32:] = 0.0
    mixture = fit_mixture(means)
    assert isinstance(mixture, GaussianMixture)
    assert np.abs(mixture_samples(mixture, 500)[:, 32:]).max() < 0.1


@pytest.mark.parametrize("n_dimensions", [200, 3072])
def test_a_mixture_of_many_dimensions_is_fitted_in_seconds_and_keeps_scale_and_correlation(n_dimensions: int) -> None:
    generator = np.random.default_rng(0)
    shared = generator.normal(size=(300, 2)) @ generator.normal(size=(2, n_dimensions))
    means = shared + 0.1 * generator.normal(size=shared.shape)
    started = time.process_time()
    drawn = mixture_samples(fit_mixture_of_any_size(means), 2000)
    assert time.process_time() - started < 10
    assert drawn.std(axis=0) == pytest.approx(means.std(axis=0), rel=0.2)
    expected, found = (float(np.cov(codes[:, 0], codes[:, 1])[0, 1]) for codes in (means, drawn))
    assert found == pytest.approx(expected, rel=0.2, abs=0.05)
