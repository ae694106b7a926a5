"""Searches for real, side by side: `CIFAR10_ROOT=… python -m benchmarks.search.live`. Give it again to go on.

Of each pair one is the project's own search, the other TPE with MedianPruner; both have one core and the same minutes.
Nothing is confirmed: what is compared is how soon good values are found.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import optuna
import typer
import yaml
from optuna.trial import FrozenTrial, TrialState

from benchmarks.jsonl import append
from benchmarks.machine import describe, find_machine
from benchmarks.search.live_pairs import LIVE, read_live
from hpo.config.study_file import find_config
from hpo.storage.local.sqlite_database import open_storage
from hpo.storage.paths import StudyPaths

STUDY, N_PAIRS = "cifar10", 3
REPOSITORY = Path(__file__).resolve().parents[2]
TRAINING = {"epochs": 3, "report_every": 0.5}
SETTINGS: Mapping[str, dict[str, Any]] = {
    "ours": {"sampler": {"name": "curves"}, "pruner": {"name": "halving", "warmup_epochs": 1}},
    "tpe_median": {
        "sampler": {"name": "tpe"},
        "pruner": {"name": "median", "startup_trials": 4, "warmup_epochs": 1},
    },
}


def main(minutes: Annotated[float, typer.Option(help="Of each search.", min=1)] = 13.0) -> None:
    """Run the pairs that are missing."""
    runtime, root = find_machine("cpu")
    done = {search.pair for search in read_live()}
    for pair in (pair for pair in range(N_PAIRS) if pair not in done):
        with tempfile.TemporaryDirectory() as folder:
            folders = {method: Path(folder) / method for method in SETTINGS}
            started = time.time()
            running = [_begin(folders[method], method, pair, minutes, root) for method in SETTINGS]
            if any(list(map(subprocess.Popen.wait, running))):
                raise typer.Exit(1)
            for method, study_folder in folders.items():
                found = {
                    "pair": pair,
                    "method": method,
                    "minutes": minutes,
                    "ends": _ends(study_folder, method, started),
                }
                append(LIVE, found | describe(runtime) | {"threads": 1})
                print(pair, method, found["ends"], flush=True)


def _begin(folder: Path, method: str, pair: int, minutes: float, root: Path) -> subprocess.Popen[bytes]:
    study = yaml.safe_load(find_config(STUDY).read_text()) | SETTINGS[method]
    study |= {"seed": pair, "training": TRAINING, "budget": {"timeout_minutes": minutes}, "confirmation": {"top": 0}}
    folder.mkdir()
    (folder / f"{method}.yaml").write_text(yaml.safe_dump(study))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY), "CIFAR10_ROOT": str(root)}
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", "hpo", "tune", f"{method}.yaml"]
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)


def _ends(folder: Path, method: str, started: float) -> list[tuple[float, float]]:
    paths = StudyPaths(folder / "results" / method)
    study = optuna.load_study(study_name=method, storage=open_storage(paths))
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return sorted((round(_ended(trial) - started, 1), round(trial.values[0], 5)) for trial in finished)


def _ended(trial: FrozenTrial) -> float:
    assert trial.datetime_complete is not None, "it is complete"
    return trial.datetime_complete.timestamp()


if __name__ == "__main__":
    typer.run(main)
