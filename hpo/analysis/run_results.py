"""What a finished run has to say for itself in the terminal."""

from typing import Any

from hpo.analysis.earlier_best import earlier_best
from hpo.runs.training_run import RunFinished


def run_summary(finished: RunFinished) -> list[str]:
    """Its scores, next to its own course and to probabilistic PCA, and what was adapted."""
    metrics = finished.metrics
    scored = metrics["test_bpd"] is not None
    lines = [f"val_bpd {metrics['val_bpd']:.4f}" + (f", test_bpd {metrics['test_bpd']:.4f}" if scored else "")]
    best = earlier_best(finished.history)
    if best:
        lines.append(f"It was better earlier: {best['val_bpd']:.4f} at epoch {best['epoch']:g}; the last epoch counts")
    if metrics["ppca_val_bpd"] is not None:
        lines.append(_against_ppca(metrics, "has overfitted" if best else "is undertrained"))
    return [*lines, *finished.notices]


def _against_ppca(metrics: dict[str, Any], fault: str) -> str:
    """Compared on the test split where that was scored, else on the validation split."""
    scored = metrics["ppca_bpd"] is not None
    ours, theirs = ("test_bpd", "ppca_bpd") if scored else ("val_bpd", "ppca_val_bpd")
    verdict = "beaten" if metrics[ours] < metrics[theirs] else f"not beaten: the model {fault}"
    on_test = f", test {metrics['ppca_bpd']:.4f}" if scored else ""
    return (
        f"Probabilistic PCA with {metrics['hyperparameters']['latent_dim']} dimensions: "
        f"validation {metrics['ppca_val_bpd']:.4f}{on_test}, {verdict}"
    )
