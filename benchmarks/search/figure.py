"""Median regret against compute, a line for each method."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from benchmarks.search.gaussian_process import Array
from benchmarks.search.methods import OURS
from benchmarks.search.replays import HORIZON
from benchmarks.search.simulator import Trace
from benchmarks.search.summary import quartiles, regrets
from benchmarks.search.surrogate import TOLERANCE
from hpo.figures.style import BLACK, CYCLE, MUTED, mark_values, new_figure, save_figure, style_axes


def medians(traces: Mapping[str, Sequence[Trace]], unit_s: float) -> tuple[Array, dict[str, Array]]:
    """Times in full-length trainings, shape (T,), and quartiles of each method's regret, shape (3, T)."""
    times_T = np.geomspace(1, HORIZON, 200)
    return times_T, {name: quartiles(regrets(some, times_T.tolist(), unit_s)) for name, some in traces.items()}


def draw(traces: Mapping[str, Sequence[Trace]], unit_s: float, path: Path) -> None:
    """One worker's; the band is from the first to the third quartile of repetitions."""
    figure = new_figure("How far from the best known: medians and quartiles of repetitions", 10.5, 6.4)
    axes = figure.subplots()
    style_axes(axes, "", "compute, full-length trainings of the mean configuration", "regret, bits per dimension")
    axes.set_xscale("log")
    times_T, lines = medians(traces, unit_s)
    for index, (name, quartiles_3T) in enumerate(lines.items()):
        _draw_line(axes, times_T, quartiles_3T, name, index)
    axes.axhline(TOLERANCE, color=MUTED, lw=1, ls=":")
    axes.annotate("target", (1, TOLERANCE), color=MUTED, va="bottom")
    axes.set(xlim=(1, HORIZON), ylim=(_floor(lines), _ceiling(lines)))
    mark_values(axes.xaxis, 1, HORIZON, log=True)
    figure.legend(loc="outside lower left", ncols=5, frameon=False)
    save_figure(figure, path)


def _draw_line(axes: Axes, times_T: Array, quartiles_3T: Array, name: str, index: int) -> None:
    # There are more methods than colours, of which ours has black.
    others = [color for color in CYCLE if color != BLACK]
    color = BLACK if name == OURS else others[index % len(others)]
    style = "-" if name == OURS or index < len(others) else "--"
    low_T, median_T, high_T = np.where(np.isfinite(quartiles_3T), quartiles_3T, np.nan)
    axes.step(times_T, median_T, style, where="post", color=color, lw=3 if name == OURS else 1.5, label=name)
    # Faint where many overlap.
    axes.fill_between(times_T, low_T, high_T, step="post", color=color, alpha=0.15 if name == OURS else 0.05, lw=0)


def _floor(lines: Mapping[str, Array]) -> float:
    return min(0.0, *(float(quartiles_3T[0].min()) for quartiles_3T in lines.values()))


def _ceiling(lines: Mapping[str, Array]) -> float:
    # What the best does early is not worth the space that the worst needs there.
    later = [quartiles_3T[1][len(quartiles_3T[1]) // 3] for quartiles_3T in lines.values()]
    return 1.2 * max([2 * TOLERANCE, *(float(regret) for regret in later if np.isfinite(regret))])
