"""Pictures of a trained model: computed here from the model and its data, drawn by `hpo.figures`.

Evaluation mode and fixed seeds throughout: drawing again gives the same pictures.
N images, T steps, D dimensions chosen, Z latent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from hpo.figures.arrays import Floats, Pixels
from hpo.figures.class_labels import class_labels
from hpo.figures.run import (
    interpolations,
    latent_map,
    loss_curves,
    reconstructions,
    samples,
    score_beside_linear_models,
    traversals,
    tsne_and_pca,
)
from hpo.figures.run import kl_per_dimension as kl_figure
from hpo.figures.run.latent_map_data import latent_map_data
from hpo.runs.latent_mixture import fit_mixture_of_any_size, mixture_samples
from hpo.storage.paths import RunPaths
from model.data.images import ImageData, LabelledImages, as_rgb
from model.device import Runtime, seeded_generator
from model.network.vae import ConvVAE
from model.picture_inputs import fixed_positions
from model.scoring import elbo, ppca
from model.scoring.evaluation import decode, encode, reconstruct

N_FIXED, N_EXTREMES, N_SAMPLES = 20, 10, 64
N_INTERPOLATIONS, N_PRIOR_INTERPOLATIONS = 5, 3
N_TRAVERSED = 12
N_FITTED, N_MAPPED = 10_000, 3_000
_SAMPLES_SEED, _INTERPOLATIONS_SEED = 4, 7


@dataclass(frozen=True)
class Extremes:
    """Positions of the images of lowest and of highest error in their split, best and worst first."""

    best: tuple[int, ...]
    worst: tuple[int, ...]


def run_drawings(
    model: ConvVAE, data: ImageData, runtime: Runtime, paths: RunPaths, history: pd.DataFrame
) -> dict[str, Callable[[], None]]:
    """Return the steps that draw every picture of a run, by name.

    `data` lies on the runtime's device, `history` has a row per report point.
    """
    fitted = fixed_positions(data.train, min(N_FITTED, len(data.train)))

    @cache
    def means_NZ() -> Floats:
        return posterior_means(model, data.train.images[fitted.to(runtime.device)], runtime)

    return {
        "loss curves": lambda: loss_curves.draw_loss_curves(history, paths.loss_curves),
        "linear models": lambda: _draw_linear_models(model.latent_dim, history["val_bpd"].iloc[-1], data, paths),
        "reconstructions": lambda: _draw_reconstructions(model, data.validation, runtime, paths),
        "samples": lambda: _draw_samples(model, means_NZ(), runtime, paths),
        "interpolations": lambda: _draw_interpolations(model, data, runtime, paths),
        "KL and traversals": lambda: _draw_dimensions(model, data.validation, runtime, paths),
        "latent maps": lambda: _draw_maps(data, fitted, means_NZ(), paths),
    }


def posterior_means(model: ConvVAE, images: Tensor, runtime: Runtime) -> Floats:
    """Compute posterior means (N, Z) of uint8 images."""
    means: Floats = encode(model, images, runtime)[0].double().numpy()
    return means


def decode_latents(model: ConvVAE, latents: Floats, runtime: Runtime) -> Pixels:
    """Decode latent vectors (..., Z) to images: uint8 (..., H, W, 3)."""
    flat = torch.from_numpy(latents.reshape(-1, latents.shape[-1])).float()
    images = as_rgb(decode(model, flat, runtime))
    return images.reshape(*latents.shape[:-1], *images.shape[1:])


def squared_error_per_image(images: Tensor, reconstructed: Tensor) -> Floats:
    """Compute the mean squared error of each pair of uint8 images (N, C, H, W), pixels in [0, 1], shape (N,)."""
    errors = [
        (originals.cpu().double() - reconstructions).div(255).square().flatten(1).mean(1)
        for originals, reconstructions in zip(images.split(500), reconstructed.split(500), strict=True)
    ]
    return torch.cat(errors).numpy()


def extremes(errors: Floats, n_images: int) -> Extremes:
    """Return the `n_images` of lowest and of highest error (N,); equal ones in their order."""
    best, worst = np.argsort(errors, kind="stable"), np.argsort(-errors, kind="stable")
    return Extremes(tuple(best[:n_images].tolist()), tuple(worst[:n_images].tolist()))


def kl_per_dimension(model: ConvVAE, images: Tensor, runtime: Runtime) -> Floats:
    """Compute the mean KL to the prior of each latent dimension over uint8 images, in nats, shape (Z,)."""
    mean, log_variance = encode(model, images, runtime)
    rates: Floats = elbo.rate_per_dimension(mean, log_variance).double().mean(0).numpy()
    return rates


def highest(values: Floats, n: int) -> NDArray[np.intp]:
    """Return the indices of the `n` largest values, the largest first."""
    return np.argsort(-values, kind="stable")[:n]


def most_faithful(model: ConvVAE, split: LabelledImages, means_NZ: Floats, runtime: Runtime) -> int:
    """Return the position in its split of the fixed image that is reconstructed with the least error.

    Images of medium brightness have the least error. They leave room for a traversal in both directions; in black and
    white parts it would show nothing.
    """
    fixed = fixed_positions(split, min(N_FIXED, len(split)))
    reconstructed = decode(model, torch.from_numpy(means_NZ[fixed.numpy()]).float(), runtime)
    errors = squared_error_per_image(split.images[fixed.to(split.images.device)], reconstructed)
    return int(fixed[extremes(errors, 1).best[0]])


def _draw_linear_models(latent_dim: int, val_bpd: float, data: ImageData, paths: RunPaths) -> None:
    n_dims = data.train.images[0].numel()
    n_directions = ppca.n_directions(n_dims, len(data.train), n_dims)
    scores = ppca.score(ppca.fit(data.train.images), data.validation.images, list(range(1, n_directions + 1)))
    score_beside_linear_models.draw_score_beside_linear_models(
        sorted(scores.items()), latent_dim, val_bpd, paths.linear_models
    )


def _draw_reconstructions(model: ConvVAE, split: LabelledImages, runtime: Runtime, paths: RunPaths) -> None:
    reconstructed = reconstruct(model, split.images, runtime)
    errors = squared_error_per_image(split.images, reconstructed)
    ends = extremes(errors, N_EXTREMES)
    fixed = fixed_positions(split, min(N_FIXED, len(split))).tolist()
    headings = {
        "A fixed choice, evenly over the classes": fixed,
        f"The {len(ends.best)} of lowest error among {len(split):,}": ends.best,
        f"The {len(ends.worst)} of highest error": ends.worst,
    }
    groups = [
        reconstructions.ReconstructionGroup(
            heading, as_rgb(split.images[list(chosen)]), as_rgb(reconstructed[list(chosen)])
        )
        for heading, chosen in headings.items()
    ]
    reconstructions.draw_reconstructions(groups, float(errors.mean()), paths.reconstructions)


def _draw_samples(model: ConvVAE, means_NZ: Floats, runtime: Runtime, paths: RunPaths) -> None:
    prior = torch.randn(N_SAMPLES, model.latent_dim, generator=seeded_generator(_SAMPLES_SEED)).double().numpy()
    mixture = fit_mixture_of_any_size(means_NZ)
    fitted = mixture_samples(mixture, N_SAMPLES)
    sides = [decode_latents(model, side, runtime) for side in (prior, fitted)]
    samples.draw_samples(sides[0], sides[1], int(mixture.n_components), paths.samples)


def _draw_interpolations(model: ConvVAE, data: ImageData, runtime: Runtime, paths: RunPaths) -> None:
    n = N_INTERPOLATIONS
    chosen = fixed_positions(data.validation, 2 * n)
    images = data.validation.images[chosen.to(runtime.device)]
    means, pixels = posterior_means(model, images, runtime), as_rgb(images)
    labels = class_labels(data.class_names)
    names = [labels[int(label)] for label in data.validation.labels[chosen]]
    real = [
        interpolations.Interpolation(
            f"{names[start]} → {names[end]}",
            pixels[[start, end]],
            decode_latents(
                model, interpolations.linear_interpolation(means[start], means[end], interpolations.N_STEPS), runtime
            ),
        )
        # Half of the chosen images apart: with two classes of equal size, no pair is of one class.
        for start, end in zip(range(n), range(n, 2 * n), strict=True)
    ]
    generator = seeded_generator(_INTERPOLATIONS_SEED)
    draws = torch.randn(N_PRIOR_INTERPOLATIONS, 2, model.latent_dim, generator=generator).double().numpy()
    prior = [decode_latents(model, interpolations.spherical_interpolation(start, end), runtime) for start, end in draws]
    interpolations.draw_interpolations(real, prior, paths.interpolations)


def _draw_dimensions(model: ConvVAE, split: LabelledImages, runtime: Runtime, paths: RunPaths) -> None:
    kl = kl_per_dimension(model, split.images, runtime)
    means_NZ = posterior_means(model, split.images, runtime)
    data = kl_figure.kl_per_dimension_data(kl, means_NZ.var(axis=0, ddof=1))
    kl_figure.draw_kl_per_dimension(data, paths.kl_per_dimension)
    chosen = most_faithful(model, split, means_NZ, runtime)
    dimensions = highest(kl, N_TRAVERSED)
    images = decode_latents(model, traversals.traverse(means_NZ[chosen], dimensions, traversals.OFFSETS), runtime)
    rows = [
        traversals.Traversal(int(dimension), float(kl[dimension]), row)
        for dimension, row in zip(dimensions, images, strict=True)
    ]
    original = as_rgb(split.images[chosen : chosen + 1])
    traversals.draw_traversals(original, traversals.OFFSETS.tolist(), rows, paths.traversals)


def _draw_maps(data: ImageData, fitted: Tensor, means_NZ: Floats, paths: RunPaths) -> None:
    n_mapped = min(N_MAPPED, len(fitted))
    shown = ((torch.arange(n_mapped) + 0.5) * len(fitted) / n_mapped).long()
    mapped = fitted[shown]
    images = as_rgb(data.train.images[mapped.to(data.train.images.device)])
    labels = data.train.labels[mapped].numpy()
    pca = tsne_and_pca.principal_components(means_NZ, means_NZ[shown.numpy()])
    tsne = tsne_and_pca.tsne_coordinates(means_NZ[shown.numpy()])
    for coordinates, explained, path in (
        (pca.coordinates, pca.explained, paths.latent_pca),
        (tsne, None, paths.latent_tsne),
    ):
        latent_map.draw_latent_map(
            latent_map_data(coordinates, images, labels, data.class_names, explained), images, path
        )
