"""Notes on trials and studies as optuna-dashboard shows them: Markdown."""

from typing import Any

from optuna.study import Study
from optuna.trial import Trial
from optuna_dashboard import get_note, save_note

from hpo.analysis.formatting import format_value
from hpo.analysis.trial_table import TrialRow
from hpo.config.schema import Pruner

SCORE = (
    "Trials are compared by `val_bpd`, the negative ELBO at β = 1 on the validation split in bits per dimension: the "
    "number of bits that the model needs for one of an image's 3,072 colour values; lower is better. β is not part of "
    "it, since with a loss weighted by β the smallest β would win by construction, and σ is calibrated on training "
    "images, so that one number compares every β, latent dimension, learning rate and batch size. It is the sum of the "
    "rate (the information about an image in its code) and the distortion (the information that the code lacks). The "
    "baseline is probabilistic PCA (pPCA), the best linear model with the same number of latent dimensions, scored in "
    "the same way: a VAE that does not beat it is undertrained or has overfitted."
)
# Also in notes of earlier versions: a change would duplicate their text.
_KEPT_BELOW = "*What you write below this line is kept.*"
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


def save(owner: Study | Trial, text: str) -> None:
    """Write `text` as the note of a study or trial; what a user wrote into the note is kept below it."""
    before = get_note(owner)
    note = f"{text}\n\n---\n\n{_KEPT_BELOW}\n\n{_user_text(before, text)}"
    # A user may be editing the note: saving an unchanged one would make the dashboard reject the user's version.
    if note != before:
        save_note(owner, note)


def trial_note(row: TrialRow, pruner: Pruner, picture: str | None) -> str:
    """Return the note of a trial: how it ended and why, its reconstructions, its results and hyperparameters.

    `picture` is the address of the reconstructions.
    """
    explanation = _PRUNED_EXPLANATIONS.get(pruner.name, "") if row.kind == "pruned" else _EXPLANATIONS[row.kind]
    parts = [
        f"**{_sentence(row.end)}**{_related_trial(row)}",
        f"![Originals above, their reconstructions below, after epoch {row.epoch:g}]({picture})" if picture else "",
        explanation,
        _table("result", _results(row)),
        _table("hyperparameter", {name: format_value(value, n_digits=4) for name, value in row.values.items()}),
    ]
    return "\n\n".join(part for part in parts if part)


def study_note(
    name: str, findings: list[str], attributes: dict[str, Any], animation: str | None, objectives: str | None = None
) -> str:
    """Return the note of a study: its findings, its retrained model, and the meaning of the score.

    Args:
        name: name of the study.
        findings: results, a line each.
        attributes: user attributes of the study.
        animation: address of the retrained model's animation.
        objectives: explanation of the objectives of a study with two.
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


def _user_text(before: str, text: str) -> str:
    """Return the part of an earlier note that a user wrote.

    Without our line, that is the whole note, unless it starts like ours: then a kill cut our note short.
    """
    if _KEPT_BELOW in before:
        return before.partition(_KEPT_BELOW)[2].strip()
    is_ours = before.splitlines()[:1] == text.splitlines()[:1]
    return "" if is_ours else before.strip()


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
    return "\n".join([f"| {heading} | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def _sentence(end: str) -> str:
    return f"{end[:1].upper()}{end[1:].rstrip('.')}."
