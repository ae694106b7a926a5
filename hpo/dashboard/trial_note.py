"""Note of a trial as optuna-dashboard shows it: Markdown."""

from hpo.analysis.formatting import format_value
from hpo.analysis.trial_table import TrialRow
from hpo.config.schema import Pruner
from hpo.dashboard.markdown_text import escaped

_EXPLANATIONS = {
    "finished": "Trained to its last epoch.",
    "continued": "",
    "confirmation": "Trained to its last epoch.",
    "diverged": "Loss or score was no longer finite. The sampler ranks it last.",
    "out of memory": "It did not fit into memory. The sampler ranks it last.",
    "failed": "Failed by an unforeseen error; its traceback, if any, is in the attribute `traceback`.",
    "running": "",
}
_PRUNED_EXPLANATIONS = {
    "median": "Stopped early: its best score so far was worse than the median of the finished trials at this epoch.",
    "halving": "Paused: not among the best trials that reached this epoch. Another trial can continue it while it may "
    "still win.",
}


def trial_note(row: TrialRow, pruner: Pruner, picture: str | None) -> str:
    """Return the note of a trial: how it ended and why, its reconstructions, its results and hyperparameters.

    `picture` is the address of the reconstructions.
    """
    explanation = _PRUNED_EXPLANATIONS.get(pruner.name, "") if row.kind == "pruned" else _EXPLANATIONS[row.kind]
    parts = [
        f"**{escaped(_sentence(row.end))}**{_related_trial(row)}",
        f"![Originals above, their reconstructions below, after epoch {row.epoch:g}]({picture})" if picture else "",
        explanation,
        _table("result", _results(row)),
        _table(
            "hyperparameter", {name: escaped(format_value(value, n_digits=4)) for name, value in row.values.items()}
        ),
    ]
    return "\n\n".join(part for part in parts if part)


def _related_trial(row: TrialRow) -> str:
    if row.continues is not None:
        return f" It continues trial {row.continues} from its checkpoint."
    return f" It confirms trial {row.confirms}: the same values, a new seed." if row.confirms is not None else ""


def _results(row: TrialRow) -> dict[str, str]:
    values = {
        "val_bpd": (row.val_bpd, "{:.4f} bits/dim; lower is better"),
        "rate": (row.rate_nats, "{:.1f} nats per image"),
        "distortion": (row.distortion_nats, "{:.1f} nats per image"),
        "mean squared error": (row.mse, "{:.5f}, pixels in [0, 1]"),
        "sigma": (row.sigma, "{:.4f}"),
        "seconds": (row.elapsed_s, "{:,.0f}"),
        "images per second": (row.images_per_second, "{:,.0f}"),
    }
    return {name: form.format(value) for name, (value, form) in values.items() if value is not None}


def _table(heading: str, rows: dict[str, str]) -> str:
    if not rows:
        return ""
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join([f"| {heading} | |", "|---|---|", *lines])


def _sentence(end: str) -> str:
    return f"{end[:1].upper()}{end[1:].rstrip('.')}."
