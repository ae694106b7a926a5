"""Networks by the length of the code: tables for the page, and a figure beside probabilistic PCA (pPCA)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.ablation.results import PPCA, RUNS
from benchmarks.ablation.rows import NETWORKS, REACH
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


def by_length(runs: Path = RUNS) -> str:
    """Return the table of networks after a few epochs, as Markdown."""
    measured, linear = _first_seeds(runs), ppca_scores()
    head = ["", "d", "trained weights", "CPU s", "rate, nats", "PSNR, dB", "val_bpd", "below pPCA"]
    lines = []
    for row in NETWORKS:
        if row.name in measured:
            run, d = measured[row.name], row.config.latent_dim
            last = run["reports"][-1]
            lines.append(
                [
                    row.name,
                    f"{d}",
                    f"{run['n_weights'] / 1e6:.2f} M",
                    f"{run['cpu_seconds']:,}",
                    f"{last['val_rate_nats']:.0f}",
                    f"{_psnr(last['val_mse']):.1f}",
                    f"{last['val_bpd']:.4f}",
                    f"{linear.validation[d] - last['val_bpd']:+.3f}",
                ]
            )
    return table(head, lines)


def reach(runs: Path = RUNS) -> str:
    """Return the table of the longest runs, with scores on the test split, as Markdown."""
    measured, linear = _first_seeds(runs), ppca_scores()
    head = ["", "epochs", "test rate, nats", "test PSNR, dB", "val_bpd", "below pPCA", "test_bpd", "below pPCA, test"]
    lines = []
    for row in REACH:
        if row.name in measured:
            run, d = measured[row.name], row.config.latent_dim
            last = run["reports"][-1]
            lines.append(
                [
                    row.name,
                    f"{last['epoch']:g}",
                    f"{run['test_rate_nats']:.0f}",
                    f"{_psnr(run['test_mse']):.1f}",
                    f"{last['val_bpd']:.4f}",
                    f"{linear.validation[d] - last['val_bpd']:+.3f}",
                    f"{run['test_bpd']:.4f}",
                    f"{linear.test[d] - run['test_bpd']:+.3f}",
                ]
            )
    return table(head, lines)


def draw(path: Path, runs: Path = RUNS) -> None:
    """Draw val_bpd of the longest runs against the length of the code, pPCA's curve beside them."""
    measured, linear = _first_seeds(runs), ppca_scores()
    figure = new_figure("The network beside linear models of its size", 9, 5.6)
    axes = figure.subplots()
    style_axes(axes, "20 epochs, validation split; lower is better", "latent dimension", "val_bpd, bits per dimension")
    axes.plot(*zip(*sorted(linear.validation.items()), strict=True), "--", color=INK, label="pPCA")
    for color, name in zip(CYCLE, ("ours", "norm_free", "linear path"), strict=False):
        points = [
            (row.config.latent_dim, measured[row.name]["reports"][-1]["val_bpd"])
            for row in REACH
            if row.name.startswith(f"{name}, d = ") and row.name in measured
        ]
        if points:
            axes.plot(*zip(*points, strict=True), "o-", color=color, label=name)
    axes.set_xscale("log", base=2)
    axes.set_xticks(PPCA_DIMS, [f"{d}" for d in PPCA_DIMS])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=11)
    save_figure(figure, path)


def _first_seeds(path: Path) -> dict[str, dict[str, Any]]:
    runs: Sequence[dict[str, Any]] = read(path)
    return {run["row"]: run for run in runs if run["seed"] == 0}


def _psnr(mse: float) -> float:
    return -10 * math.log10(mse)
