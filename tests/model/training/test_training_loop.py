"""Training: repeatable, resumable to the last bit, and robust against values that are not finite."""

import math
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Normal

from model.config import Architecture, Reconstruction, Schedule
from model.data.augmentation import draw_batch
from model.data.images import ImageData, to_unit
from model.device import Runtime
from model.scoring.definitions import bits_per_dimension
from model.scoring.elbo import DEQUANTIZATION_VARIANCE
from model.scoring.evaluation import calibrate_sigma, evaluate
from model.training import training_loop
from model.training.batch_order import BatchOrder
from model.training.checkpoint import load_state, save_state
from model.training.packed_tensors import flattened
from model.training.tensor_file import CheckpointError
from model.training.train_state import TrainState
from model.training.training_loop import Diverged, EpochMetrics, _step_if_finite, score_validation, train
from tests.model.conftest import SMALL, SmallRun, without_times


def test_training_twice_gives_identical_metrics(data: ImageData, runtime: Runtime, small_run: SmallRun) -> None:
    again = [without_times(metrics) for metrics in train(TrainState(SMALL, runtime), data)]
    assert again == [without_times(metrics) for metrics in small_run.metrics]
    assert len(again) == 3


def test_another_seed_gives_other_metrics(data: ImageData, runtime: Runtime, small_run: SmallRun) -> None:
    other = next(train(TrainState(replace(SMALL, seed=1), runtime), data))
    assert other.val_bpd != small_run.metrics[0].val_bpd


@pytest.mark.parametrize("reconstruction", ["gaussian", "bce"])
def test_an_update_follows_distortion_plus_beta_times_rate_with_the_configured_moments(
    few_images: ImageData, runtime: Runtime, reconstruction: Reconstruction
) -> None:
    config = replace(
        SMALL,
        beta=3.0,
        adam_beta2=0.9,
        batch_size=64,
        epochs=1,
        max_grad_norm=1e9,
        reconstruction=reconstruction,
        horizontal_flip=True,
        max_shift=2,
        pca_start=False,
    )
    trained, fresh = TrainState(config, runtime), TrainState(config, runtime)
    list(train(trained, few_images))
    indices = BatchOrder(64, 64, config.seed, runtime.device).indices(0)
    x_BCHW = to_unit(draw_batch(few_images.train.images, indices, True, 2, generator=fresh.noise))
    noise_BZ = torch.randn(64, config.latent_dim, generator=fresh.noise)
    reconstruction_BCHW, mean_BZ, log_variance_BZ = fresh.model.train()(x_BCHW, noise_BZ)
    distortion = {
        "gaussian": 3072 / 2 * (reconstruction_BCHW - x_BCHW).square().mean().log(),
        "bce": -Bernoulli(reconstruction_BCHW, validate_args=False).log_prob(x_BCHW).flatten(1).sum(1).mean(),
    }[reconstruction]
    posterior, prior = Normal(mean_BZ, (log_variance_BZ / 2).exp()), Normal(0.0, 1.0)
    loss = distortion + 3.0 * torch.distributions.kl_divergence(posterior, prior).sum(1).mean()
    gradient = torch.cat([flattened(part) for part in torch.autograd.grad(loss, fresh.parameters)])
    parts = trained.optimizer.state.values()
    moments = {name: torch.cat([part[name] for part in parts]) for name in ("exp_avg", "exp_avg_sq")}
    torch.testing.assert_close(moments["exp_avg"], 0.1 * gradient, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(moments["exp_avg_sq"], 0.1 * gradient.square(), rtol=1e-3, atol=1e-4)


def test_metrics_are_means_over_the_updates_and_scores_of_the_validation_images(
    few_images: ImageData, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two updates an epoch, too small to change a weight.
    config = replace(
        SMALL, epochs=2, beta=3.0, learning_rate=1e-12, warmup_epochs=2, horizontal_flip=False, pca_start=False
    )
    fresh = TrainState(config, runtime)
    squared_errors, rates, norms = [], [], []
    for indices in BatchOrder(64, 32, config.seed, runtime.device).between(0, 2):
        x_BCHW = to_unit(few_images.train.images[indices])
        reconstruction_BCHW, mean_BZ, log_variance_BZ = fresh.model(x_BCHW, torch.randn(32, 8, generator=fresh.noise))
        squared_error = (reconstruction_BCHW - x_BCHW).square().mean()
        posterior, prior = Normal(mean_BZ, (log_variance_BZ / 2).exp()), Normal(0.0, 1.0)
        rate = torch.distributions.kl_divergence(posterior, prior).sum(1).mean()
        gradients = torch.autograd.grad(3072 / 2 * squared_error.log() + 3.0 * rate, fresh.parameters)
        squared_errors.append(squared_error.item())
        rates.append(rate.item())
        norms.append(torch.cat([gradient.flatten() for gradient in gradients]).norm().item())
    mse, rate_nats = sum(squared_errors) / 2, sum(rates) / 2
    sigma = calibrate_sigma(fresh.model, few_images.train.images, runtime)
    score = evaluate(fresh.model, few_images.validation.images, sigma, runtime)
    # By epoch: its start, start and end of the updates, end of the validation.
    clock = iter([100.0, 101.0, 105.0, 112.0, 200.0, 201.0, 203.0, 208.0])
    monkeypatch.setattr(training_loop, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    metrics, second = train(TrainState(config, runtime), few_images)
    # At the optimal sigma, the squared error costs 1/2 per dimension.
    at_optimum = math.log(2 * math.pi * metrics.train_mse) + 1 + DEQUANTIZATION_VARIANCE / metrics.train_mse
    distortion = 3072 / 2 * at_optimum
    assert metrics.train_distortion_nats == pytest.approx(distortion, rel=1e-12)
    expected = EpochMetrics(
        epoch=1.0,
        images_seen=64,
        train_bpd=bits_per_dimension(distortion, rate_nats),
        train_rate_nats=rate_nats,
        train_distortion_nats=distortion,
        train_mse=mse,
        val_bpd=score.bpd,
        val_rate_nats=score.rate_nats,
        val_distortion_nats=score.distortion_nats,
        val_mse=score.mse,
        sigma=sigma,
        learning_rate=0.5e-12,
        grad_norm=sum(norms) / 2,
        skipped_updates=0,
        images_per_second=64 / 4,
        elapsed_s=12.0,
    )
    assert asdict(metrics) == pytest.approx(asdict(expected), rel=1e-5, abs=0)
    assert (second.epoch, second.images_seen, second.images_per_second, second.elapsed_s) == (2.0, 128, 32.0, 20.0)


def test_sigma_is_calibrated_on_training_images(few_images: ImageData, runtime: Runtime) -> None:
    state = TrainState(SMALL, runtime)
    sigma, _ = score_validation(state, few_images)
    on_train, on_validation = (
        calibrate_sigma(state.model, split.images, runtime) for split in (few_images.train, few_images.validation)
    )
    assert sigma == on_train != on_validation


def test_training_improves_the_score_at_every_epoch(data: ImageData, runtime: Runtime, small_run: SmallRun) -> None:
    _, untrained = score_validation(TrainState(SMALL, runtime), data)
    scores = [untrained.bpd, *(metrics.val_bpd for metrics in small_run.metrics)]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < scores[0] - 0.2


@pytest.mark.parametrize(("schedule", "architecture"), [("cosine", "linear_skip"), ("schedule_free", "plain")])
def test_a_run_resumed_from_any_checkpoint_ends_as_if_never_interrupted(
    data: ImageData, runtime: Runtime, tmp_path: Path, schedule: Schedule, architecture: Architecture
) -> None:
    config = replace(SMALL, epochs=2, report_every=0.75, schedule=schedule, batch_size=48, architecture=architecture)
    uninterrupted = [without_times(metrics) for metrics in train(TrainState(config, runtime), data)]
    assert len(uninterrupted) == 3
    state, history = TrainState(config, runtime), []
    for n_reports, metrics in zip((1, 2), train(state, data), strict=False):
        history.append(asdict(metrics))
        save_state(tmp_path / f"{n_reports}.pt", state, history)
    for n_reports in (1, 2):
        resumed = load_state(tmp_path / f"{n_reports}.pt", config, runtime)
        assert resumed.history == history[:n_reports]
        assert [without_times(metrics) for metrics in train(resumed.state, data)] == uninterrupted[n_reports:]


@pytest.mark.parametrize("schedule", ["constant", "schedule_free"])
def test_a_longer_run_continues_a_shorter_one_and_ends_as_if_planned_so(
    few_images: ImageData, runtime: Runtime, tmp_path: Path, schedule: Schedule
) -> None:
    shorter = replace(SMALL, epochs=1, report_every=0.5, schedule=schedule, warmup_epochs=0.5, batch_size=4)
    longer = replace(shorter, epochs=2)
    planned = [without_times(metrics) for metrics in train(TrainState(longer, runtime), few_images)]
    state = TrainState(shorter, runtime)
    history = [asdict(metrics) for metrics in train(state, few_images)]
    save_state(tmp_path / "state.pt", state, history)
    start = load_state(tmp_path / "state.pt", longer, runtime)
    continued = [without_times(metrics) for metrics in train(start.state, few_images)]
    assert len(start.history) == len(continued) == 2
    assert continued == planned[2:]


@pytest.mark.parametrize(
    "changed",
    [
        {"schedule": "cosine"},
        # Its reports, or its rates, are not the first ones of a longer run.
        {"report_every": 0.7},
        {"warmup_epochs": 1.5},
    ],
)
def test_a_run_that_cannot_be_made_longer_is_refused(runtime: Runtime, tmp_path: Path, changed: dict[str, Any]) -> None:
    values: dict[str, Any] = {"epochs": 1, "schedule": "constant"} | changed
    config = replace(SMALL, **values)
    save_state(tmp_path / "state.pt", TrainState(config, runtime), [])
    with pytest.raises(CheckpointError, match="other hyperparameters"):
        load_state(tmp_path / "state.pt", replace(config, epochs=2), runtime)
    longer, shorter = replace(SMALL, epochs=3, schedule="constant"), replace(SMALL, epochs=2, schedule="constant")
    assert longer.continues(shorter) and not shorter.continues(longer)


def test_a_non_finite_update_is_skipped_and_counted(few_images: ImageData, runtime: Runtime) -> None:
    state = TrainState(replace(SMALL, epochs=2, batch_size=16), runtime)
    calls, faulty = iter(range(8)), (1, 2, 6)
    state.model.encoder.mean.weight.register_hook(lambda grad: grad * float("nan") if next(calls) in faulty else grad)
    assert [metrics.skipped_updates for metrics in train(state, few_images)] == [2, 3]
    assert all(torch.isfinite(parameter).all() for parameter in state.model.parameters())
    steps = {float(entry["step"]) for entry in state.optimizer.state.values()}
    assert steps == {8.0 - 3.0}


def test_every_update_is_made_once(small_run: SmallRun) -> None:
    steps = {float(entry["step"]) for entry in small_run.state.optimizer.state.values()}
    assert steps == {small_run.state.step} == {30}
    assert [metrics.skipped_updates for metrics in small_run.metrics] == [0, 0, 0]


def test_a_run_that_skips_half_of_its_updates_goes_on(few_images: ImageData, runtime: Runtime) -> None:
    state = TrainState(replace(SMALL, epochs=1), runtime)
    calls = iter(range(2))
    state.model.encoder.mean.weight.register_hook(lambda grad: grad * float("nan") if next(calls) else grad)
    (metrics,) = train(state, few_images)
    assert metrics.skipped_updates == 1


# Fused Adam on a CPU and on CUDA, the other on MPS.
@pytest.mark.parametrize("fused", [True, False])
def test_an_optimizer_steps_if_the_gradient_is_finite(fused: bool) -> None:
    weights = torch.ones(4, requires_grad=True)
    weights.grad = torch.full((4,), 2.0)
    optimizer = torch.optim.Adam([weights], lr=0.25, fused=fused)
    _step_if_finite(optimizer, torch.tensor(False))
    assert weights.tolist() == [1.0] * 4
    _step_if_finite(optimizer, torch.tensor(True))
    # Adam's first step is the learning rate, whatever the gradient.
    assert weights.tolist() == pytest.approx([0.75] * 4)
    assert float(optimizer.state[weights]["step"]) == 1


def test_an_update_with_nan_images_does_not_change_the_batch_statistics(data: ImageData, runtime: Runtime) -> None:
    state = TrainState(replace(SMALL, epochs=1, architecture="plain"), runtime)
    calls = iter(range(100))
    state.model.encoder.mean.register_forward_hook(
        lambda _module, _inputs, output: output * float("nan") if next(calls) == 4 else output
    )
    (metrics,) = train(state, data)
    assert metrics.skipped_updates == 1
    assert all(torch.isfinite(buffer).all() for buffer in state.model.buffers())


def test_a_run_that_keeps_diverging_ends_with_the_number_of_skipped_updates(data: ImageData, runtime: Runtime) -> None:
    state = TrainState(SMALL, runtime)
    state.model.encoder.mean.weight.register_hook(lambda grad: grad * float("inf"))
    with pytest.raises(Diverged, match="10 of 10 updates"):
        next(train(state, data))


def test_a_score_that_is_not_finite_ends_the_run(data: ImageData, runtime: Runtime) -> None:
    state = TrainState(replace(SMALL, architecture="plain"), runtime)
    norm = next(layer for layer in state.model.decoder.modules() if isinstance(layer, nn.BatchNorm2d))
    norm.register_buffer("running_mean", torch.full((16,), float("nan")))
    with pytest.raises(Diverged, match="score at epoch 1"):
        next(train(state, data))


def test_gradients_are_clipped_to_max_grad_norm(data: ImageData, runtime: Runtime) -> None:
    free, clipped = (TrainState(replace(SMALL, epochs=1, max_grad_norm=norm), runtime) for norm in (1e9, 1e-3))
    for state in (free, clipped):
        next(train(state, data))
    assert float(clipped.gradients.norm()) == pytest.approx(1e-3, rel=1e-4)
    assert free.gradients.norm() > 1e-3


def test_binary_cross_entropy_trains_differently_and_is_scored_the_same(
    data: ImageData, runtime: Runtime, small_run: SmallRun
) -> None:
    *_, bce = train(TrainState(replace(SMALL, reconstruction="bce"), runtime), data)
    assert bce.val_bpd != small_run.metrics[-1].val_bpd
    assert 6 < bce.val_bpd < 9


def test_reports_come_after_the_same_images_at_every_batch_size(data: ImageData, runtime: Runtime) -> None:
    for batch_size in (32, 48, 100):
        config = replace(SMALL, epochs=1, report_every=0.5, batch_size=batch_size)
        images_seen = [metrics.images_seen for metrics in train(TrainState(config, runtime), data)]
        for n_images, target in zip(images_seen, (160, 320), strict=True):
            assert target <= n_images < target + batch_size


def test_bfloat16_scores_within_five_hundredths_of_float32(
    data: ImageData, runtime: Runtime, small_run: SmallRun
) -> None:
    exact = small_run.metrics[-1].val_bpd
    *_, rounded = train(TrainState(SMALL, Runtime(runtime.device, "bfloat16")), data)
    assert rounded.val_bpd == pytest.approx(exact, abs=0.05)
    assert rounded.val_bpd != exact
