"""Probabilistic PCA, compared with scikit-learn and with the posterior in matrices."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from model.scoring import definitions, elbo, ppca
from tests.conftest import blobs

LATENT_DIMS = [1, 4, 40]


@pytest.fixture(scope="module")
def noisy() -> torch.Tensor:
    """700 images of 8x8 pixels with noise in every direction, so that every further dimension explains some of it."""
    images = blobs(700, 5).images[:, :, ::4, ::4]
    noise = torch.randint(0, 40, images.shape, generator=torch.Generator().manual_seed(6), dtype=torch.uint8)
    return images // 2 + noise


# More images than their 192 dimensions, and fewer.
@pytest.mark.parametrize("n_images", [600, 100])
@pytest.mark.parametrize("latent_dim", LATENT_DIMS)
def test_score_agrees_with_scikit_learn(noisy: torch.Tensor, latent_dim: int, n_images: int) -> None:
    train, held_out = noisy[:n_images], noisy[600:]
    score = ppca.score(ppca.fit(train), held_out, [latent_dim])[latent_dim]
    # Dequantized as the score is: the bins' variance on the diagonal of the data's covariance and of the test's.
    n_components = ppca.n_directions(latent_dim, n_images)
    reference = PCA(n_components=n_components, svd_solver="covariance_eigh").fit(train.flatten(1).numpy() / 255.0)
    dequantization = np.eye(192) * elbo.DEQUANTIZATION_VARIANCE
    precision = np.linalg.inv(reference.get_covariance() * (n_images - 1) / n_images + dequantization)
    centred = held_out.flatten(1).numpy() / 255.0 - reference.mean_
    squares = (centred @ precision * centred).sum(1).mean() + elbo.DEQUANTIZATION_VARIANCE * np.trace(precision)
    nats = 0.5 * (192 * np.log(2 * np.pi) - np.linalg.slogdet(precision)[1] + squares)
    assert score == pytest.approx(definitions.bits_per_dimension(nats, 0.0, 192), abs=1e-6)


def test_more_dimensions_explain_the_training_images_better(noisy: torch.Tensor) -> None:
    scores = ppca.score(ppca.fit(noisy), noisy, LATENT_DIMS)
    assert scores[1] > scores[4] > scores[40]


def test_few_images_give_a_large_model_few_directions_and_a_plausible_score(noisy: torch.Tensor) -> None:
    scores = ppca.score(ppca.fit(noisy[:20]), noisy, [1, 2, 19, 300])
    assert scores[1] != scores[2] == scores[19] == scores[300]
    assert scores[300] < 8


@pytest.mark.parametrize(
    ("latent_dim", "n_images", "expected"),
    # Limited by nothing, by ten images for each, and by the direction that the noise variance needs.
    [(128, 50_000, 128), (128, 132, 13), (3072, 50_000, 3071)],
)
def test_directions_are_limited_by_the_images_and_leave_one_for_the_noise(
    latent_dim: int, n_images: int, expected: int
) -> None:
    assert ppca.n_directions(latent_dim, n_images) == expected


# More images than dimensions, and fewer.
@pytest.mark.parametrize("n_images", [250, 100])
def test_images_in_parts_give_the_same_fit_and_score(
    noisy: torch.Tensor, n_images: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, held_out = noisy[:n_images], noisy[300:400]
    whole = ppca.score(ppca.fit(train), held_out, [4])[4]
    monkeypatch.setattr(ppca, "_CHUNK", 30)
    ppca.fit.cache_clear()
    assert ppca.score(ppca.fit(train), held_out, [4])[4] == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize("n_images", [250, 100])
def test_a_fit_has_the_directions_that_may_be_used_and_the_variance_of_all(noisy: torch.Tensor, n_images: int) -> None:
    model, n = ppca.fit(noisy[:n_images]), n_images // 10
    centred = noisy[:n_images].flatten(1).double() / 255
    covariance = centred.T.cov(correction=0)
    eigenvalues = torch.linalg.eigvalsh(covariance).flip(0)
    assert model.mean.dtype == model.eigenvalues.dtype == model.eigenvectors.dtype == torch.float64
    assert model.eigenvectors.shape == (192, n)
    assert torch.allclose(model.eigenvalues, eigenvalues[:n], rtol=1e-5)
    assert torch.allclose(covariance @ model.eigenvectors, model.eigenvectors * model.eigenvalues, atol=1e-8)
    assert model.total_variance == pytest.approx(float(eigenvalues.sum()))


def test_images_of_one_colour_still_have_a_finite_score() -> None:
    flat = torch.full((30, 3, 8, 8), 7, dtype=torch.uint8)
    assert np.isfinite(ppca.score(ppca.fit(flat), flat, [2])[2])


@pytest.mark.parametrize("n_images", [600, 100])
@pytest.mark.parametrize("latent_dim", LATENT_DIMS)
def test_rate_is_the_divergence_of_the_exact_posterior_from_the_prior(
    noisy: torch.Tensor, latent_dim: int, n_images: int
) -> None:
    train, held_out = noisy[:n_images], noisy[600:]
    model = ppca.fit(train)
    size = ppca.n_directions(latent_dim, n_images)
    noise = model.noise_variance(size)
    scales = (model.eigenvalues[:size] + elbo.DEQUANTIZATION_VARIANCE - noise).sqrt()
    w_DZ = model.eigenvectors[:, :size].double() * scales
    # Bayes' rule for a linear Gaussian, in matrices: Bishop 2006, equation 12.42.
    precision_ZZ = torch.eye(size, dtype=torch.float64) + w_DZ.T @ w_DZ / noise
    centred = held_out.flatten(1).double() / 255 - model.mean
    means_NZ = torch.linalg.solve(precision_ZZ, (centred @ w_DZ / noise).T).T
    posterior = torch.distributions.MultivariateNormal(means_NZ, precision_matrix=precision_ZZ)
    prior = torch.distributions.MultivariateNormal(torch.zeros_like(means_NZ[0]), torch.eye(size).double())
    by_image = torch.distributions.kl_divergence(posterior, prior).mean()
    # The dequantization noise moves the posterior's mean as well.
    shift = torch.linalg.solve(precision_ZZ, w_DZ.T / noise)
    by_noise = 0.5 * elbo.DEQUANTIZATION_VARIANCE * shift.square().sum()
    result = ppca.rate_distortion(model, held_out, [latent_dim])[latent_dim]
    assert result.rate_nats == pytest.approx(float(by_image + by_noise), rel=1e-5)


def test_a_larger_model_has_more_rate_and_less_distortion(noisy: torch.Tensor) -> None:
    model = ppca.fit(noisy)
    results = ppca.rate_distortion(model, noisy, LATENT_DIMS)
    assert results[1].rate_nats < results[4].rate_nats < results[40].rate_nats
    assert results[1].distortion_nats > results[4].distortion_nats > results[40].distortion_nats
