"""Empty interactive figures in the style of the project, and the range of their scores."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from hpo.dashboard.interactive_figures.plotted_trial import PlottedTrial
from hpo.figures.study.trial_points import shown_positions
from hpo.figures.style import FAINT, INK, MUTED, PAPER

# Colour of secondary lines: darker than the grid, lighter than the rest.
QUIET = "#A3ACB5"


def new_figure(title: str, x_label: str, y_label: str) -> go.Figure:
    axis = {"gridcolor": FAINT, "zeroline": False, "linecolor": FAINT, "tickfont": {"color": MUTED}}
    return go.Figure(
        layout=go.Layout(
            # Plotly's own template would be stored with every figure, and is larger than most of them.
            template=go.layout.Template(),
            title={"text": title, "font": {"size": 15, "color": INK}, "x": 0.01, "xanchor": "left"},
            xaxis={**axis, "title": {"text": x_label, "font": {"color": MUTED}}},
            yaxis={**axis, "title": {"text": y_label, "font": {"color": MUTED}}},
            paper_bgcolor=PAPER,
            plot_bgcolor=PAPER,
            margin={"l": 70, "r": 20, "t": 50, "b": 90},
            legend={"orientation": "h", "y": -0.2, "x": 0, "font": {"color": INK}},
            hovermode="closest",
        )
    )


def select_shown(trials: Sequence[PlottedTrial]) -> list[PlottedTrial]:
    """Return the trials that a figure shows: of many the best, and some of the others. The database stores figures."""
    return [trials[position] for position in shown_positions([trial.val_bpd for trial in trials])]


def note_selection(figure: go.Figure, n_shown: int, n_all: int) -> None:
    """Add to the title how many of all trials are shown, if these are not all."""
    if n_shown < n_all:
        figure.update_layout(title_text=f"{figure.layout.title.text}; {n_shown:,} of {n_all:,} trials")


def score_range(trials: Sequence[PlottedTrial]) -> tuple[float, float] | None:
    """Return the range of last scores of trials without faults; first reports may be far above."""
    last = [trial.val_bpd for trial in trials if trial.kind in ("finished", "pruned")]
    if not last:
        return None
    low, high = min(last), max(last)
    margin = max(0.06 * (high - low), 0.01)
    return low - margin, high + 2 * margin


def limit_to_scores(figure: go.Figure, trials: Sequence[PlottedTrial]) -> None:
    if limits := score_range(trials):
        figure.update_yaxes(range=list(limits))
