"""Note of a study as optuna-dashboard shows it: Markdown."""

from typing import Any

from hpo.dashboard.markdown_text import escaped

SCORE = (
    "Trials are compared by `val_bpd`, the negative ELBO at β = 1 on the validation split in bits per dimension: the "
    "number of bits that the model needs for one of an image's 3,072 colour values; lower is better. β is not part of "
    "it, since with a loss weighted by β the smallest β would win by construction, and σ is calibrated on training "
    "images, so that one number compares every β, latent dimension, learning rate and batch size. It is the sum of the "
    "rate (the information about an image in its code) and the distortion (the information that the code lacks). The "
    "baseline is probabilistic PCA (pPCA), the best linear model with the same number of latent dimensions, scored in "
    "the same way: a VAE that does not beat it is undertrained or has overfitted."
)


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
    return "\n\n".join([*parts, "### The score", SCORE])


def _retrained(attributes: dict[str, Any]) -> str:
    return (
        f"**Retrained**: trial {attributes['retrained_trial']} for {attributes['retrained_epochs']} epochs, "
        f"val_bpd {attributes['val_bpd']:.4f}; on the test split, scored once, test_bpd {attributes['test_bpd']:.4f}."
    )
