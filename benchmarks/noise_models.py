"""What bits per dimension say about other kinds of noise: `python -m benchmarks.noise_models`, three minutes.

The same network on the bundled sample with three Gaussian decoders, each at its optimum in closed form: one variance
for every pixel, as we have it; one covariance of the three colours; a covariance for each frequency of the cosine
transform.

B batch, C colours, F pixels or frequencies of an image.
"""

import math
from dataclasses import asdict, dataclass
from typing import Literal

import torch
import typer
from torch import Tensor

from benchmarks import tables
from benchmarks.machine import describe
from model.config import TrainConfig
from model.data.augmentation import draw_batch
from model.data.bundled_sample import load_sample
from model.data.images import ImageData, to_unit
from model.device import resolve
from model.scoring import codeless_gaussian, elbo
from model.scoring.definitions import bits_per_dimension
from model.training.batch_order import BatchOrder
from model.training.learning_rate_schedule import learning_rate_at
from model.training.packed_tensors import flattened
from model.training.train_state import TrainState

Noise = Literal["one variance", "colours", "frequencies"]
NOISES: tuple[Noise, ...] = ("one variance", "colours", "frequencies")
LATENT_DIM, EPOCHS = 94, 8
_N_CALIBRATION, _CHUNK = 2000, 500


@dataclass(frozen=True)
class Row:
    """Validation score in bits per dimension, rate in nats per image, and PSNR of reconstructions in dB."""

    noise: str
    val_bpd: float
    rate_nats: float
    psnr_db: float


def main() -> None:
    """Measure, and write it to benchmarks/results/ and benchmarks/RESULTS.md."""
    runtime, data = resolve("cpu", "float32"), load_sample()
    rows = [_train(noise, data, TrainState(_config(), runtime)) for noise in NOISES]
    without = codeless_gaussian.fit(data.train.images)
    bpd = codeless_gaussian.score(without, data.validation.images)
    mean_error = to_unit(data.validation.images) - to_unit(data.train.images).mean(0)
    rows.append(Row("frequencies, without a code", bpd, 0.0, _psnr_db(mean_error)))
    facts = describe(runtime) | {"latent_dim": LATENT_DIM, "epochs": EPOCHS}
    tables.write("noise_models", facts, rows)
    typer.echo(tables.noise_models(facts | {"rows": [asdict(row) for row in rows]}))


def _config() -> TrainConfig:
    shape = {"latent_dim": LATENT_DIM, "batch_size": 64, "pca_start": False}
    return TrainConfig(**shape, learning_rate=2e-3, epochs=EPOCHS, schedule="cosine", warmup_epochs=0.2)  # type: ignore[arg-type]


def _train(noise: Noise, data: ImageData, state: TrainState) -> Row:
    config, images = state.config, data.train.images
    order = BatchOrder(len(images), config.batch_size, config.seed, images.device)
    for step in range(config.step_at(config.n_reports, len(images))):
        batch = draw_batch(images, order.indices(step), config.horizontal_flip, config.max_shift, generator=state.noise)
        residual, rate = _residual_and_rate(state, batch)
        covariance_FCC = _covariance(noise, _second_moments(noise, residual))
        distortion = torch.linalg.slogdet(covariance_FCC).logabsdet.sum() / 2
        gradients = torch.autograd.grad(distortion + config.beta * rate.mean(), state.parameters)
        torch.cat([flattened(gradient) for gradient in gradients], out=state.gradients)
        state.gradients.mul_((config.max_grad_norm / state.gradients.norm()).clamp(max=1))
        state.set_learning_rate(learning_rate_at(config, step, len(images)))
        state.optimizer.step()
    return _score(noise, data, state)


@torch.no_grad()
def _score(noise: Noise, data: ImageData, state: TrainState) -> Row:
    """Fit the noise to training images, then score the validation split."""
    training, _ = _residuals_and_rates(state, data.train.images[:_N_CALIBRATION])
    validation, rates = _residuals_and_rates(state, data.validation.images)
    covariance_FCC = _covariance(noise, _second_moments(noise, training))
    moments_FCC = _covariance(noise, _second_moments(noise, validation))
    rate_nats = float(rates.mean())
    bpd = bits_per_dimension(codeless_gaussian.gaussian_nats(covariance_FCC, moments_FCC), rate_nats)
    return Row(noise, bpd, rate_nats, _psnr_db(validation))


def _residuals_and_rates(state: TrainState, images: Tensor) -> tuple[Tensor, Tensor]:
    parts = [_residual_and_rate(state, chunk) for chunk in images.split(_CHUNK)]
    residuals, rates = zip(*parts, strict=True)
    return torch.cat(residuals), torch.cat(rates)


def _residual_and_rate(state: TrainState, batch: Tensor) -> tuple[Tensor, Tensor]:
    """Return image less reconstruction (B, C, H, W), and the rate of each image in nats (B,)."""
    x = to_unit(batch)
    noise = torch.randn(len(x), LATENT_DIM, generator=state.noise)
    reconstruction, mean, log_variance = state.model(x, noise)
    return x - reconstruction, elbo.rate_per_dimension(mean, log_variance).sum(1)


def _second_moments(noise: Noise, residual_BCHW: Tensor) -> Tensor:
    """Return mean products between colours at each pixel or frequency, with the dequantization noise, (F, C, C)."""
    residual = residual_BCHW.double()
    if noise == "frequencies":
        transform = codeless_gaussian.cosine_transform(residual.shape[2])
        residual = transform @ residual @ transform.T
    flat_BCF = residual.flatten(2)
    moments = torch.einsum("bcf,bdf->fcd", flat_BCF, flat_BCF) / len(flat_BCF)
    return moments + elbo.DEQUANTIZATION_VARIANCE * torch.eye(flat_BCF.shape[1], dtype=torch.float64)


def _covariance(noise: Noise, moments_FCC: Tensor) -> Tensor:
    """Return the covariance of maximum likelihood of this kind of noise, (F, C, C)."""
    if noise == "frequencies":
        return moments_FCC
    colours_CC = moments_FCC.mean(0)
    if noise == "one variance":
        colours_CC = colours_CC.diagonal().mean() * torch.eye(len(colours_CC), dtype=torch.float64)
    return colours_CC.expand_as(moments_FCC)


def _psnr_db(residual: Tensor) -> float:
    return -10 * math.log10(float(residual.square().mean()))


if __name__ == "__main__":
    typer.run(main)
