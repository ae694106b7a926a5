"""Benchmark of few images: its subsets, its changes of the training, and its page."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from torch import Tensor

from benchmarks.small import lengths, page
from benchmarks.small.regularisers import WAYS, Size, Way, averaged_weights, dropout, run_once, subset, weight_decay
from benchmarks.tables import FOLDER
from model.config import TrainConfig
from model.data.images import ImageData
from model.device import Runtime
from model.training.train_state import TrainState

SMALL = Size(64, 4, 1)


def test_a_subset_keeps_images_with_their_labels_and_all_validation_images(data: ImageData) -> None:
    part = subset(data, 64)
    pairs = {
        (image.sum().item(), label.item()) for image, label in zip(data.train.images, data.train.labels, strict=True)
    }
    found = {
        (image.sum().item(), label.item()) for image, label in zip(part.train.images, part.train.labels, strict=True)
    }
    assert len(part.train) == len(found) == 64 and found <= pairs
    assert torch.equal(part.validation.images, data.validation.images)


def test_dropout_is_for_training_alone(runtime: Runtime) -> None:
    state = TrainState(TrainConfig(latent_dim=4), runtime)
    dropout(state)
    x = torch.rand(8, 3, 32, 32)
    torch.manual_seed(0)
    means = [state.model.train(mode).encoder(x)[0] for mode in (True, True, False, False)]
    assert not torch.equal(means[0], means[1])
    assert torch.equal(means[2], means[3])


def test_weight_decay_shrinks_the_weights_without_a_gradient(runtime: Runtime) -> None:
    state = TrainState(TrainConfig(latent_dim=4, learning_rate=0.1, skip_learning_rate=1.0), runtime)
    weight_decay(state)
    before = state.weights.detach().clone()
    state.optimizer.step()
    torch.testing.assert_close(state.weights.detach(), before * 0.9)


def test_averaged_weights_lie_between_the_first_and_the_last(runtime: Runtime) -> None:
    state = TrainState(TrainConfig(latent_dim=4), runtime)
    take = averaged_weights(state)
    state.optimizer.step()
    first = state.weights.detach().clone()
    state.weights.data.add_(1.0)
    state.optimizer.step()
    take()
    assert torch.allclose(state.weights - first, torch.full_like(first, 1 / 200), atol=1e-4)


def test_a_result_has_the_score_ppcas_and_the_lowest(data: ImageData, runtime: Runtime) -> None:
    way = Way("small", {"channels": (4, 8, 8), "batch_size": 16})
    found = run_once(way, SMALL, data, runtime)
    assert found["lowest_val_bpd"] == found["val_bpd"] < 9
    averaged = run_once(replace(way, change=averaged_weights), SMALL, data, runtime)
    assert averaged["lowest_val_bpd"] == found["val_bpd"] != averaged["val_bpd"]
    assert found["ppca_bpd"] < 9


def test_the_page_is_what_its_results_make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(page, "FIGURE", tmp_path / "figure.png")
    page.write_page()
    assert (tmp_path / "page.md").read_text() == (FOLDER / "SMALL.md").read_text()
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_a_score_that_an_earlier_epoch_beat_is_marked() -> None:
    run = {"way": WAYS[0].name, "n_train": 1000, "val_bpd": 6.6, "lowest_val_bpd": 6.5, "ppca_bpd": 6.7}
    text = page.page([{**run, "device": "d", "precision": "p"}], [], [])
    assert "6.6000 (+0.100), lowest 6.5000" in text


def test_a_case_that_overfits_is_trained_shorter_and_one_that_does_not_as_long(
    data: ImageData, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compared(*curves: list[float]) -> dict[str, Any]:
        remaining = list(curves)
        monkeypatch.setattr(
            lengths,
            "_curve",
            lambda *_: [(float(epoch), score, score + 1) for epoch, score in enumerate(remaining.pop(0), start=1)],
        )
        found = lengths.compare(lengths.Case(64, 3), data, runtime)
        assert not remaining
        return found

    overfitted = compared([6.0, 5.0, 5.5], [6.0, 5.1, 5.6], [6.0, 5.3, 5.4], [6.0, 4.9], [6.0, 4.7])
    expected = {"n_epochs": 2, "trial_end": 5.5, "trial_lowest": 5.0, "full": 6.5, "shorter": 5.8, "best_epoch": 6.2}
    assert overfitted == pytest.approx(expected)
    assert compared([6.0, 5.0, 4.9], [6.0, 5.0, 4.8], [6.0, 5.0, 4.6])["shorter"] == pytest.approx(5.7)


def test_a_length_is_chosen_with_one_half_of_the_validation_images_and_scored_with_the_other(
    data: ImageData, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[Tensor] = []
    choosing: list[Tensor] = []

    def evaluate(_model: object, images: Tensor, *_: object) -> Mock:
        scored.append(images)
        return Mock(bpd=1.0)

    def train(_state: TrainState, split: ImageData) -> list[Mock]:
        choosing.append(split.validation.images)
        return [Mock(epoch=1, val_bpd=2.0)]

    monkeypatch.setattr(lengths, "evaluate", evaluate)
    monkeypatch.setattr(lengths, "train", train)
    assert lengths._curve({"channels": (4, 8, 8)}, 1, 0, data, runtime) == [(1, 2.0, 1.0)]
    assert torch.equal(torch.cat([*choosing, *scored]), data.validation.images)
    assert len(choosing[0]) == len(scored[0])
