"""One row in a process of its own: `python -m benchmarks.ablation.train_row train|speed ROW SEED ROOT`."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.ablation.results import RUNS
from benchmarks.ablation.rows import ROWS, Row
from benchmarks.jsonl import append
from model.data.cifar10 import load_cifar10
from model.data.images import ImageData
from model.device import Runtime, resolve, seeded_generator
from model.scoring import ppca
from model.scoring.evaluation import encode, evaluate
from model.training.initialization import untrained_model
from model.training.train_state import TrainState
from model.training.training_loop import score_validation, train

_STEPS_AN_EPOCH = 10
_SPEED_SHARE = 0.1
# Kept of each report.
_KEPT = ("epoch", "images_seen", "val_bpd", "val_rate_nats", "val_mse", "train_bpd", "skipped_updates")


def train_row(row: Row, seed: int, data: ImageData, runtime: Runtime) -> dict[str, Any]:
    """Train as the row says; return its learning curve and what its codes are like at the end."""
    state = begin(row, seed, data, runtime)
    reports: list[dict[str, Any]] = []
    final, average = row.config.beta, _Average()
    for metrics in train(state, data):
        if row.averaged_epochs and metrics.epoch > row.config.epochs - row.averaged_epochs - 1e-9:
            average.add(state.weights)
        if row.kl_warmup_epochs:
            state.config = replace(state.config, beta=final * min(1.0, metrics.epoch / row.kl_warmup_epochs))
        if metrics.epoch == int(metrics.epoch):
            reports.append({name: _rounded(getattr(metrics, name)) for name in _KEPT})
    if row.averaged_epochs:
        state.weights.data.copy_(average.mean())
        _, scored = score_validation(state, data)
        reports[-1] |= {"val_bpd": scored.bpd, "val_rate_nats": scored.rate_nats, "val_mse": scored.mse}
    result = {"n_weights": len(state.weights), "reports": reports, "mixture_gap_nats": mixture_gap(state, data)}
    return result | _test_scores(state, data) if row.part == "reach" else result


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


def begin(row: Row, seed: int, data: ImageData, runtime: Runtime) -> TrainState:
    """The row's model, untrained, with its optimizer."""
    in_steps = row.kl_warmup_epochs or row.averaged_epochs
    config = replace(row.config, seed=seed, report_every=1 / _STEPS_AN_EPOCH if in_steps else 1.0)
    if row.kl_warmup_epochs:
        config = replace(config, beta=0.0)
    model = untrained_model(config, data.train.images)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for change in row.changes:
            change(model)
    state = TrainState(config, runtime, model.to(memory_format=torch.channels_last))  # type: ignore[call-overload]
    if row.weight_decay:
        betas = state.optimizer.defaults["betas"]
        state.optimizer = torch.optim.AdamW([state.weights], betas=betas, weight_decay=row.weight_decay, fused=True)
    return state


class _Average:
    """The mean of weights that were seen (Izmailov et al. 2018)."""

    def __init__(self) -> None:
        self._sum: Tensor | None = None
        self._n = 0

    def add(self, weights: Tensor) -> None:
        self._sum = weights.detach().clone() if self._sum is None else self._sum + weights.detach()
        self._n += 1

    def mean(self) -> Tensor:
        assert self._sum is not None
        return self._sum / self._n


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
    state = begin(replace(row, kl_warmup_epochs=0.0, averaged_epochs=0.0), 0, data, runtime)
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
    runtime = resolve("cpu")
    data = load_cifar10(Path(root))
    if what == "speed":
        print(json.dumps({"images_per_second": speed(row, data, runtime)}))
        return
    result = train_row(row, int(seed), data, runtime)
    append(RUNS, {"row": name, "seed": int(seed), **result})
    print(f"{name}, seed {seed}: {result['reports'][-1]['val_bpd']:.4f}", flush=True)


if __name__ == "__main__":
    _main()
