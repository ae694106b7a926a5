"""Many simulated workers on one PostgreSQL server: `python -m benchmarks.scale [N_WORKERS ...]`."""

import json
import multiprocessing
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import optuna
import typer
from optuna.trial import TrialState

from benchmarks.machine import describe
from benchmarks.scale.page import write_page
from benchmarks.scale.postgres import IS_INSTALLED, Postgres, running_postgres
from benchmarks.scale.workers import CLAIM, LOCKED, NAME, REPORT, Part, run_part, study_config
from benchmarks.tables import RESULTS
from hpo.config.call_arguments import Location
from hpo.optuna_logging import silence_optuna
from hpo.storage.backend import backend_of
from hpo.storage.create_study import create_study
from hpo.storage.database import FINGERPRINT
from hpo.storage.paths import StudyPaths
from model.atomic_files import write_text
from model.device import resolve

SIZES, N_TRIALS, N_REPORTS, N_PROCESSES = (8, 16, 32, 64), 2_000, 20, 8


def main(
    workers: Annotated[list[int] | None, typer.Argument(help="Numbers of workers.")] = None,
    trials: Annotated[int, typer.Option(min=1, help="Trials of each.")] = N_TRIALS,
    reports: Annotated[int, typer.Option(min=1, help="Reports of each trial.")] = N_REPORTS,
) -> None:
    """Run the workers, and write benchmarks/results/scale_<kind>.json and benchmarks/SCALE.md."""
    if not IS_INSTALLED:
        typer.echo("error: no PostgreSQL server was found (Debian, Ubuntu: sudo apt install postgresql)", err=True)
        raise typer.Exit(2)
    silence_optuna()
    facts = describe(resolve("cpu"))
    rows = []
    for n_workers in workers or SIZES:
        with tempfile.TemporaryDirectory() as folder, running_postgres(Path(folder, "data")) as server:
            rows.append(measure(server, Path(folder), n_workers, trials, reports))
        typer.echo(json.dumps(rows[-1]))
    write_text(RESULTS / f"scale_{facts['kind']}.json", json.dumps(facts | {"rows": rows}, indent=2) + "\n")
    write_page(RESULTS)


def measure(server: Postgres, folder: Path, n_workers: int, n_trials: int, n_reports: int) -> dict[str, Any]:
    """Run so many workers until all trials have ended; return what it took and what was lost."""
    location = Location(server.url, f"file://{folder}/store")
    paths = StudyPaths(folder / "first" / NAME, location)
    create_study(study_config(n_trials, n_reports), paths, {"startup_trials": n_trials, FINGERPRINT: {}})
    n_processes = min(N_PROCESSES, n_workers)
    cuts = np.linspace(0, n_workers, n_processes + 1).astype(int).tolist()
    parts = [Part(a, b - a, location, folder, n_trials, n_reports) for a, b in pairwise(cuts)]
    began, server_before = time.perf_counter(), server_cpu_s(server)
    with ProcessPoolExecutor(n_processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(run_part, parts))
    elapsed_s, server_s = time.perf_counter() - began, server_cpu_s(server) - server_before
    operations = CLAIM, LOCKED, REPORT
    seconds = {name: [s for part, _ in found for s in part.get(name, [])] for name in operations}
    study = backend_of(paths).database.existing_study(NAME)
    assert study is not None, "it was created above"
    return {
        "workers": n_workers,
        "trials": n_trials,
        "reports": n_reports,
        "elapsed_s": round(elapsed_s, 1),
        "claims_per_s": round(len(seconds[CLAIM]) / elapsed_s, 1),
        **losses(study.get_trials(deepcopy=False), n_trials, n_reports),
        "claim_p95_ms": percentile_ms(seconds[LOCKED], 95),
        "whole_claim_p50_ms": percentile_ms(seconds[CLAIM], 50),
        "whole_claim_p95_ms": percentile_ms(seconds[CLAIM], 95),
        "report_p50_ms": percentile_ms(seconds[REPORT], 50),
        "report_p95_ms": percentile_ms(seconds[REPORT], 95),
        "server_cpu_s": round(server_s, 1),
        "client_cpu_s": round(sum(cpu_s for _, cpu_s in found), 1),
    }


def losses(trials: list[optuna.trial.FrozenTrial], n_trials: int, n_reports: int) -> dict[str, int]:
    """Count the trials that are missing, or lack a report (`lost`), and those that are too many (`doubled`)."""
    steps = list(range(1, n_reports + 1))
    whole = [t for t in trials if t.state == TrialState.COMPLETE and sorted(t.intermediate_values) == steps]
    return {"lost": max(0, n_trials - len(whole)), "doubled": max(0, len(trials) - n_trials)}


def percentile_ms(seconds: list[float], percentile: float) -> float:
    """Return a percentile in milliseconds."""
    return round(1000 * float(np.percentile(seconds, percentile)), 1)


def server_cpu_s(server: Postgres) -> float:
    """Return the CPU seconds of the server's processes, of those that have ended, too."""
    assert server.process is not None, "it runs"
    tick = os.sysconf("SC_CLK_TCK")
    total = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name may hold spaces; fields count from the state after it.
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid, parent = int(status.parent.name), int(fields[1])
        if pid == server.process.pid:
            total += sum(int(field) for field in fields[11:15])
        elif parent == server.process.pid:
            total += sum(int(field) for field in fields[11:13])
    return total / tick


if __name__ == "__main__":
    typer.run(main)
