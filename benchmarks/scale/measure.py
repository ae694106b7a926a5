"""One size of the benchmark: a server, a study, its workers, and an audit of what they left in the database."""

import multiprocessing
import resource
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from benchmarks.scale.postgres import running_postgres
from benchmarks.scale.workers import Load, Measured, run_workers
from hpo.config.call_arguments import Location
from hpo.config.schema import StudyConfig
from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES
from hpo.search.configurations import CONFIRMS, group_trials
from hpo.storage.create_study import create_study
from hpo.storage.database import FINGERPRINT
from hpo.storage.fingerprint import settings_fingerprint
from hpo.storage.paths import StudyPaths

PrunerName = Literal["none", "halving"]
NAME = "scale"
_MAX_PROCESSES = 8
_HYPERPARAMETERS: dict[str, Any] = {
    "beta": {"low": 0.3, "high": 3.0, "log": True},
    "latent_dim": {"low": 32, "high": 512, "log": True},
    "learning_rate": {"low": 3e-4, "high": 1e-2, "log": True},
    "batch_size": {"choices": (16, 32, 64, 128)},
}


@dataclass(frozen=True)
class Row:
    """Result of one number of workers.

    `lock` is the transaction that numbers a new trial and leases it, the wait for its lock included. `doubled` counts
    trials with two owners, reports with two owners and trials that two trials refer to; `lost` counts trials that have
    not ended and reports that are not in the database.
    """

    workers: int
    trials: int
    reports: int
    training_s: float
    lost: int
    doubled: int
    wall_s: float
    claims_per_s: float
    claim_p50_ms: float
    claim_p95_ms: float
    lock_p50_ms: float
    lock_p95_ms: float
    report_p50_ms: float
    report_p95_ms: float
    client_cpu_s: float
    server_cpu_s: float


def study_config(load: Load, pruner: PrunerName) -> StudyConfig:
    """Return the study of the benchmark, whose sampler fits nothing."""
    file = {
        "name": NAME,
        "hyperparameters": _HYPERPARAMETERS,
        "training": {"epochs": load.reports, "report_every": 1.0},
        "budget": {"trials": load.trials},
        "sampler": {"name": "random"},
        "pruner": {"name": pruner},
        "confirmation": {"top": 0},
    }
    return StudyConfig.model_validate(file)


def measure_scale(folder: Path, load: Load, pruner: PrunerName = "none", *, waits_for_disk: bool = True) -> Row:
    """Run the workers on a new server in a folder that does not exist, and return what it cost."""
    folder.mkdir()
    config = study_config(load, pruner)
    with running_postgres(folder / "data", waits_for_disk=waits_for_disk) as server:
        before_s = _ended_children_s()
        location = Location(server.url, f"file://{folder}/store")
        attributes = {"startup_trials": 3, FINGERPRINT: settings_fingerprint(config)}
        create_study(config, StudyPaths(folder / "first" / NAME, location), attributes)
        measured = _run(config, location, folder, load)
        url = server.url.replace("postgresql:", "postgresql+psycopg:")
        trials = optuna.load_study(study_name=NAME, storage=url).trials
    # Of the server alone: its workers are children of another process.
    return _row(load, measured, trials, config, _ended_children_s() - before_s)


def _run(config: StudyConfig, location: Location, folder: Path, load: Load) -> list[Measured]:
    names = [f"worker_{number}" for number in range(load.workers)]
    n_processes = min(_MAX_PROCESSES, load.workers)
    # Processes that have the imports, and nothing of this one's connections.
    multiprocessing.set_forkserver_preload([run_workers.__module__])
    with ProcessPoolExecutor(n_processes, multiprocessing.get_context("forkserver")) as processes:
        shares = [names[number::n_processes] for number in range(n_processes)]
        found = [processes.submit(run_workers, share, config, location, folder, load) for share in shares]
        return [future.result() for future in found]


def _ended_children_s() -> float:
    """Return the CPU seconds of the child processes that have ended, and of their own."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _row(
    load: Load, measured: list[Measured], trials: list[FrozenTrial], config: StudyConfig, server_cpu_s: float
) -> Row:
    wall_s = max(found.ended for found in measured) - min(found.began for found in measured)
    claim_s, lock_s, report_s = (
        [seconds for found in measured for seconds in getattr(found, name)]
        for name in ("claim_s", "lock_s", "report_s")
    )
    return Row(
        workers=load.workers,
        trials=load.trials,
        reports=load.reports,
        training_s=load.training_s,
        lost=count_lost(trials, [step for found in measured for step in found.reported], config),
        doubled=count_doubled(trials, measured),
        wall_s=wall_s,
        claims_per_s=len(claim_s) / wall_s,
        claim_p50_ms=_percentile_ms(claim_s, 50),
        claim_p95_ms=_percentile_ms(claim_s, 95),
        lock_p50_ms=_percentile_ms(lock_s, 50),
        lock_p95_ms=_percentile_ms(lock_s, 95),
        report_p50_ms=_percentile_ms(report_s, 50),
        report_p95_ms=_percentile_ms(report_s, 95),
        client_cpu_s=sum(found.cpu_s for found in measured),
        server_cpu_s=server_cpu_s,
    )


def count_lost(trials: Sequence[FrozenTrial], reported: Sequence[tuple[str, int, int]], config: StudyConfig) -> int:
    """Count configurations that are missing, trials that have not ended, and reports that are not in the database."""
    configurations = group_trials(trials)
    assert config.budget.trials is not None, "a study of the benchmark has an end"
    n_missing = max(0, config.budget.trials - len(configurations))
    n_unended = sum(trial.state not in (TrialState.COMPLETE, TrialState.PRUNED) for trial in trials)
    stored = {(trial.number, step) for trial in trials for step in trial.intermediate_values}
    n_unstored = len({(number, step) for _, number, step in reported} - stored)
    # A trial that has all but one of its reports.
    n_gaps = 0
    for configuration in configurations:
        is_whole = configuration.last_trial.state == TrialState.COMPLETE
        n_steps = config.training.n_reports if is_whole else max(configuration.scores, default=0)
        n_gaps += len(set(range(1, n_steps + 1)) - configuration.scores.keys())
    return n_missing + n_unended + n_unstored + n_gaps


def count_doubled(trials: Sequence[FrozenTrial], measured: Sequence[Measured]) -> int:
    """Count trials and reports with two owners, and trials that two trials continue or confirm."""
    claimed = Counter(number for found in measured for _, number in set(found.claimed))
    reported = Counter((number, step) for found in measured for _, number, step in found.reported)
    names = CONTINUES, CONFIRMS
    related = Counter((name, t.user_attrs[name]) for t in trials for name in names if name in t.user_attrs)
    counters: list[Counter[Any]] = [claimed, reported, related]
    return sum(n - 1 for counter in counters for n in counter.values())


def _percentile_ms(seconds: list[float], percent: float) -> float:
    return float(np.percentile(seconds, percent)) * 1000
