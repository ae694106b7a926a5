"""Weights of the showcase as 16-bit numbers."""

from pathlib import Path

import pytest
import torch

from model.config import TrainConfig
from model.data.bundled_sample import load_sample
from model.errors import UserError
from model.network.vae import ConvVAE
from model.trained_model import load_model
from model.training.model_file import save_model
from scripts.half_weights import write_half_weights

IMAGES = load_sample().validation.pixels[:32]


def save(path: Path, scale: float = 1.0) -> Path:
    torch.manual_seed(0)
    config = TrainConfig(latent_dim=16)
    network = ConvVAE.from_config(config)
    with torch.no_grad():
        network.decoder.project.bias.mul_(scale).add_(scale - 1)
    save_model(path, network, 0.2, config)
    return path


def test_half_weights_score_nearly_the_same_in_half_the_space(tmp_path: Path) -> None:
    source, target = save(tmp_path / "model.pt"), tmp_path / "half.pt"
    moved = write_half_weights(source, target, IMAGES)
    scores = [load_model(path, "cpu").score(IMAGES).bpd for path in (source, target)]
    assert 0 < moved == abs(scores[1] - scores[0]) < 1e-3
    assert target.stat().st_size < 0.55 * source.stat().st_size


def test_weights_that_16_bits_cannot_hold_are_refused(tmp_path: Path) -> None:
    source = save(tmp_path / "model.pt", scale=1e5)
    with pytest.raises(UserError, match="with 16-bit weights its score moves by"):
        write_half_weights(source, tmp_path / "half.pt", IMAGES)
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]
