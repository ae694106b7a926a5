"""One row in a process of its own: `python -m benchmarks.ablation.train_row train|speed ROW SEED ROOT`."""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.ablation.results import RUNS
from benchmarks.ablation.rows import ROWS, Row
from benchmarks.jsonl import append
from benchmarks.machine import describe
from model.data.cifar10 import load_cifar10
from model.data.images import ImageData
from model.device import Runtime, resolve, seeded_generator
from model.scoring import ppca
from model.scoring.evaluation import encode, evaluate
from model.training.initialization import untrained_model
from model.training.train_state import TrainState
from model.training.training_loop import score_validation, train

_SPEED_SHARE = 0.1
# Kept of each report.
_KEPT = ("epoch", "images_seen", "val_bpd", "val_rate_nats", "val_mse", "train_bpd", "skipped_updates")


def train_row(row: Row, seed: int, data: ImageData, runtime: Runtime) -> dict[str, Any]:
    """Train as the row says; return its learning curve, what its codes are like at the end, and what it cost."""
    started = time.process_time()
    state = begin(row, seed, data, runtime)
    reports = [{name: _rounded(getattr(metrics, name)) for name in _KEPT} for metrics in train(state, data)]
    cost = {"cpu_seconds": round(time.process_time() - started), **describe(runtime)}
    result = {"n_weights": len(state.weights), "reports": reports, **cost}
    if row.part == "reach":
        return result | _test_scores(state, data)
    return result if row.part == "network" else result | {"mixture_gap_nats": mixture_gap(state, data)}


def _test_scores(state: TrainState, data: ImageData) -> dict[str, Any]:
    """On the test split, ours and pPCA's of the same size, fitted on the same images."""
    sigma, _ = score_validation(state, data)
    scored, latent_dim = evaluate(state.model, data.test.images, sigma, state.runtime), state.config.latent_dim
    linear = ppca.score(ppca.fit(data.train.images), data.test.images, [latent_dim])[latent_dim]
    return {
        "test_bpd": scored.bpd,
        "test_rate_nats": scored.rate_nats,
        "test_mse": scored.mse,
        "ppca_test_bpd": linear,
    }


def begin(row: Row, seed: int, data: ImageData, runtime: Runtime, report_every: float = 1.0) -> TrainState:
    """The row's model, untrained, with its optimizer."""
    config = replace(row.config, seed=seed, report_every=report_every)
    model = untrained_model(config, data.train.images)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for change in row.changes:
            change(model)
    return TrainState(config, runtime, model.to(memory_format=torch.channels_last))  # type: ignore[call-overload]


def mixture_gap(state: TrainState, data: ImageData) -> float:
    """Distance of the codes from the prior: nats per image that a mixture of ten Gaussians in its place would save.

    The mixture is fitted to one code of each training image, and takes codes of the validation images. 0 where the
    codes follow the prior; the rate would fall by so much, and draws from the mixture look so much more like images.
    """
    from hpo.runs.latent_mixture import fit_mixture

    train_codes, codes = (_codes(state, split.images) for split in (data.train, data.validation))
    log_mixture = torch.from_numpy(fit_mixture(train_codes.double().numpy()).score_samples(codes.double().numpy()))
    standard = torch.distributions.Normal(0.0, 1.0)
    return float((log_mixture - standard.log_prob(codes).sum(1)).mean())


def speed(row: Row, data: ImageData, runtime: Runtime) -> float:
    """Images a second in training: the first stretch warms up, the second is timed."""
    state = begin(row, 0, data, runtime)
    state.config = replace(state.config, epochs=1, report_every=_SPEED_SHARE)
    reports = train(state, data)
    next(reports)
    return next(reports).images_per_second


def _codes(state: TrainState, images: Tensor) -> Tensor:
    mean, log_variance = encode(state.model, images, state.runtime)
    noise = torch.randn(mean.shape, generator=seeded_generator(0))
    return mean + noise * torch.exp(0.5 * log_variance)


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.6g}")


def _main() -> None:
    what, name, seed, root = sys.argv[1:]
    (row,) = (row for row in ROWS if row.name == name)
    runtime = resolve("cpu", precision="float32")
    data = load_cifar10(Path(root))
    if what == "speed":
        print(json.dumps({"images_per_second": speed(row, data, runtime)}))
        return
    result = train_row(row, int(seed), data, runtime)
    append(RUNS, {"row": name, "seed": int(seed), **result})
    print(f"{name}, seed {seed}: {result['reports'][-1]['val_bpd']:.4f}", flush=True)


if __name__ == "__main__":
    _main()
