"""Interactive plotly figures of a study for optuna-dashboard. Data in, figure out."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from hpo.dashboard.plotly_data import (
    IsoScore,
    PlottedTrial,
    PpcaPoint,
    rate_distortion_ranges,
    score_against_compute_data,
    score_range,
)
from hpo.dashboard.plotly_trial_marks import hover_text, trial_cloud, trial_lines, trial_points
from hpo.figures.style import BLUE, FAINT, INK, MUTED, ORANGE, PAPER, VERMILLION
from hpo.search.best_trial import BestTrial
from hpo.search.pareto import ParetoFront

# Colour of secondary lines: darker than the grid, lighter than the rest.
_QUIET = "#A3ACB5"


def draw_interactive_rate_distortion(
    trials: Sequence[PlottedTrial], ppca: Sequence[PpcaPoint], iso_scores: Sequence[IsoScore]
) -> go.Figure:
    """Plot distortion against rate of every trial, above pPCA of every latent dimension and lines of equal score."""
    figure = _figure("Rate and distortion: lower left is better", "rate (nats an image)", "distortion (nats an image)")
    x_range, y_range = rate_distortion_ranges(trials, ppca)
    for iso in iso_scores:
        _draw_iso_score(figure, iso, x_range)
    if ppca:
        _draw_ppca(figure, ppca)
    figure.add_trace(trial_cloud(trials))
    figure.update_xaxes(range=list(x_range))
    figure.update_yaxes(range=list(y_range))
    return figure


def draw_interactive_learning_curves(trials: Sequence[PlottedTrial], best: BestTrial | None) -> go.Figure:
    """Plot every trial's score over its epochs; crosses mark pruned trials."""
    figure = _figure("Learning curves, and where the pruner stopped (lower is better)", "epoch", "val_bpd (bits/dim)")
    groups = {
        "pruned": ([t for t in trials if t.kind == "pruned"], _QUIET, 1.2),
        "ended by a fault": ([t for t in trials if t.kind not in ("pruned", "finished")], ORANGE, 1.2),
        "finished": ([t for t in trials if t.kind == "finished"], BLUE, 1.8),
    }
    for name, (group, colour, width) in groups.items():
        if group:
            figure.add_trace(trial_lines(name, group, colour, width))
    if best:
        marked = [trial for trial in trials if trial.number == best.number]
        figure.add_trace(trial_lines(best.label, marked, INK, 3.5))
    pruned = [trial for trial in trials if trial.kind == "pruned"]
    if pruned:
        last_reports = [trial.curve[-1] for trial in pruned]
        figure.add_trace(trial_points("stopped by the pruner", last_reports, pruned, symbol="x", colour=VERMILLION))
    _limit_to_scores(figure, trials)
    return figure


def draw_score_against_compute(trials: Sequence[PlottedTrial]) -> go.Figure:
    """Plot every trial's last score against all training until its end, and the best so far as a step line."""
    data = score_against_compute_data(trials)
    title = "What the search has cost and brought (lower is better)"
    figure = _figure(title, f"{data.unit} of training, all trials so far", "val_bpd (bits/dim)")
    if data.best:
        x, y = ([point[axis] for point in data.best] for axis in (0, 1))
        line = {"color": INK, "width": 2.5, "shape": "hv"}
        figure.add_trace(go.Scatter(x=x, y=y, mode="lines", line=line, name="best so far", hoverinfo="skip"))
    shapes = {
        "finished": ("circle", BLUE),
        "pruned": ("x", VERMILLION),
        "continued": ("triangle-right-open", VERMILLION),
        "confirmation": ("circle-open", BLUE),
    }
    for kind in dict.fromkeys(trial.kind for trial in trials):
        chosen = [(compute, trial) for compute, trial in zip(data.spent, trials, strict=True) if trial.kind == kind]
        symbol, colour = shapes.get(kind, ("diamond", ORANGE))
        points = [(compute, trial.val_bpd) for compute, trial in chosen]
        figure.add_trace(trial_points(kind, points, [trial for _, trial in chosen], symbol=symbol, colour=colour))
    _limit_to_scores(figure, trials)
    return figure


def draw_interactive_pareto_front(data: ParetoFront, trials: Sequence[PlottedTrial]) -> go.Figure:
    """Plot finished trials' scores against the second objective; a step line joins the front."""
    hover_texts = {trial.number: hover_text(trial) for trial in trials}
    name = data.name.replace("_", " ").replace("latent dim", "latent dimension")
    figure = _figure(f"Pareto front of val_bpd and {data.name}: lower left is better", name, "val_bpd (bits/dim)")
    line = {"color": BLUE, "width": 2, "shape": "hv"}
    for group, legend, look in (
        (data.beaten, "beaten by a trial of the front", {"mode": "markers", "marker": {"color": _QUIET, "size": 9}}),
        (data.front[::-1], "on the front", {"mode": "lines+markers", "line": line, "marker": {"size": 12}}),
    ):
        hover = [
            f"{hover_texts.get(trial.number, f'trial {trial.number}')}<br>{name} {trial.second:.4g}" for trial in group
        ]
        x, y = [round(trial.second, 4) for trial in group], [round(trial.val_bpd, 5) for trial in group]
        figure.add_trace(go.Scatter(x=x, y=y, text=hover, hovertemplate="%{text}<extra></extra>", name=legend, **look))
    return figure


def _figure(title: str, x_label: str, y_label: str) -> go.Figure:
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


def _draw_ppca(figure: go.Figure, ppca: Sequence[PpcaPoint]) -> None:
    figure.add_trace(
        go.Scatter(
            x=[round(point.rate_nats, 2) for point in ppca],
            y=[round(point.distortion_nats, 2) for point in ppca],
            mode="lines+markers",
            line={"color": MUTED, "width": 1.5},
            marker={"color": MUTED, "size": 4},
            customdata=[[point.latent_dim, round(point.bpd, 4)] for point in ppca],
            hovertemplate="pPCA, %{customdata[0]} dimensions<br>val_bpd %{customdata[1]:.4f}<extra></extra>",
            name="probabilistic PCA, a point for each latent size",
        )
    )


def _draw_iso_score(figure: go.Figure, iso: IsoScore, x_range: tuple[float, float]) -> None:
    left, right = (round(x, 1) for x in x_range)
    figure.add_trace(
        go.Scatter(
            x=[left, right],
            y=[round(iso.nats - left, 1), round(iso.nats - right, 1)],
            mode="lines+text",
            line={"color": _QUIET, "width": 1.2, "dash": "dot"},
            text=["", f"{iso.bpd:g} bits/dim "],
            textposition="top left",
            textfont={"color": MUTED, "size": 11},
            hoverinfo="skip",
            showlegend=False,
        )
    )


def _limit_to_scores(figure: go.Figure, trials: Sequence[PlottedTrial]) -> None:
    if limits := score_range(trials):
        figure.update_yaxes(range=list(limits))
