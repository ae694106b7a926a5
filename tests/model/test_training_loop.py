"""Training: repeatable, resumable to the last bit, and robust against values that are not finite."""

import random
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from model.config import TrainConfig
from model.data.images import ImageData
from model.device import Runtime
from model.scoring.evaluation import evaluate
from model.training.batch_order import BatchOrder
from model.training.checkpoint import CheckpointError, load_model, load_state, save_model, save_state
from model.training.training_loop import Diverged, EpochMetrics, TrainState, train

SMALL = TrainConfig(latent_dim=8, batch_size=32, epochs=3, channels=(8, 8, 16, 16), learning_rate=3e-3)
CLOCKED = ("images_per_second", "elapsed_s")


def timeless(metrics: EpochMetrics) -> dict[str, float]:
    """Metrics without what the clock says."""
    return {name: value for name, value in asdict(metrics).items() if name not in CLOCKED}


def test_training_twice_gives_identical_metrics(data: ImageData, runtime: Runtime) -> None:
    first, second = ([timeless(m) for m in train(TrainState(SMALL, runtime), data)] for _ in range(2))
    assert first == second
    assert len(first) == 3


def test_another_seed_gives_other_metrics(data: ImageData, runtime: Runtime) -> None:
    first, second = (next(train(TrainState(replace(SMALL, seed=seed), runtime), data)).val_bpd for seed in (0, 1))
    assert first != second


def test_training_improves_the_score(data: ImageData, runtime: Runtime) -> None:
    scores = [metrics.val_bpd for metrics in train(TrainState(replace(SMALL, epochs=8), runtime), data)]
    assert scores[-1] < scores[0] - 0.2


@pytest.mark.parametrize("reports_before", [1, 2])
def test_a_run_resumed_from_its_checkpoint_ends_as_if_never_interrupted(
    data: ImageData, runtime: Runtime, tmp_path: Path, reports_before: int
) -> None:
    config = replace(SMALL, epochs=2, report_every=0.75, schedule="cosine", batch_size=48)
    whole = [timeless(metrics) for metrics in train(TrainState(config, runtime), data)]
    assert len(whole) == 3
    state = TrainState(config, runtime)
    stretches = train(state, data)
    history = [asdict(next(stretches)) for _ in range(reports_before)]
    save_state(tmp_path / "state.pt", state, history)
    resumed, reported = load_state(tmp_path / "state.pt", config, runtime)
    assert reported == history
    assert [timeless(metrics) for metrics in train(resumed, data)] == whole[reports_before:]


def test_a_truncated_or_foreign_checkpoint_is_named(data: ImageData, runtime: Runtime, tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_state(path, TrainState(SMALL, runtime), [])
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"state\.pt"):
        load_state(path, SMALL, runtime)
    save_state(path, TrainState(SMALL, runtime), [])
    with pytest.raises(CheckpointError, match="other hyperparameters"):
        load_state(path, replace(SMALL, beta=2.0), runtime)


@pytest.mark.parametrize("seed", range(40))
def test_a_checkpoint_with_damaged_bytes_is_named_or_harmless(runtime: Runtime, tmp_path: Path, seed: int) -> None:
    path, chance = tmp_path / "state.pt", random.Random(seed)
    state = TrainState(SMALL, runtime)
    save_state(path, state, [{"val_bpd": 7.0}])
    contents = bytearray(path.read_bytes())
    # Half of them where the pickled structure lies, which fails in ways of every kind.
    at = chance.randrange(3000 if seed % 2 else len(contents) - 64)
    contents[at : at + chance.randint(1, 64)] = chance.randbytes(chance.randint(1, 64))
    path.write_bytes(contents)
    try:
        loaded, history = load_state(path, SMALL, runtime)
    except CheckpointError as error:
        assert str(path) in str(error)
    else:
        assert history == [{"val_bpd": 7.0}]
        for name, value in state.model.state_dict().items():
            assert torch.equal(loaded.model.state_dict()[name], value)


def test_a_saved_model_is_no_state_to_go_on_from(runtime: Runtime, tmp_path: Path) -> None:
    save_model(tmp_path / "model.pt", TrainState(SMALL, runtime).model, 0.1, SMALL)
    with pytest.raises(CheckpointError, match="holds a model alone, not the state of a run"):
        load_state(tmp_path / "model.pt", SMALL, runtime)


def test_a_saved_model_scores_as_it_did(data: ImageData, runtime: Runtime, tmp_path: Path) -> None:
    state = TrainState(SMALL, runtime)
    last = list(train(state, data))[-1]
    save_model(tmp_path / "model.pt", state.model, last.sigma, SMALL)
    model, sigma, config = load_model(tmp_path / "model.pt")
    assert config == SMALL
    assert evaluate(model, data.validation.images, sigma, runtime).bpd == last.val_bpd


def test_a_non_finite_update_is_skipped_and_counted(data: ImageData, runtime: Runtime) -> None:
    state = TrainState(replace(SMALL, epochs=1), runtime)
    calls = iter(range(100))
    state.model.encoder.mean.weight.register_hook(lambda grad: grad * float("nan") if next(calls) in (2, 5) else grad)
    (metrics,) = train(state, data)
    assert metrics.skipped_updates == state.skipped_updates == 2
    assert all(torch.isfinite(parameter).all() for parameter in state.model.parameters())
    steps = {float(entry["step"]) for entry in state.optimizer.state.values()}
    assert steps == {10.0 - 2.0}


def test_an_update_whose_images_came_out_as_nan_leaves_the_batch_statistics_alone(
    data: ImageData, runtime: Runtime
) -> None:
    state = TrainState(replace(SMALL, epochs=1, architecture="plain"), runtime)
    calls = iter(range(100))
    state.model.encoder.mean.register_forward_hook(
        lambda _module, _inputs, output: output * float("nan") if next(calls) == 4 else output
    )
    (metrics,) = train(state, data)
    assert metrics.skipped_updates == 1
    assert all(torch.isfinite(buffer).all() for buffer in state.model.buffers())


def test_a_checkpoint_of_another_device_or_precision_is_refused(
    data: ImageData, runtime: Runtime, tmp_path: Path
) -> None:
    save_state(tmp_path / "state.pt", TrainState(SMALL, runtime), [])
    with pytest.raises(CheckpointError, match="written on cpu, float32, this is cpu, bfloat16"):
        load_state(tmp_path / "state.pt", SMALL, Runtime(runtime.device, "bfloat16"))


def test_a_run_that_keeps_diverging_says_so(data: ImageData, runtime: Runtime) -> None:
    state = TrainState(SMALL, runtime)
    state.model.encoder.mean.weight.register_hook(lambda grad: grad * float("inf"))
    with pytest.raises(Diverged, match="10 of 10 updates"):
        next(train(state, data))


def test_a_score_that_is_not_finite_ends_the_run(data: ImageData, runtime: Runtime) -> None:
    state = TrainState(replace(SMALL, architecture="plain"), runtime)
    state.model.decoder.trunk[1].register_buffer("running_mean", torch.full((16,), float("nan")))
    with pytest.raises(Diverged, match="score at epoch 1"):
        next(train(state, data))


def test_gradients_are_clipped_to_the_norm_asked_for(data: ImageData, runtime: Runtime) -> None:
    free, clipped = (TrainState(replace(SMALL, epochs=1, max_grad_norm=norm), runtime) for norm in (1e9, 1e-3))
    for state in (free, clipped):
        next(train(state, data))
    assert float(clipped.gradients.norm()) == pytest.approx(1e-3, rel=1e-4)
    assert free.gradients.norm() > 1e-3


def test_binary_cross_entropy_trains_otherwise_and_is_scored_the_same(data: ImageData, runtime: Runtime) -> None:
    gaussian, bce = (
        list(train(TrainState(replace(SMALL, reconstruction=kind), runtime), data))[-1] for kind in ("gaussian", "bce")
    )
    assert gaussian.val_bpd != bce.val_bpd
    assert 6 < bce.val_bpd < 9


def test_reports_come_after_the_same_images_at_every_batch_size(data: ImageData, runtime: Runtime) -> None:
    for batch_size in (16, 48, 100):
        config = replace(SMALL, epochs=1, report_every=0.5, batch_size=batch_size)
        seen = [metrics.images_seen for metrics in train(TrainState(config, runtime), data)]
        assert [target <= images < target + batch_size for images, target in zip(seen, (160, 320), strict=True)] == [
            True,
            True,
        ]


def test_bfloat16_scores_within_five_hundredths_of_float32(data: ImageData, runtime: Runtime) -> None:
    exact, rounded = (
        list(train(TrainState(replace(SMALL, epochs=5), Runtime(runtime.device, precision)), data))[-1].val_bpd
        for precision in ("float32", "bfloat16")
    )
    assert rounded == pytest.approx(exact, abs=0.05)
    assert rounded != exact


def test_every_pass_of_the_stream_shows_every_image_once() -> None:
    stream = BatchOrder(n_images=10, batch_size=4, seed=0, device=torch.device("cpu"))
    indices = torch.cat([stream.indices(step) for step in range(5)]).tolist()
    assert sorted(indices[:10]) == sorted(indices[10:]) == list(range(10))
    assert indices[:10] != indices[10:]


def test_the_stream_can_be_entered_anywhere() -> None:
    first, second = (BatchOrder(10, 4, seed=3, device=torch.device("cpu")) for _ in range(2))
    in_order = [first.indices(step).tolist() for step in range(6)]
    assert [second.indices(step).tolist() for step in (5, 2, 0)] == [in_order[5], in_order[2], in_order[0]]


def test_schedules_warm_up_then_hold_or_fall_to_zero() -> None:
    cosine = TrainConfig(learning_rate=1.0, batch_size=10, epochs=10, schedule="cosine", warmup_epochs=2)
    rates = [cosine.learning_rate_at(step, n_train=100) for step in range(100)]
    assert rates[:3] == pytest.approx([0.05, 0.1, 0.15])
    assert rates[20] == 1.0
    assert rates[60] == pytest.approx(0.5)
    assert rates[99] < 0.001
    constant = replace(cosine, schedule="constant")
    assert {constant.learning_rate_at(step, 100) for step in range(20, 100)} == {1.0}


def test_report_points_end_with_the_last_epoch() -> None:
    config = TrainConfig(epochs=2, report_every=0.75)
    assert [config.epoch_at(report) for report in range(1, config.n_reports + 1)] == [0.75, 1.5, 2.0]
    assert TrainConfig(epochs=6, report_every=0.1).n_reports == 60
