"""The Gaussian without a code against the density that it stands for, in pixels."""

import math

import pytest
import torch

from model.data.images import ImageData, to_unit
from model.scoring import codeless_gaussian, ppca
from model.scoring.elbo import DEQUANTIZATION_VARIANCE


def test_the_transform_is_orthonormal_and_its_first_row_is_the_mean() -> None:
    matrix = codeless_gaussian.cosine_transform(8)
    assert torch.allclose(matrix @ matrix.T, torch.eye(8, dtype=torch.float64))
    assert torch.allclose(matrix[0] * math.sqrt(8), torch.ones(8, dtype=torch.float64))


def test_the_score_is_the_density_of_the_pixels_and_their_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    training, other = (torch.randint(0, 256, (n, 3, 4, 4), dtype=torch.uint8, generator=generator) for n in (64, 5))
    model = codeless_gaussian.fit(training)
    # All of it in pixels: columns are the transform's basis images.
    transform = codeless_gaussian.cosine_transform(4)
    basis = torch.kron(torch.eye(3, dtype=torch.float64), torch.kron(transform, transform).T.contiguous())
    by_frequency = torch.zeros(3, 16, 3, 16, dtype=torch.float64)
    for f in range(16):
        by_frequency[:, f, :, f] = model.covariance[f]
    covariance = basis @ by_frequency.reshape(48, 48) @ basis.T
    mean = to_unit(training).double().flatten(1).mean(0)
    density = torch.distributions.MultivariateNormal(mean, covariance)
    # The noise is uniform over a level: its expected effect follows from its variance.
    noise = 0.5 * DEQUANTIZATION_VARIANCE * torch.linalg.inv(covariance).trace()
    nats = float(noise - density.log_prob(to_unit(other).double().flatten(1)).mean())
    assert codeless_gaussian.score(model, other) == pytest.approx(nats / 48 / math.log(2) + math.log2(255))


def test_photographs_are_explained_better_without_a_code_than_by_a_linear_model(data: ImageData) -> None:
    images = data.validation.images
    without_code = codeless_gaussian.score(codeless_gaussian.fit(data.train.images), images)
    assert without_code < ppca.score(ppca.fit(data.train.images), images, [8])[8]
