"""Notes on trials and studies as optuna-dashboard shows them: Markdown."""

from typing import Any

from optuna.study import Study
from optuna.trial import Trial
from optuna_dashboard import get_note, save_note

from hpo.analysis.trial_table import TrialRow
from hpo.config.schema import Pruner

SCORE = (
    "Trials are compared by `val_bpd`, the negative ELBO at β = 1 on the validation split in bits per dimension: how "
    "many bits the model needs for one of an image's 3,072 colour values; lower is better. No β is in it, since a loss "
    "weighted with β would make the smallest β win by construction, and σ is calibrated on training images, so that "
    "one number compares every β, latent dimension, learning rate and batch size. It is the sum of the rate (what a "
    "code says beyond the prior) and the distortion (what it leaves of the image to be said). The yardstick is "
    "probabilistic PCA (pPCA), the best linear model with as many latent dimensions, scored in the same way: a VAE "
    "that does not beat it is undertrained."
)
_YOURS = "*What you write below this line is kept.*"
_BECAUSE = {
    "finished": "Trained to its last epoch.",
    "continued": "",
    "confirmation": "Trained to its last epoch.",
    "diverged": "Loss or score were no longer finite. The sampler ranks it last.",
    "out of memory": "It did not fit into memory. The sampler ranks it last.",
    "failed": "A fault of its own; the attribute `traceback` tells where, if any was raised.",
    "running": "",
}
_PRUNED = {
    "median": "Stopped early: its best score so far was worse than the median of the finished trials at this epoch.",
    "halving": "Paused: not among the best that came as far. While it may still win, another trial can continue it.",
}


def save(owner: Study | Trial, text: str) -> None:
    """Make `text` the note; what somebody wrote there stays below it."""
    before = get_note(owner)
    note = f"{text}\n\n---\n\n{_YOURS}\n\n{_yours(before, text)}"
    # Somebody may be writing there: a new version without need would turn theirs away.
    if note != before:
        save_note(owner, note)


def trial_note(row: TrialRow, pruner: Pruner, picture: str | None) -> str:
    """How a trial ended and why, its reconstructions (at the address `picture`), results and hyperparameters."""
    because = _PRUNED.get(pruner.name, "") if row.kind == "pruned" else _BECAUSE[row.kind]
    parts = [
        f"**{_sentence(row.end)}**{_kin(row)}",
        f"![Originals above, their reconstructions below, after epoch {row.epoch:g}]({picture})" if picture else "",
        because,
        _table("result", _results(row)),
        _table("hyperparameter", {name: _shown(value) for name, value in row.values.items()}),
    ]
    return "\n\n".join(part for part in parts if part)


def study_note(
    name: str, findings: list[str], attributes: dict[str, Any], animation: str | None, objectives: str | None = None
) -> str:
    """What a study has found, its retrained model (the animation at an address), and what the score means.

    `objectives` is what is to be known of a study that has two.
    """
    parts = [f"### {name}", "\n".join(f"- {line}" for line in findings)]
    if "retrained_trial" in attributes:
        parts.append(_retrained(attributes))
    if animation:
        parts.append(f"![The retrained model: originals above, reconstructions below, epoch by epoch]({animation})")
    parts += ["### The objectives", objectives] if objectives else []
    return "\n\n".join([*parts, "### The score", SCORE])


def _retrained(attributes: dict[str, Any]) -> str:
    return (
        f"**Retrained**: trial {attributes['retrained_trial']} for {attributes['retrained_epochs']} epochs, "
        f"val_bpd {attributes['val_bpd']:.4f}; on the test split, scored once, test_bpd {attributes['test_bpd']:.4f}."
    )


def _yours(before: str, text: str) -> str:
    """What in an earlier note is not of our making; without our line it all is, but for what a kill cut short."""
    if _YOURS in before:
        return before.partition(_YOURS)[2].strip()
    cut_short = before.splitlines()[:1] == text.splitlines()[:1]
    return "" if cut_short else before.strip()


def _kin(row: TrialRow) -> str:
    if row.continues is not None:
        return f" It continues trial {row.continues}, from its checkpoint on."
    return f" It confirms trial {row.confirms}: the same values, a new seed." if row.confirms is not None else ""


def _results(row: TrialRow) -> dict[str, str]:
    values = {
        "val_bpd": (row.val_bpd, "{:.4f} bits/dim; lower is better"),
        "rate": (row.rate_nats, "{:.1f} nats an image"),
        "distortion": (row.distortion_nats, "{:.1f} nats an image"),
        "mean squared error": (row.mse, "{:.5f}, pixels in [0, 1]"),
        "sigma": (row.sigma, "{:.4f}"),
        "seconds": (row.elapsed_s, "{:,.0f}"),
        "images a second": (row.images_per_second, "{:,.0f}"),
    }
    return {name: form.format(value) for name, (value, form) in values.items() if value is not None}


def _table(heading: str, rows: dict[str, str]) -> str:
    if not rows:
        return ""
    return "\n".join([f"| {heading} | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def _sentence(end: str) -> str:
    return f"{end[:1].upper()}{end[1:].rstrip('.')}."


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
