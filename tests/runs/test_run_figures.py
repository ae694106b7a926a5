"""What the suite computes: seeded, in evaluation mode, and checked by hand where that is possible."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.mixture import GaussianMixture

from hpo.figures.run import tsne_and_pca
from hpo.runs import latent_space, run_figures
from hpo.storage.paths import RunPaths
from model.data.images import ImageData, as_pixels
from model.device import Runtime
from model.network.vae import ConvVAE
from model.scoring.evaluation import decode, encode, evaluate
from tests.figures.test_run_pictures import history


@pytest.fixture
def model() -> ConvVAE:
    torch.manual_seed(0)
    return ConvVAE(latent_dim=4, channels=(4, 4, 8, 8))


def test_a_quarter_turn_on_the_unit_circle() -> None:
    half = math.sqrt(0.5)
    points = latent_space.spherical(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 3)
    assert points == pytest.approx(np.array([[1, 0], [half, half], [0, 1]]))


def test_spherical_steps_turn_evenly_and_their_norms_change_evenly() -> None:
    generator = np.random.default_rng(0)
    start, end = generator.normal(size=(2, 128)) * [[1.0], [3.0]]
    points = latent_space.spherical(start, end, 9)
    norms = np.linalg.norm(points, axis=1)
    assert norms == pytest.approx(np.linspace(np.linalg.norm(start), np.linalg.norm(end), 9))
    units = points / norms[:, None]
    angles = np.arccos((units[1:] * units[:-1]).sum(axis=1))
    assert angles == pytest.approx(np.full(8, angles[0]))
    assert angles.sum() == pytest.approx(np.arccos(units[0] @ units[-1]))
    assert points[[0, -1]] == pytest.approx(np.stack([start, end]))


def test_spherical_agrees_with_shoemake_where_norms_are_equal() -> None:
    start, end = np.array([2.0, 0.0, 0.0]), np.array([1.0, math.sqrt(3), 0.0])
    angle, t = math.pi / 3, np.linspace(0, 1, 5)[:, None]
    shoemake = (np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / math.sin(angle)
    assert latent_space.spherical(start, end, 5) == pytest.approx(shoemake)


def test_between_parallel_vectors_spherical_is_linear() -> None:
    start = np.array([1.0, 2.0, 2.0])
    for end in (start, 3 * start):
        assert latent_space.spherical(start, end, 5) == pytest.approx(latent_space.linear(start, end, 5))


def test_nearly_parallel_vectors_lose_nothing_to_rounding() -> None:
    points = latent_space.spherical(np.array([1.0, 0.0]), np.array([1.0, 1e-7]), 3)
    assert points[1] == pytest.approx([1.0, 5e-8], rel=1e-6, abs=1e-12)
    assert points[2] == pytest.approx([1.0, 1e-7], rel=1e-6, abs=1e-12)


def test_between_opposite_vectors_spherical_keeps_the_norm() -> None:
    start = np.array([3.0, 4.0, 0.0])
    points = latent_space.spherical(start, -start, 5)
    assert np.linalg.norm(points, axis=1) == pytest.approx(np.full(5, 5.0))
    assert points[2] @ start == pytest.approx(0.0, abs=1e-9)
    assert points[[0, -1]] == pytest.approx(np.stack([start, -start]))


def test_the_zero_vector_has_no_direction() -> None:
    with pytest.raises(ValueError, match="must not be zero, but got norms"):
        latent_space.spherical(np.zeros(2), np.ones(2), 3)


def test_linear_steps_are_even() -> None:
    points = latent_space.linear(np.array([0.0, 4.0]), np.array([1.0, 0.0]), 3)
    assert points.tolist() == [[0.0, 4.0], [0.5, 2.0], [1.0, 0.0]]


def test_traversal_moves_one_dimension_a_row() -> None:
    points = latent_space.traverse(np.array([1.0, 2.0, 3.0]), np.array([2, 0]), np.array([-3.0, 0.0, 3.0]))
    assert points.tolist() == [
        [[1.0, 2.0, 0.0], [1.0, 2.0, 3.0], [1.0, 2.0, 6.0]],
        [[-2.0, 2.0, 3.0], [1.0, 2.0, 3.0], [4.0, 2.0, 3.0]],
    ]


def test_mixture_samples_have_the_moments_of_the_means() -> None:
    generator = np.random.default_rng(0)
    mixing = np.array([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 0.1]])
    means = generator.normal(size=(4000, 3)) @ mixing.T + np.where(np.arange(4000) % 2, 5.0, -5.0)[:, None]
    drawn = latent_space.mixture_samples(latent_space.fit_mixture(means), 20_000)
    assert drawn.mean(axis=0) == pytest.approx(means.mean(axis=0), abs=0.15)
    assert np.cov(drawn.T) == pytest.approx(np.cov(means.T), rel=0.05, abs=0.05)


def test_mixture_samples_are_in_no_order_of_components_and_always_the_same() -> None:
    means = np.repeat([[-9.0], [9.0]], 200, axis=0) + np.random.default_rng(0).normal(size=(400, 1))
    first, second = (latent_space.mixture_samples(latent_space.fit_mixture(means, 2), 64) for _ in range(2))
    assert np.array_equal(first, second)
    changes = np.count_nonzero(np.diff(np.sign(first[:, 0])))
    assert changes > 10


def test_a_mixture_fits_fewer_images_than_dimensions_and_unused_dimensions() -> None:
    means = np.random.default_rng(0).normal(size=(30, 64))
    means[:, 32:] = 0.0
    mixture = latent_space.fit_mixture(means)
    assert isinstance(mixture, GaussianMixture)
    assert np.abs(latent_space.mixture_samples(mixture, 500)[:, 32:]).max() < 0.1


def test_principal_components_explain_what_they_explain() -> None:
    means = np.random.default_rng(0).normal(size=(5000, 3)) * [3.0, 2.0, 1.0]
    found = tsne_and_pca.principal_components(means, means[:10])
    assert found.explained == pytest.approx((9 / 14, 4 / 14), abs=0.02)
    assert np.abs(found.coordinates) == pytest.approx(np.abs(means[:10, :2]), abs=0.3)


def test_a_latent_space_of_one_dimension_has_a_map() -> None:
    means = np.random.default_rng(0).normal(size=(40, 1))
    found = tsne_and_pca.principal_components(means, means)
    assert found.explained == pytest.approx((1.0, 0.0))
    assert (found.coordinates[:, 1] == 0).all()
    assert tsne_and_pca.tsne(means).shape == (40, 2)


def test_tsne_is_the_same_every_time_and_keeps_clusters() -> None:
    means = np.random.default_rng(0).normal(size=(80, 6)) + 30 * (np.arange(80) % 2)[:, None]
    first, second = tsne_and_pca.tsne(means), tsne_and_pca.tsne(means)
    assert np.array_equal(first, second)
    centres = np.stack([first[::2].mean(axis=0), first[1::2].mean(axis=0)])
    nearest = np.linalg.norm(first[:, None] - centres, axis=-1).argmin(axis=1)
    assert (nearest == np.arange(80) % 2).all()


def test_extremes_are_ordered_from_the_outermost() -> None:
    assert run_figures.extremes(np.array([0.3, 0.1, 0.2, 0.4, 0.1]), 2) == run_figures.Extremes(
        best=(1, 4), worst=(3, 0)
    )
    assert run_figures.extremes(np.array([0.3, 0.1]), 10) == run_figures.Extremes(best=(1, 0), worst=(0, 1))


def test_errors_are_those_of_each_image() -> None:
    images = torch.zeros(3, 3, 32, 32, dtype=torch.uint8)
    reconstructed = images.clone()
    reconstructed[1] = 255
    reconstructed[2, 0] = 51
    assert run_figures.squared_errors(images, reconstructed).tolist() == [0.0, 1.0, pytest.approx(0.04 / 3)]


def test_traversal_centre_is_the_reconstruction_through_the_mean(
    model: ConvVAE, data: ImageData, runtime: Runtime
) -> None:
    images = data.validation.images[:1]
    mean = run_figures.posterior_means(model, images, runtime)[0]
    centre = len(run_figures.OFFSETS) // 2
    assert run_figures.OFFSETS[centre] == 0
    walked = run_figures.decoded(model, latent_space.traverse(mean, np.arange(4), run_figures.OFFSETS), runtime)
    expected = as_pixels(decode(model, encode(model, images, runtime)[0], runtime))[0]
    assert walked.shape == (4, len(run_figures.OFFSETS), 32, 32, 3)
    assert all(np.array_equal(row[centre], expected) for row in walked)


def test_interpolation_ends_are_the_reconstructions_of_the_endpoints(
    model: ConvVAE, data: ImageData, runtime: Runtime
) -> None:
    images = data.validation.images[:2]
    start, end = run_figures.posterior_means(model, images, runtime)
    steps = run_figures.decoded(model, latent_space.linear(start, end, 5), runtime)
    expected = as_pixels(decode(model, encode(model, images, runtime)[0], runtime))
    assert np.array_equal(steps[[0, -1]], expected)


def test_kl_per_dimension_sums_to_the_rate(model: ConvVAE, data: ImageData, runtime: Runtime) -> None:
    kl = run_figures.kl_per_dimension(model, data.validation.images, runtime)
    scored = evaluate(model, data.validation.images, 0.2, runtime)
    assert kl == pytest.approx(np.array(scored.rate_per_dimension), rel=1e-5)
    assert run_figures.highest(kl, 2).tolist() == sorted(range(4), key=lambda one: -kl[one])[:2]


def test_the_whole_suite_is_drawn_the_same_twice_and_leaves_the_model_as_it_was(
    model: ConvVAE, data: ImageData, runtime: Runtime, tmp_path: Path
) -> None:
    named = replace(data, class_names=tuple(f"class {n}" for n in range(10)))
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random_state = torch.get_rng_state()
    drawn = []
    for folder in (tmp_path / "first", tmp_path / "second"):
        folder.mkdir()
        run_figures.draw_run_figures(model, named, runtime, RunPaths(folder), history([8.0, 7.0]))
        drawn.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert drawn[0] == drawn[1]
    paths = RunPaths(tmp_path)
    expected = ("loss_curves", "reconstructions", "samples", "interpolations", "traversals", "latent_pca")
    assert set(drawn[0]) == {getattr(paths, name).name for name in (*expected, "latent_tsne", "kl_per_dimension")}
    assert model.training
    assert torch.equal(torch.get_rng_state(), random_state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_model_of_one_dimension_has_its_suite_too(data: ImageData, runtime: Runtime, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = ConvVAE(latent_dim=1, channels=(4, 4, 8, 8))
    named = replace(data, class_names=tuple(f"class {n}" for n in range(10)))
    run_figures.draw_run_figures(model, named, runtime, RunPaths(tmp_path), pd.DataFrame(history([8.0, 7.0])))
    assert len(list(tmp_path.iterdir())) == 8
