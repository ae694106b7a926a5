"""Mathematics of the objective, compared with torch.distributions and with cases computed by hand."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from model.config import DIMENSIONS
from model.scoring import definitions, elbo


def test_kl_agrees_with_torch_distributions() -> None:
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, 7, 5, generator=generator, dtype=torch.float64)
    posterior = Normal(mean, torch.exp(0.5 * log_variance))
    expected = kl_divergence(posterior, Normal(torch.zeros_like(mean), torch.ones_like(mean)))
    torch.testing.assert_close(elbo.rate_per_dimension(mean, log_variance), expected)


def test_kl_is_zero_at_the_prior() -> None:
    zeros = torch.zeros(3, 4)
    assert elbo.rate_per_dimension(zeros, zeros).tolist() == zeros.tolist()


def test_a_density_of_one_costs_log2_of_255_bits_per_dimension() -> None:
    assert definitions.bits_per_dimension(0.0, 0.0) == pytest.approx(math.log2(255))
    nats_of_one_bit_each = 3072 * math.log(2)
    assert definitions.bits_per_dimension(nats_of_one_bit_each, 0.0) == pytest.approx(math.log2(255) + 1)
    assert definitions.bits_per_dimension(0.0, nats_of_one_bit_each) == pytest.approx(math.log2(255) + 1)


def test_nats_are_converted_to_bits_and_a_score_back_to_nats() -> None:
    assert definitions.bits(3 * math.log(2)) == pytest.approx(3)
    assert definitions.nats_at_score(definitions.bits_per_dimension(1000.0, 30.0)) == pytest.approx(1030)


def test_distortion_is_the_expected_negative_log_likelihood_of_dequantized_pixels() -> None:
    sigma, error = 0.02, torch.full((1, DIMENSIONS), 0.01, dtype=torch.float64)
    noise = (torch.rand(1000, DIMENSIONS, generator=torch.Generator().manual_seed(0)) - 0.5) / 255
    sampled = -Normal(0.0, sigma).log_prob(error + noise).sum(1).mean()
    exact = elbo.gaussian_distortion(error.square().sum(1), sigma)
    assert exact.item() == pytest.approx(sampled.item(), rel=1e-4)


def test_optimal_sigma_minimises_the_distortion() -> None:
    squared_error = torch.tensor([12.0, 20.0], dtype=torch.float64)
    sigma = elbo.optimal_sigma(float(squared_error.mean()) / DIMENSIONS)
    at_optimum = elbo.gaussian_distortion(squared_error, sigma).mean()
    for other in (0.98 * sigma, 1.02 * sigma):
        assert elbo.gaussian_distortion(squared_error, other).mean() > at_optimum


def test_training_distortion_differs_from_the_optimal_one_by_a_constant() -> None:
    batches = torch.tensor([[5.0, 9.0], [40.0, 2.0]], dtype=torch.float64)
    differences = [
        elbo.gaussian_distortion(batch, elbo.optimal_sigma(float(batch.mean()) / DIMENSIONS)).mean()
        - elbo.optimal_distortion_loss(batch)
        for batch in batches
    ]
    # Only the dequantization term is not constant: it scales with 1/MSE, 0.2 and 0.1 nats here.
    assert float(differences[0]) == pytest.approx(DIMENSIONS / 2 * (1 + math.log(2 * math.pi)), abs=1.0)
    assert float(differences[0]) == pytest.approx(float(differences[1]), abs=1.0)


def test_a_perfect_reconstruction_has_a_finite_score_and_loss() -> None:
    assert math.isfinite(float(elbo.gaussian_distortion(torch.zeros(1), elbo.optimal_sigma(0.0))))
    assert math.isfinite(float(elbo.optimal_distortion_loss(torch.zeros(4))))


def test_importance_weighted_bound_is_the_log_of_the_mean_weight() -> None:
    weights = torch.tensor([[1.0, 8.0], [3.0, 2.0]], dtype=torch.float64)
    assert elbo.importance_weighted_bound(weights.log()).exp().tolist() == pytest.approx([2.0, 5.0])


def test_importance_weighted_bound_is_finite_for_weights_that_underflow() -> None:
    tiny = torch.tensor([[-5000.0], [-5000.0]], dtype=torch.float64)
    assert elbo.importance_weighted_bound(tiny).item() == pytest.approx(-5000.0)


def test_log_normal_agrees_with_torch_distributions() -> None:
    generator = torch.Generator().manual_seed(0)
    values, mean, log_variance = torch.randn(3, 2, 6, 4, generator=generator, dtype=torch.float64)
    expected = Normal(mean, torch.exp(0.5 * log_variance)).log_prob(values).sum(-1)
    torch.testing.assert_close(elbo.log_normal(values, mean, log_variance), expected)
