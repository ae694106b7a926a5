"""Results of a finished run as lines for the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from hpo.analysis.earlier_best import describe_earlier_best, earlier_best, earlier_best_notice
from hpo.analysis.formatting import capitalized, counted
from hpo.analysis.ppca_baseline import ppca_name, ppca_verdict
from hpo.analysis.run_metrics import RunMetrics, TrialOrigin
from hpo.cli.console import print_lines
from hpo.cli.json_lines.events import Notice, RunEnded
from hpo.cli.json_lines.output import emit
from hpo.runs.full_length_run import RunFinished
from hpo.storage.paths import RunPaths
from hpo.user_commands import PROGRAM


def run_summary(entries: Mapping[str, Any], history: list[dict[str, float]]) -> list[str]:
    """Return the run's scores and their comparison with its own earlier epochs and with pPCA, a line each.

    Args:
        entries: content of the run's metrics.json.
        history: rows of its metrics.csv.
    """
    metrics = RunMetrics.from_dict(entries)
    scores = [f"val_bpd {metrics.val_bpd:.4f}{_interval(metrics.val_bpd_interval, metrics.data.n_val)}"]
    if metrics.test:
        scores.append(f"test_bpd {metrics.test.bpd:.4f}{_interval(metrics.test.bpd_interval, metrics.data.n_test)}")
    lines = [", ".join(scores)]
    better = earlier_best(history)
    if better:
        lines.append(earlier_best_notice(describe_earlier_best(better)))
    return [*lines, *_ppca_lines(metrics, overfitted=better is not None)]


def retraining_summary(
    entries: Mapping[str, Any], history: list[dict[str, float]], notices: Sequence[str]
) -> list[str]:
    """Return the scores of a retrained trial beside those of the trial itself, then the run's summary and notices."""
    metrics = RunMetrics.from_dict(entries)
    assert metrics.origin is not None, "a retraining has a trial"
    return [_chosen_and_reached(metrics, metrics.origin), *run_summary(entries, history), *notices]


def print_drawn(paths: RunPaths, failures: Sequence[str]) -> None:
    """Print the next command of a run that has been drawn.

    Raises: typer.Exit: with code 1 if a picture or the page could not be made.
    """
    if not failures:
        print_lines(f"Next: open {paths.page}")
        return
    print_lines(*failures, f"The model and its metrics are complete. Next: {PROGRAM} figures {paths.folder}")
    raise typer.Exit(1)


def emit_run_end(paths: RunPaths, finished: RunFinished) -> None:
    """Print the result of a run as an event, if the command prints JSON."""
    for notice in finished.notices:
        emit(Notice(notice))
    emit(RunEnded(paths.folder, paths.page, finished.metrics, finished.failures))


def _interval(interval: tuple[float, float] | None, n_images: int) -> str:
    """Return in parentheses where the score of other images would lie; no text for files that are older than it."""
    return f" ({interval[0]:.3f} to {interval[1]:.3f} over {n_images:,} images)" if interval else ""


def _chosen_and_reached(metrics: RunMetrics, origin: TrialOrigin) -> str:
    length = counted(origin.epochs, "epoch")
    if origin.expected_bpd is None:
        scores = f"val_bpd {origin.val_bpd:.4f} -> {metrics.val_bpd:.4f}"
        return f"Chosen at {length}, retrained at {metrics.epochs}: {scores}"
    reached = f"retrained for {counted(metrics.epochs, 'epoch')} it ends at {metrics.val_bpd:.4f}"
    return (
        f"Trial {origin.trial}, at val_bpd {origin.val_bpd:.4f} after {length}, was expected to end at "
        f"{origin.expected_bpd:.4f}{_deviation(origin)}; {reached}"
    )


def _deviation(origin: TrialOrigin) -> str:
    return f" ± {origin.expected_deviation:.4f}" if origin.expected_deviation is not None else ""


def _ppca_lines(metrics: RunMetrics, *, overfitted: bool) -> list[str]:
    """Compare on the test split if it was scored, else on the validation split; no line without pPCA's score."""
    if metrics.ppca_val_bpd is None:
        return []
    bpd, ppca_bpd, on_test = metrics.val_bpd, metrics.ppca_val_bpd, ""
    if metrics.test and metrics.test.ppca_bpd is not None:
        bpd, ppca_bpd = metrics.test.bpd, metrics.test.ppca_bpd
        on_test = f", test {ppca_bpd:.4f}"
    verdict = ppca_verdict(bpd, ppca_bpd, overfitted=overfitted).text
    return [
        f"{capitalized(ppca_name(metrics.hyperparameters['latent_dim'], metrics.data.n_train, metrics.data.n_dims))}: "
        f"validation {metrics.ppca_val_bpd:.4f}{on_test}, {verdict}"
    ]
