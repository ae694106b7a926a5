"""Cost of a study's parts as the study grows, in seconds of CPU: `python -m benchmarks.growth [N_TRIALS ...]`.

Nothing is trained: the studies are synthetic, and a trial of the benchmark reports made-up scores.
"""

import json
import math
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.growth_study import open_growth_study
from hpo.storage.open_study import OpenStudy

SIZES = (10, 300, 2_000, 10_000)
# Names of the result, and of that of the version before.
NAME, BEFORE = "growth", "growth_before"
OPENING, FIRST = "open the study for a search", "first decision of a process"
STEP, CONFIGURATION = "next step", "next configuration"
REPORT, VERDICT, END = "report away from a rung", "report and verdict at a rung", "end of a trial, with its note"
TABLE, REFRESH, STATUS = "table of trials", "refresh of the dashboard", "status"
PAGE, EXPORT = "report", "export"
READERS = (TABLE, REFRESH, STATUS, PAGE, EXPORT)

Seconds = dict[str, list[float]]


class Stopwatch:
    """CPU seconds of this process, all threads, by operation; each may be measured several times."""

    def __init__(self) -> None:
        self.seconds: Seconds = defaultdict(list)

    @contextmanager
    def measure(self, operation: str) -> Iterator[None]:
        """Add the seconds of the block."""
        before = time.process_time()
        yield
        self.seconds[operation].append(time.process_time() - before)

    def medians(self) -> dict[str, float]:
        """Return the median of each operation, in the order of the first measurements."""
        return {operation: statistics.median(seconds) for operation, seconds in self.seconds.items()}


def measure_growth(
    folder: Path, n_trials: int, readers: Sequence[str] = READERS, n_rounds: int = 3
) -> dict[str, float]:
    """Return the CPU seconds of each operation on a study of `n_trials` trials; of READERS, of these alone.

    `n_rounds` trials are run.
    """
    open_growth_study(folder, n_trials)
    watch = Stopwatch()
    with watch.measure(OPENING):
        opened = open_growth_study(folder, n_trials)
        _prepare(opened)
    with watch.measure(FIRST):
        _next_step(opened)
    for _ in range(n_rounds):
        _run_trial(opened, watch)
    functions = _readers(opened, folder)
    for operation in readers:
        with watch.measure(operation):
            functions[operation]()
    return watch.medians()


def _prepare(opened: OpenStudy) -> None:
    """Do what `tune` does with an existing study before its first trial, without images."""
    from hpo.config.call_arguments import N_BEST_KEPT
    from hpo.storage import artifacts
    from hpo.storage.backend import backend_of
    from hpo.storage.create_study import attach_sampler_and_pruner

    study, config, paths = opened.study, opened.config, opened.paths
    artifacts.missing_artifacts_notice(study, paths)
    attach_sampler_and_pruner(study, config)
    backend_of(paths).files.clean(study, N_BEST_KEPT, config.pruner)
    artifacts.remove_unreferenced_files(study, paths)
    backend_of(paths).claims.clean(study)


def _next_step(opened: OpenStudy) -> None:
    from hpo.search.configurations import group_trials
    from hpo.search.scheduler import Plan, next_step

    configurations = group_trials(opened.study.get_trials(deepcopy=False))
    next_step(configurations, opened.config, Plan(), None, math.inf, opened.study.sampler)


def _run_trial(opened: OpenStudy, watch: Stopwatch) -> None:
    """Run one trial to the first rung, where it pauses, without training."""
    from optuna.trial import TrialState

    from hpo.config.call_arguments import N_BEST_KEPT
    from hpo.config.search_space import suggest
    from hpo.search.pruners import pruning_reason
    from hpo.storage.checkpoints import remove_unneeded_checkpoints

    study, config, paths = opened.study, opened.config, opened.paths
    with watch.measure(STEP):
        _next_step(opened)
    with watch.measure(CONFIGURATION):
        trial = study.ask()
        suggest(trial, config.hyperparameters)
    with watch.measure(REPORT):
        trial.report(7.1, 1)
        trial.should_prune()
    with watch.measure(VERDICT):
        trial.report(6.9, 2)
        trial.should_prune()
        end = pruning_reason(study, trial.number, 1.0, [7.1, 6.9])
    with watch.measure(END):
        trial.set_user_attr("end", end)
        _write_note(opened, trial.number, end)
        study.tell(trial, state=TrialState.PRUNED)
        remove_unneeded_checkpoints(study, paths, N_BEST_KEPT, config.pruner)


def _write_note(opened: OpenStudy, number: int, end: str) -> None:
    from hpo.analysis.trial_table import trial_row
    from hpo.dashboard.save_note import save_note
    from hpo.dashboard.trial_note import trial_note
    from hpo.storage.database import reopen_trial

    trials = opened.study.get_trials(deepcopy=False)
    row = trial_row(trials[number], opened.config, trials, end)
    save_note(reopen_trial(opened.study, trials[number]), trial_note(row, opened.config.pruner, None))


def _readers(opened: OpenStudy, folder: Path) -> dict[str, Callable[[], object]]:
    from hpo.analysis.status import status_of
    from hpo.analysis.trial_table import trial_rows
    from hpo.dashboard.study_overview import refresh
    from hpo.report.export import write_tables
    from hpo.report.study_page import write_report
    from hpo.storage.paths import ExportPaths

    study, config, paths = opened.study, opened.config, opened.paths
    return {
        TABLE: lambda: trial_rows(study, config),
        REFRESH: lambda: refresh(study, config, paths),
        STATUS: lambda: status_of(study, config, paths),
        PAGE: lambda: write_report(opened),
        EXPORT: lambda: write_tables(opened, ExportPaths(folder / "export")),
    }


def main(
    sizes: Annotated[list[int] | None, typer.Argument(help="Numbers of trials.")] = None,
    machine: Annotated[str, typer.Option(help="Kind of processor, in place of its name.")] = "",
) -> None:
    """Measure each size, and write benchmarks/results/growth.json and benchmarks/GROWTH.md."""
    import torch

    from benchmarks import growth_page
    from benchmarks.machine import describe
    from hpo.optuna_logging import silence_optuna
    from model.device import resolve

    silence_optuna()
    # With several, the threads that wait would count as well.
    torch.set_num_threads(1)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        # Imports and first calls, which do not depend on the study's length.
        measure_growth(Path(folder, "warm-up"), 30)
        for n_trials in sizes or SIZES:
            found[n_trials] = measure_growth(Path(folder, f"{n_trials}"), n_trials)
            typer.echo(f"{n_trials}: {json.dumps({key: round(value, 3) for key, value in found[n_trials].items()})}")
    facts = describe(resolve())
    growth_page.write(NAME, facts | {"device": machine or facts["device"]}, found)


if __name__ == "__main__":
    typer.run(main)
