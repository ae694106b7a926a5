"""Results of a finished run as lines for the terminal."""

from collections.abc import Sequence
from typing import Any

from hpo.analysis.earlier_best import earlier_best
from hpo.analysis.ppca_baseline import ppca_verdict


def run_summary(metrics: dict[str, Any], history: list[dict[str, float]]) -> list[str]:
    """Return the run's scores and their comparison with its own earlier epochs and with pPCA, a line each.

    Args:
        metrics: content of the run's metrics.json.
        history: rows of its metrics.csv.
    """
    has_test = metrics["test_bpd"] is not None
    lines = [f"val_bpd {metrics['val_bpd']:.4f}" + (f", test_bpd {metrics['test_bpd']:.4f}" if has_test else "")]
    better = earlier_best(history)
    if better:
        lines.append(
            f"An earlier epoch was better: {better['val_bpd']:.4f} at epoch {better['epoch']:g}; the last epoch counts"
        )
    if metrics["ppca_val_bpd"] is not None:
        lines.append(_ppca_line(metrics, overfitted=better is not None))
    return lines


def retraining_summary(metrics: dict[str, Any], history: list[dict[str, float]], notices: Sequence[str]) -> list[str]:
    """Return the scores of a retrained trial beside those of the trial itself, then the run's summary and notices."""
    comparison = (
        f"Chosen at {metrics['trial_epochs']:g} epochs, retrained at {metrics['epochs']}: "
        f"val_bpd {metrics['trial_val_bpd']:.4f} -> {metrics['val_bpd']:.4f}"
    )
    return [comparison, *run_summary(metrics, history), *notices]


def _ppca_line(metrics: dict[str, Any], *, overfitted: bool) -> str:
    """Compare on the test split if it was scored, else on the validation split."""
    has_test = metrics["ppca_bpd"] is not None
    bpd, ppca_bpd = ("test_bpd", "ppca_bpd") if has_test else ("val_bpd", "ppca_val_bpd")
    verdict = ppca_verdict(metrics[bpd], metrics[ppca_bpd], overfitted=overfitted)
    on_test = f", test {metrics['ppca_bpd']:.4f}" if has_test else ""
    return (
        f"Probabilistic PCA with {metrics['hyperparameters']['latent_dim']} dimensions: "
        f"validation {metrics['ppca_val_bpd']:.4f}{on_test}, {verdict}"
    )
