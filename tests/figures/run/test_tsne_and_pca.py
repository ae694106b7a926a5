"""Projections of posterior means to two dimensions."""

from __future__ import annotations

import numpy as np
import pytest

from hpo.figures.run import tsne_and_pca


def test_principal_components_explain_the_variance_of_independent_dimensions() -> None:
    means = np.random.default_rng(0).normal(size=(5000, 3)) * [3.0, 2.0, 1.0]
    projected = tsne_and_pca.principal_components(means, means[:10])
    assert projected.explained == pytest.approx((9 / 14, 4 / 14), abs=0.02)
    assert np.abs(projected.coordinates) == pytest.approx(np.abs(means[:10, :2]), abs=0.3)


def test_a_latent_space_of_one_dimension_has_a_map() -> None:
    means = np.random.default_rng(0).normal(size=(40, 1))
    projected = tsne_and_pca.principal_components(means, means)
    assert projected.explained == pytest.approx((1.0, 0.0))
    assert (projected.coordinates[:, 1] == 0).all()
    assert tsne_and_pca.tsne_coordinates(means).shape == (40, 2)


def test_tsne_is_deterministic_and_keeps_clusters() -> None:
    means = np.random.default_rng(0).normal(size=(80, 6)) + 30 * (np.arange(80) % 2)[:, None]
    first, second = tsne_and_pca.tsne_coordinates(means), tsne_and_pca.tsne_coordinates(means)
    assert np.array_equal(first, second)
    centres = np.stack([first[::2].mean(axis=0), first[1::2].mean(axis=0)])
    nearest = np.linalg.norm(first[:, None] - centres, axis=-1).argmin(axis=1)
    assert (nearest == np.arange(80) % 2).all()
