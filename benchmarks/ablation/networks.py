"""Networks by the length of the code: tables for the page, and a figure beside probabilistic PCA (pPCA)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.ablation.results import PPCA, RUNS
from benchmarks.ablation.rows import NETWORKS, REACH, Row
from benchmarks.jsonl import read
from benchmarks.tables import table
from hpo.figures.style import CYCLE, INK, new_figure, save_figure, style_axes

# Lengths at which pPCA is scored.
PPCA_DIMS = (16, 32, 64, 128, 256, 384, 512, 768, 1024)


@dataclass(frozen=True)
class PpcaScores:
    """Scores of pPCA by latent dimension."""

    validation: dict[int, float]
    test: dict[int, float]


def ppca_scores(path: Path = PPCA) -> PpcaScores:
    """Read what was measured."""
    lines = read(path)
    validation, test = ({line["latent_dim"]: line[name] for line in lines} for name in ("val_bpd", "test_bpd"))
    return PpcaScores(validation, test)


def by_length(runs: Path = RUNS) -> str | None:
    """Return the table of networks after a few epochs, as Markdown; None before any was trained."""
    head = ["", "d", "trained weights", "CPU s", "rate, nats", "PSNR, dB", "val_bpd", "below pPCA"]

    def cells(run: dict[str, Any], latent_dim: int, linear: PpcaScores) -> list[str]:
        last = run["reports"][-1]
        # Rows without a kind are older than this fact, and of AVX2 machines.
        kind = run.get("kind", "avx2")
        weights = f"{run['n_weights'] / 1e6:.2f} M"
        seconds = f"{run['cpu_seconds']:,}" + ("" if kind == "avx2" else f", {kind}")
        sharpness = f"{last['val_rate_nats']:.0f}", f"{_psnr(last['val_mse']):.1f}"
        return [f"{latent_dim}", weights, seconds, *sharpness, *_beside(last["val_bpd"], linear.validation[latent_dim])]

    lines = _lines(NETWORKS, cells, runs)
    return table(head, lines) if lines else None


def reach(runs: Path = RUNS) -> str:
    """Return the table of the longest runs, with scores on the test split, as Markdown."""
    head = ["", "epochs", "test rate, nats", "test PSNR, dB", "val_bpd", "below pPCA", "test_bpd", "below pPCA, test"]

    def cells(run: dict[str, Any], latent_dim: int, linear: PpcaScores) -> list[str]:
        last = run["reports"][-1]
        sharpness = f"{run['test_rate_nats']:.0f}", f"{_psnr(run['test_mse']):.1f}"
        validation = _beside(last["val_bpd"], linear.validation[latent_dim])
        return [f"{last['epoch']:g}", *sharpness, *validation, *_beside(run["test_bpd"], linear.test[latent_dim])]

    return table(head, _lines(REACH, cells, runs))


def _lines(
    rows: Sequence[Row], cells: Callable[[dict[str, Any], int, PpcaScores], list[str]], runs: Path
) -> list[list[str]]:
    """Return a line for each row that was trained: its name, then its cells."""
    measured, linear = _first_seeds(runs), ppca_scores()
    trained = [(row, measured[row.name]) for row in rows if row.name in measured]
    return [[row.name, *cells(run, row.config.latent_dim, linear)] for row, run in trained]


def _beside(bpd: float, linear_bpd: float) -> tuple[str, str]:
    return f"{bpd:.4f}", f"{linear_bpd - bpd:+.3f}"


def draw(path: Path, runs: Path = RUNS) -> None:
    """Draw val_bpd of the longest runs against the length of the code, pPCA's curve beside them."""
    measured, linear = _first_seeds(runs), ppca_scores()
    figure = new_figure("The network beside linear models of its size", 9, 5.6)
    axes = figure.subplots()
    style_axes(axes, "20 epochs, validation split; lower is better", "latent dimension", "val_bpd, bits per dimension")
    axes.plot(*zip(*sorted(linear.validation.items()), strict=True), "--", color=INK, label="pPCA")
    default = "linear_skip, pPCA first, slow skip, flips, learning rate 8e-3"
    labels = {
        default: "linear_skip, pPCA first, slow skip: the default",
        "linear path": "norm_free with the linear path",
    }
    names = (default, "linear_skip, pPCA first, flips", "linear_skip", "norm_free", "linear path")
    for color, name in zip(CYCLE, names, strict=False):
        points = [
            (row.config.latent_dim, measured[row.name]["reports"][-1]["val_bpd"])
            for row in REACH
            if row.name.startswith(f"{name}, d = ") and row.name in measured
        ]
        if points:
            axes.plot(*zip(*points, strict=True), "o-", color=color, label=labels.get(name, name))
    axes.set_xscale("log", base=2)
    axes.set_xticks(PPCA_DIMS, [f"{d}" for d in PPCA_DIMS])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=11, loc="lower left")
    save_figure(figure, path)


def _first_seeds(path: Path) -> dict[str, dict[str, Any]]:
    runs: Sequence[dict[str, Any]] = read(path)
    return {run["row"]: run for run in runs if run["seed"] == 0}


def _psnr(mse: float) -> float:
    return -10 * math.log10(mse)
