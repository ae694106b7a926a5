"""Figure of hyperparameter importances."""

from __future__ import annotations

from matplotlib.figure import Figure

from hpo.figures.study.trial_marks import hyperparameter_label
from hpo.figures.style import BLUE, INK, new_figure, style_axes


def draw_importances(shares: dict[str, float], n_top: int, n_finished: int) -> Figure:
    """Draw the shares as bars, the largest on top; shares add up to one."""
    names = sorted(shares, key=lambda name: shares[name])
    first = hyperparameter_label(names[-1])
    title = f"{first[0].upper()}{first[1:]} sets the best {n_top} of {n_finished} apart most"
    figure = new_figure(title, width_in=13, height_in=1.7 + 0.55 * len(names))
    axes = figure.subplots()
    style_axes(axes, "", "share of importance, %", "")
    axes.barh(
        [hyperparameter_label(name) for name in names], [100 * shares[name] for name in names], color=BLUE, height=0.6
    )
    for position, name in enumerate(names):
        axes.annotate(
            f"{100 * shares[name]:.0f} %",
            (100 * shares[name], position),
            (6, 0),
            textcoords="offset points",
            va="center",
            fontsize=12,
            color=INK,
        )
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", labelsize=13, labelcolor=INK)
    axes.set_xlim(0, 115 * max(shares.values()))
    return figure
