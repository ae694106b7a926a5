"""The benchmarks measure what they say: their parts against hand-computed cases, their loops on real data."""

import json
import os
import pkgutil
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import overhead, tables
from benchmarks.ceilings import convolutions, training_flops
from benchmarks.machine import find_machine
from benchmarks.measure import Kind, Measurement, _peak_memory, measure
from benchmarks.textbook import TextbookSkipVAE, TextbookVAE
from benchmarks.throughput import BATCH_SIZES, KINDS, row
from hpo.config.dataset_with_fallback import cifar10_root
from model.config import Architecture
from model.device import Runtime
from model.network.vae import ConvVAE

ROOT = Path(__file__).resolve().parents[2]
FLOAT32 = Runtime(torch.device("cpu"), "float32")
# Multiplications of an image's pass forward, by hand: outputs x inputs of each.
CONVOLUTIONS = [16 * 16 * 32 * 48, 8 * 8 * 48 * 512, 4 * 4 * 96 * 768]
# Without the padding, of which each side of an image has one pixel.
INNER_CONVOLUTIONS = [62 * 62 * 32 * 3, 30 * 30 * 48 * 32, 14 * 14 * 96 * 48]
# The last layer, to 3 channels, computes 17x17 cells of 2x2 pixels.
CELLS = 17 * 17 * 12 * 128
EMBEDDING = 8 * 8 * 48 * 48
LATENT_DIM = 5
LINEAR = (2 * (48 * 8 * 8 + 96 * 4 * 4) + 96 * 4 * 4) * LATENT_DIM
needs_cifar10 = pytest.mark.skipif(
    not os.environ.get("CIFAR10_ROOT"),
    reason="CIFAR10_ROOT names no folder that holds cifar-10-batches-py (.ci/run sets it)",
)


def test_a_training_step_costs_what_its_layers_add_up_to() -> None:
    # Two operations a multiplication; forward, and two gradients each, but none of the images.
    by_hand = 2 * 3 * (2 * (sum(INNER_CONVOLUTIONS) + EMBEDDING) + LINEAR) - 2 * (INNER_CONVOLUTIONS[0] + EMBEDDING)
    assert training_flops(LATENT_DIM, batch_size=3) == by_hand


@pytest.mark.parametrize("own", [False, True])
def test_the_convolution_ceiling_is_all_convolutions_of_the_model_and_nothing_else(own: bool) -> None:
    run = convolutions(4, FLOAT32, own=own)
    with FlopCounterMode(display=False) as counter:
        run()
    forward_of_last = CELLS if own else CONVOLUTIONS[0]
    by_hand = 2 * 3 * 2 * sum(CONVOLUTIONS) - 2 * CONVOLUTIONS[0] + 2 * (forward_of_last - CONVOLUTIONS[0])
    assert counter.get_total_flops() == 4 * by_hand


@pytest.mark.parametrize(("own", "n_products"), [(False, 0), (True, 2)])
def test_only_the_models_own_form_has_matrix_products_of_patches(own: bool, n_products: int) -> None:
    """In bfloat16: the gradients of the two weights between 8x8 and 4x4 pixels."""
    run = convolutions(2, Runtime(torch.device("cpu"), "bfloat16"), own=own)
    with FlopCounterMode(display=False) as counter, CountedProducts() as counted:
        run()
    assert counter.get_total_flops() > 0
    assert counted.dtypes == [torch.bfloat16] * n_products


class CountedProducts(TorchDispatchMode):
    """The types of all matrix products."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtypes: list[torch.dtype] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if function in (torch.ops.aten.mm.default, torch.ops.aten.bmm.default):
            self.dtypes.append(args[0].dtype)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize(("textbook", "architecture"), [(TextbookVAE, "plain"), (TextbookSkipVAE, "linear_skip")])
def test_the_textbook_trains_the_same_architecture(
    textbook: type[TextbookVAE | TextbookSkipVAE], architecture: Architecture
) -> None:
    def shapes(model: torch.nn.Module) -> list[tuple[int, ...]]:
        return sorted(tuple(parameter.shape) for parameter in model.parameters())

    assert shapes(textbook(LATENT_DIM)) == shapes(ConvVAE(LATENT_DIM, architecture=architecture))
    reconstruction, mean, log_variance = textbook(LATENT_DIM)(torch.rand(2, 3, 32, 32))
    assert reconstruction.shape == (2, 3, 32, 32) and mean.shape == log_variance.shape == (2, LATENT_DIM)


def measurement(images_per_second: float, first_step_s: float | None = None, peak: int = 0) -> Measurement:
    return Measurement(images_per_second, first_step_s, peak)


def a_round(textbook: float, ours: float) -> dict[Kind, Measurement]:
    return {
        "textbook": measurement(textbook, 2.0, 10),
        "ours": measurement(ours, 3.0, 20),
        "side_by_side": measurement(2 * ours),
        "convolutions": measurement(1000.0),
        "own_convolutions": measurement(500.0),
        "matrix_products": measurement(800.0),
    }


def test_ratios_are_taken_within_a_round_and_their_median_is_reported() -> None:
    # The machine was twice as fast in the last round: the ratio of medians would be 4.
    rounds = [a_round(100, 300), a_round(100, 400), a_round(200, 600)]
    found = row(64, rounds)
    assert (found.ratio, found.ratio_low, found.ratio_high) == (3.0, 3.0, 4.0)
    assert (found.textbook_images_per_second, found.ours_images_per_second) == (100, 400)
    assert (found.share_of_convolution_ceiling, found.share_of_own_convolution_ceiling) == (0.4, 0.8)
    assert found.share_of_matmul_peak == 0.5
    assert (found.side_by_side_ratio, found.side_by_side_images_per_second) == (2.0, 800)
    assert (found.textbook_peak_memory_bytes, found.ours_first_step_s) == (10, 3.0)


def test_an_inner_part_is_not_counted_in_the_outer_one() -> None:
    times = iter([0.0, 1.0, 4.0, 9.0])
    watch = overhead.Stopwatch(lambda: next(times))
    inner = watch.timed("inner", lambda: None)
    watch.timed("outer", inner)()
    assert watch.seconds == {"outer": 1.0 + 5.0, "inner": 3.0}


def test_the_budget_estimate_counts_every_part_of_a_call() -> None:
    times = iter([0.0, 1.0, 4.0, 9.0])
    watch = overhead.Stopwatch(lambda: next(times))
    watch.timed("start", watch.timed("training", lambda: None), whole=True)()
    assert watch.seconds == {"start": 9.0}


def test_the_time_of_a_part_that_raises_is_counted_and_the_error_propagates() -> None:
    times = iter([0.0, 2.0])
    watch = overhead.Stopwatch(lambda: next(times))
    with pytest.raises(ZeroDivisionError):
        watch.timed("part", lambda: 1 / 0)()
    assert watch.seconds == {"part": 2.0}


def test_all_seconds_of_a_search_are_accounted_for_training_first() -> None:
    found = overhead.rows({"storage": 2.0, overhead.TRAINING: 80.0, "evaluation": 8.0}, 100.0)
    assert [(each.item, each.seconds, each.share) for each in found] == [
        (overhead.TRAINING, 80.0, 0.8),
        ("evaluation", 8.0, 0.08),
        ("storage", 2.0, 0.02),
        (overhead.REST, 10.0, 0.1),
    ]


@pytest.mark.parametrize("dotted", overhead.PARTS)
def test_the_parts_under_the_stopwatch_are_there(dotted: str) -> None:
    assert callable(pkgutil.resolve_name(dotted))


def test_the_page_of_results_is_what_the_results_say() -> None:
    assert tables.page(tables.RESULTS) == tables.PAGE.read_text()


@pytest.mark.parametrize("path", sorted(tables.RESULTS.glob("throughput_*.json")), ids=lambda path: path.stem)
def test_the_committed_results_have_all_that_was_asked_for(path: Path) -> None:
    result = json.loads(path.read_text())
    assert path.stem == f"throughput_{result['kind']}"
    assert {"device", "torch", "rows"} <= result.keys()
    assert [each["batch_size"] for each in result["rows"]] == list(BATCH_SIZES)
    for each in result["rows"]:
        assert each["ratio_low"] <= each["ratio"] <= each["ratio_high"]
        assert 0 < each["share_of_matmul_peak"] < 1


def test_peak_memory_grows_with_what_was_allocated() -> None:
    before = _peak_memory(torch.device("cpu"))
    held = torch.ones(before // 4)
    # All of it beside what Python and PyTorch take anyway.
    assert _peak_memory(torch.device("cpu")) > held.nbytes + 50e6


def test_without_cifar10_the_benchmark_says_so_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CIFAR10_ROOT", str(tmp_path))
    with pytest.raises(typer.Exit) as ended:
        find_machine("cpu")
    assert ended.value.exit_code == 2
    assert capsys.readouterr().err.startswith(f"error: CIFAR10_ROOT: {tmp_path}")


@needs_cifar10
@pytest.mark.long
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "side_by_side"])
def test_every_loop_is_measured_on_the_real_data(kind: Kind) -> None:
    started = time.time()
    found = measure(kind, 64, "cpu", cifar10_root(), 320, started)
    assert found.images_per_second > 0
    if kind in ("textbook", "ours"):
        assert found.first_step_s is not None and 0 < found.first_step_s < time.time() - started
    else:
        assert found.first_step_s is None
