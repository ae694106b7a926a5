"""Pictures of a run: reproducible, in evaluation mode, and computed from the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hpo.figures.run import interpolations, traversals
from hpo.runs import run_figures
from hpo.storage.paths import RunPaths
from model.data.images import ImageData, as_pixels
from model.device import Runtime
from model.network.vae import ConvVAE
from model.scoring.evaluation import decode, encode, evaluate
from tests.figures.pictures import run_history


def draw_all(drawings: dict[str, Callable[[], None]]) -> None:
    for draw in drawings.values():
        draw()


@pytest.fixture
def model() -> ConvVAE:
    torch.manual_seed(0)
    return ConvVAE(latent_dim=4, channels=(4, 4, 8, 8))


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
    assert run_figures.squared_error_per_image(images, reconstructed).tolist() == [0.0, 1.0, pytest.approx(0.04 / 3)]


def test_traversal_centre_is_the_reconstruction_through_the_mean(
    model: ConvVAE, data: ImageData, runtime: Runtime
) -> None:
    images = data.validation.images[:1]
    mean = run_figures.posterior_means(model, images, runtime)[0]
    centre = len(traversals.OFFSETS) // 2
    assert traversals.OFFSETS[centre] == 0
    walked = run_figures.decode_latents(model, traversals.traverse(mean, np.arange(4), traversals.OFFSETS), runtime)
    expected = as_pixels(decode(model, encode(model, images, runtime)[0], runtime))[0]
    assert walked.shape == (4, len(traversals.OFFSETS), 32, 32, 3)
    assert all(np.array_equal(row[centre], expected) for row in walked)


def test_interpolation_ends_are_the_reconstructions_of_the_endpoints(
    model: ConvVAE, data: ImageData, runtime: Runtime
) -> None:
    images = data.validation.images[:2]
    start, end = run_figures.posterior_means(model, images, runtime)
    steps = run_figures.decode_latents(model, interpolations.linear_interpolation(start, end, 5), runtime)
    expected = as_pixels(decode(model, encode(model, images, runtime)[0], runtime))
    assert np.array_equal(steps[[0, -1]], expected)


def test_kl_per_dimension_sums_to_the_rate(model: ConvVAE, data: ImageData, runtime: Runtime) -> None:
    kl = run_figures.kl_per_dimension(model, data.validation.images, runtime)
    scored = evaluate(model, data.validation.images, 0.2, runtime)
    assert kl == pytest.approx(np.array(scored.rate_per_dimension), rel=1e-5)
    assert run_figures.highest(kl, 2).tolist() == sorted(range(4), key=lambda dimension: -kl[dimension])[:2]


def test_drawing_twice_gives_the_same_pictures_and_leaves_the_model_unchanged(
    model: ConvVAE, few_images: ImageData, runtime: Runtime, tmp_path: Path
) -> None:
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random_state = torch.get_rng_state()
    drawn = []
    for folder in (tmp_path / "first", tmp_path / "second"):
        folder.mkdir()
        draw_all(run_figures.run_drawings(model, few_images, runtime, RunPaths(folder), run_history([8.0, 7.0])))
        drawn.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert drawn[0] == drawn[1]
    paths = RunPaths(tmp_path)
    expected = (
        *("loss_curves", "linear_models", "reconstructions", "samples", "interpolations"),
        *("traversals", "latent_pca", "latent_tsne", "kl_per_dimension"),
    )
    assert set(drawn[0]) == {getattr(paths, name).name for name in expected}
    assert model.training
    assert torch.equal(torch.get_rng_state(), random_state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_model_of_one_latent_dimension_has_all_pictures(
    few_images: ImageData, runtime: Runtime, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = ConvVAE(latent_dim=1, channels=(4, 4, 8, 8))
    draw_all(run_figures.run_drawings(model, few_images, runtime, RunPaths(tmp_path), run_history([8.0, 7.0])))
    assert len(list(tmp_path.iterdir())) == 9


def test_a_model_of_small_grey_images_has_all_pictures(few_images: ImageData, runtime: Runtime, tmp_path: Path) -> None:
    names = ("train", "validation", "test")
    grey = {
        name: replace(getattr(few_images, name), images=getattr(few_images, name).images[:, :1, 2:30, 2:30])
        for name in names
    }
    model = ConvVAE(latent_dim=4, channels=(4, 4, 8), image_shape=(1, 28, 28))
    data = replace(few_images, **grey)
    draw_all(run_figures.run_drawings(model, data, runtime, RunPaths(tmp_path), run_history([8.0, 7.0])))
    assert len(list(tmp_path.iterdir())) == 9
    with Image.open(RunPaths(tmp_path).samples) as picture:
        assert picture.mode == "RGB"
