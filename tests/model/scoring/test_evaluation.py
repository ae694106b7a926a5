"""Evaluation: deterministic, independent of batch size, and without side effects."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from model.data.images import ImageData, to_unit
from model.device import Runtime, seeded_generator
from model.network.vae import ConvVAE
from model.scoring import evaluation
from model.scoring.definitions import bits_per_dimension
from model.scoring.elbo import DEQUANTIZATION_VARIANCE, rate_per_dimension
from model.scoring.evaluation import (
    IMPORTANCE_SEED,
    NOISE_SEED,
    active_units,
    calibrate_sigma,
    decode,
    encode,
    evaluate,
    importance_weighted_bpd,
    reconstruct,
)


@pytest.fixture
def model() -> ConvVAE:
    torch.manual_seed(0)
    return ConvVAE(latent_dim=6, channels=(8, 8, 8, 8), architecture="plain")


@pytest.fixture
def wide_model() -> ConvVAE:
    """An untrained model with posteriors of many widths, and with images in which the latent vector is visible."""
    torch.manual_seed(0)
    model = ConvVAE(latent_dim=6, channels=(8, 8, 8, 8)).eval()
    torch.nn.init.uniform_(model.encoder.log_variance.bias, -3, 1)
    return model


def test_evaluating_twice_gives_the_same_numbers(model: ConvVAE, data: ImageData, runtime: Runtime) -> None:
    first, second = (evaluate(model, data.validation.images, 0.2, runtime) for _ in range(2))
    assert first == second


def test_the_score_is_the_mean_of_the_images_scores(model: ConvVAE, data: ImageData, runtime: Runtime) -> None:
    scored = evaluate(model, data.validation.images, 0.2, runtime, batch_size=7)
    assert len(scored.bpd_per_image) == 60
    assert sum(scored.bpd_per_image) / 60 == pytest.approx(scored.bpd, rel=1e-6)
    images = torch.cat([data.validation.images[:1]] * 60)
    fewer = evaluate(model, images, 0.2, runtime).bpd_per_image
    assert fewer[0] == pytest.approx(scored.bpd_per_image[0], rel=1e-6), "each in the order of the images"


def test_score_does_not_depend_on_batch_size(model: ConvVAE, data: ImageData, runtime: Runtime) -> None:
    whole = evaluate(model, data.validation.images, 0.2, runtime)
    for batch_size in (1, 7, 59):
        parts = evaluate(model, data.validation.images, 0.2, runtime, batch_size=batch_size)
        assert parts.bpd == pytest.approx(whole.bpd, abs=1e-6)
        assert parts.rate_nats == pytest.approx(whole.rate_nats, rel=1e-5)


def test_score_is_the_sum_of_its_parts(model: ConvVAE, data: ImageData, runtime: Runtime) -> None:
    result = evaluate(model, data.validation.images, 0.2, runtime)
    assert result.bpd == bits_per_dimension(result.distortion_nats, result.rate_nats)
    assert sum(result.rate_per_dimension) == pytest.approx(result.rate_nats)
    assert result.n_images == len(data.validation)


def test_distortion_is_that_of_sampled_latents(model: ConvVAE, data: ImageData, runtime: Runtime) -> None:
    sampled = evaluate(model, data.validation.images, 0.2, runtime).mse
    means, _ = encode(model, data.validation.images, runtime)
    x = to_unit(data.validation.images)
    from_means = (decode(model, means, runtime).float() / 255 - x).square().mean()
    assert abs(sampled - float(from_means)) > 1e-6, "an untrained posterior is wide, so samples differ from means"


def test_evaluation_does_not_change_mode_or_random_state(data: ImageData, runtime: Runtime) -> None:
    model = ConvVAE(6, (8, 8, 8, 8), "plain").train()
    before = torch.get_rng_state()
    statistics = [buffer.clone() for buffer in model.buffers()]
    calibrate_sigma(model, data.train.images, runtime)
    evaluate(model, data.validation.images, 0.2, runtime)
    importance_weighted_bpd(model, data.validation.images[:5], 0.2, runtime, n_samples=2)
    reconstruct(model, data.validation.images[:5], runtime)
    assert model.training
    assert torch.equal(torch.get_rng_state(), before)
    assert statistics and all(map(torch.equal, model.buffers(), statistics))


def test_importance_weighted_bound_is_at_least_the_elbo_and_grows_with_samples(
    model: ConvVAE, data: ImageData, runtime: Runtime
) -> None:
    images = data.validation.images
    sigma = calibrate_sigma(model, data.train.images, runtime)
    elbo_bpd = evaluate(model, images, sigma, runtime).bpd
    bounds = [importance_weighted_bpd(model, images, sigma, runtime, n_samples=n) for n in (1, 8, 64)]
    assert bounds[0] == pytest.approx(elbo_bpd, abs=0.01), "with one sample the bound is the ELBO, up to its noise"
    assert bounds[2] < bounds[1] < bounds[0]
    assert bounds[2] < elbo_bpd


def test_importance_weighted_bound_agrees_with_torch_distributions(
    wide_model: ConvVAE, data: ImageData, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "BATCH_SIZE", 4)
    images, sigma, generator = data.validation.images[:10], 0.5, seeded_generator(IMPORTANCE_SEED)
    bounds = []
    for x in to_unit(images).split(4):
        with torch.no_grad():
            mean, log_variance = wide_model.encoder(x)
            posterior, log_weights = Normal(mean, torch.exp(log_variance / 2)), []
            for _ in range(3):
                z = posterior.mean + posterior.stddev * torch.randn(mean.shape, generator=generator)
                log_likelihood = Normal(wide_model.decoder(z), sigma).log_prob(x).flatten(1).sum(1)
                log_ratio = (Normal(0.0, 1.0).log_prob(z) - posterior.log_prob(z)).sum(1)
                log_weights.append(log_likelihood - 3072 * DEQUANTIZATION_VARIANCE / (2 * sigma**2) + log_ratio)
        bounds.append(torch.stack(log_weights).double().logsumexp(0) - math.log(3))
    expected = bits_per_dimension(-float(torch.cat(bounds).mean()), 0.0)
    assert importance_weighted_bpd(wide_model, images, sigma, runtime, n_samples=3) == pytest.approx(expected, abs=5e-6)


def test_decoded_images_are_rounded_to_256_levels(wide_model: ConvVAE, runtime: Runtime) -> None:
    z_NZ = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))
    images = decode(wide_model, z_NZ, runtime)
    assert images.dtype == torch.uint8
    assert (images / 255 - wide_model.decoder(z_NZ)).abs().max() < 0.5 / 255 + 1e-6


def test_scores_and_reconstructions_are_the_model_s_with_the_same_noise(
    wide_model: ConvVAE, data: ImageData, runtime: Runtime
) -> None:
    images, sigma = data.validation.images[:5], 0.2
    x, noise = to_unit(images), torch.randn(5, 6, generator=seeded_generator(NOISE_SEED))
    with torch.no_grad():
        expected, mean, log_variance = wide_model(x, noise)
    assert (reconstruct(wide_model, images, runtime) / 255 - expected).abs().max() < 0.5 / 255 + 1e-6
    score = evaluate(wide_model, images, sigma, runtime)
    assert score.mse == pytest.approx(float((expected - x).square().mean()), rel=1e-5)
    rates = kl_divergence(Normal(mean, torch.exp(log_variance / 2)), Normal(0.0, 1.0)).mean(0)
    assert score.rate_per_dimension == pytest.approx(rates.tolist(), rel=1e-5)
    zero, width, error = torch.tensor([0.0, sigma, math.sqrt(score.mse)], dtype=torch.float64)
    distortion = 3072 * (DEQUANTIZATION_VARIANCE / (2 * sigma**2) - float(Normal(zero, width).log_prob(error)))
    assert score.distortion_nats == pytest.approx(distortion, rel=1e-12)


def test_rates_are_summed_over_images_in_float64(wide_model: ConvVAE, data: ImageData, runtime: Runtime) -> None:
    images = data.validation.images[:20]
    with torch.no_grad():
        codes = [wide_model.encoder(x) for x in to_unit(images).split(1)]
    expected = torch.cat([rate_per_dimension(*code) for code in codes]).double().mean(0)
    rates = evaluate(wide_model, images, 0.2, runtime, batch_size=1).rate_per_dimension
    assert rates == pytest.approx(expected.tolist(), rel=1e-12)


def test_calibrated_sigma_squared_is_the_mean_squared_error_of_training_images(
    model: ConvVAE, data: ImageData, runtime: Runtime
) -> None:
    sigma = calibrate_sigma(model, data.train.images, runtime)
    assert sigma**2 == pytest.approx(evaluate(model, data.train.images, 1.0, runtime).mse, rel=0.01)


def test_active_units_are_those_whose_mean_varies() -> None:
    means = torch.zeros(100, 4)
    means[:, 1:3] = torch.linspace(-1, 1, 100)[:, None]
    assert active_units(means) == 2
