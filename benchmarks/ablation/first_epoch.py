"""What becomes of the code in the first epoch: `python -m benchmarks.ablation.first_epoch`. Give it again to go on.

Active dimensions (Burda et al. 2016) and rate, by network and length of the code.
"""

from dataclasses import replace
from typing import Any

from matplotlib.axes import Axes

from benchmarks.ablation.rows import AT_ONE_RATE, SLOW_SKIP, Row
from benchmarks.ablation.train_row import begin
from benchmarks.jsonl import append, read
from benchmarks.machine import find_machine
from benchmarks.tables import RESULTS
from hpo.figures.style import CYCLE, legend_below, new_figure, save_figure, style_axes
from model.data.cifar10 import load_cifar10
from model.data.images import ImageData
from model.device import Runtime
from model.scoring.definitions import ACTIVE_VARIANCE
from model.scoring.evaluation import encode
from model.training.train_state import TrainState
from model.training.training_loop import score_validation, train

FIRST_EPOCH, PICTURE = RESULTS / "first_epoch.jsonl", RESULTS / "first_epoch.png"
DIMS = (32, 128, 512)
_REPORT_EVERY = 0.1
_NORM_FREE = {"architecture": "norm_free", "channels": ()}
NETWORKS = (
    Row("norm_free", "network", _NORM_FREE),
    Row("linear_skip", "network"),
    Row("linear_skip, pPCA first", "network", AT_ONE_RATE),
    Row("linear_skip, pPCA first, slow skip, learning rate 8e-3", "network", SLOW_SKIP),
)


def main() -> None:
    """Train what has not been trained yet, one epoch each; draw the figure."""
    runtime, root = find_machine("cpu")
    data = load_cifar10(root)
    done = {(run["network"], run["latent_dim"]) for run in read(FIRST_EPOCH)}
    for network in NETWORKS:
        for latent_dim in DIMS:
            if (network.name, latent_dim) not in done:
                reports = first_epoch(network, latent_dim, data, runtime)
                append(FIRST_EPOCH, {"network": network.name, "latent_dim": latent_dim, "reports": reports})
    draw()


def first_epoch(network: Row, latent_dim: int, data: ImageData, runtime: Runtime) -> list[dict[str, float]]:
    """Return epoch, rate, active dimensions and score at the report points, the untrained network first."""
    row = replace(network, settings={**network.settings, "latent_dim": latent_dim, "epochs": 1})
    state = begin(row, 0, data, runtime, report_every=_REPORT_EVERY)
    reports = [_report(state, data, 0.0)]
    reports += [_report(state, data, metrics.epoch) for metrics in train(state, data)]
    return reports


def _report(state: TrainState, data: ImageData, epoch: float) -> dict[str, float]:
    _, scored = score_validation(state, data)
    means, _ = encode(state.model, data.validation.images, state.runtime)
    active = int((means.var(0) > ACTIVE_VARIANCE).sum())
    return {"epoch": epoch, "rate_nats": scored.rate_nats, "active": active, "val_bpd": scored.bpd}


def draw() -> None:
    """Draw share of active dimensions, rate and score over the first epoch: a column for each length of the code."""
    figure = new_figure("What becomes of the code in the first epoch", 13, 8.4)
    panels = figure.subplots(3, len(DIMS), sharex=True)
    runs: dict[Any, list[dict[str, float]]] = {
        (run["network"], run["latent_dim"]): run["reports"] for run in read(FIRST_EPOCH)
    }
    for column, latent_dim in enumerate(DIMS):
        style_axes(panels[0][column], f"d = {latent_dim}", "", "active dimensions" if column == 0 else "")
        style_axes(panels[1][column], "", "", "rate, nats per image" if column == 0 else "")
        style_axes(panels[2][column], "", "epochs", "val_bpd" if column == 0 else "")
        for network, color in zip(NETWORKS, CYCLE, strict=False):
            for row, name in enumerate(("active", "rate_nats", "val_bpd")):
                _draw_line(panels[row][column], runs.get((network.name, latent_dim), []), name, color, network.name)
        panels[0][column].set_ylim(0, latent_dim * 1.05)
    legend_below(figure, panels[0][0].get_legend_handles_labels()[0])
    save_figure(figure, PICTURE)


def _draw_line(axes: Axes, reports: list[dict[str, float]], name: str, color: str, label: str) -> None:
    axes.plot([report["epoch"] for report in reports], [report[name] for report in reports], color=color, label=label)


if __name__ == "__main__":
    main()
