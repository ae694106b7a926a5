"""Note of a study as optuna-dashboard shows it: Markdown."""

from typing import Any

from hpo.analysis.formatting import counted
from hpo.analysis.score_explanation import SCORE_EXPLANATION
from hpo.dashboard.markdown_text import escaped


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
    parts = [f"### {escaped(name)}", "\n".join(f"- {line}" for line in findings)]
    if "retrained_trial" in attributes:
        parts.append(_retrained(attributes))
    if animation:
        parts.append(f"![The retrained model: originals above, reconstructions below, epoch by epoch]({animation})")
    parts += ["### The objectives", objectives] if objectives else []
    return "\n\n".join([*parts, "### The score", SCORE_EXPLANATION])


def _retrained(attributes: dict[str, Any]) -> str:
    return (
        f"**Retrained**: trial {attributes['retrained_trial']} for {counted(attributes['retrained_epochs'], 'epoch')}, "
        f"val_bpd {attributes['val_bpd']:.4f}; on the test split, scored once, test_bpd {attributes['test_bpd']:.4f}."
    )
