"""A small checkout for tests of faults: run commands in it, kill them, and audit what they leave."""

import re
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from optuna.trial import FrozenTrial, TrialState
from PIL import Image

from hpo.config.search_space import trial_config
from hpo.config.study_file import read_config
from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES
from hpo.storage.local.file_locks import is_locked
from hpo.storage.paths import StudyPaths
from model.data.image_folder import load_folder
from model.device import Runtime
from model.training.train_state import TrainState
from model.training.training_loop import train
from tests.tools import warm_process
from tests.tools.warm_process import WarmProcess

ROOT = Path(__file__).resolve().parents[2]
N_TRIALS, EPOCHS = 4, 3
STUDY = f"""
data: {{source: folder, root: images}}
model: {{channels: [2, 2, 4, 4]}}
hyperparameters:
  beta: {{low: 0.5, high: 2.0, log: true}}
  learning_rate: {{low: 1e-4, high: 1e-2, log: true}}
  latent_dim: 4
  batch_size: 16
training: {{epochs: {EPOCHS}, precision: float32}}
budget: {{trials: {N_TRIALS}}}
pruner: {{name: median, startup_trials: 1, warmup_epochs: 1}}
confirmation: {{top: 0}}
retrain: {{epochs: 3, importance_samples: 2}}
"""


def make_images(folder: Path) -> Path:
    """Write 100 images, 80 of which are training images; return the folder."""
    pixels = np.random.default_rng(0).integers(0, 256, (100, 32, 32, 3), dtype=np.uint8)
    for index, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{index:03d}.png")
    return folder


def checkout(folder: Path, images: Path, study: str = STUDY) -> Path:
    """Create a folder in which commands can run: the file of a study, and a link to its images."""
    (folder / "study_configs").mkdir(parents=True)
    (folder / "study_configs" / "small.yaml").write_text(study)
    (folder / "images").symlink_to(images)
    return folder


def paths_in(folder: Path) -> StudyPaths:
    return StudyPaths(folder / "results" / "small")


def keep_output(folder: Path, output: str) -> None:
    """Append a command's output to the log of the checkout."""
    with (folder / "output.log").open("a") as log:
        log.write(output)


def printed_reports(folder: Path) -> list[tuple[str, str]]:
    """Return (trial, epoch) of every report that the calls so far have printed, in their order."""
    lines = (folder / "output.log").read_text().splitlines()
    # A line is printed twice, identically, if a signal arrives while it is being printed.
    distinct = [line for previous, line in pairwise(["", *lines]) if line != previous]
    matches = [re.match(r"trial (\d+): epoch ([\d.]+)/", line) for line in distinct]
    return [(match[1], match[2]) for match in matches if match]


def start(folder: Path, *arguments: str) -> WarmProcess:
    """Start the command line as a process, with stdout and stderr in one pipe."""
    return WarmProcess("hpo", arguments, folder)


def run(folder: Path, program: str | Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module or script in the checkout, to its end."""
    done = warm_process.run(program, arguments, folder)
    keep_output(folder, done.stdout)
    return done


def run_with_kill(folder: Path, moment: tuple[str, str, int], *arguments: str) -> bool:
    """Run with a kill at `moment` (see `kill_at_call.py`); return True if it was killed, False if it ended."""
    when, function, n_calls = moment
    done = run(folder, ROOT / "tests" / "tools" / "kill_at_call.py", when, function, str(n_calls), *arguments)
    assert done.returncode in (0, -signal.SIGKILL), done.stdout + done.stderr
    return done.returncode != 0


def kill(folder: Path, moment: tuple[str, str, int], *arguments: str) -> None:
    """Run a command and kill it at `moment`."""
    assert run_with_kill(folder, moment, *arguments), f"{moment} was never reached"


def finish(folder: Path, *arguments: str) -> str:
    """Run a command to its end, without an error; return its output."""
    done = run(folder, "hpo", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def refuse(folder: Path, *arguments: str) -> str:
    """Run a command that fails by a fault which the user can fix; return its message."""
    done = run(folder, "hpo", *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line]
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


def load(folder: Path) -> optuna.Study:
    """Open the study with plain Optuna."""
    return optuna.load_study(study_name="small", storage=f"sqlite:///{paths_in(folder).database}")


def results_of(folder: Path) -> list[tuple[Any, ...]]:
    """Return the results of all trials, without timings and crashes."""
    return [
        (t.number, t.state, t.params, t.value, t.intermediate_values, t.user_attrs["end"], t.user_attrs["sigma"])
        for t in load(folder).trials
    ]


def audit(folder: Path) -> list[FrozenTrial]:
    """Check the invariants that hold at any moment, also right after a kill; return the study's trials."""
    paths = paths_in(folder)
    if not paths.database.exists():
        return []
    with closing(sqlite3.connect(paths.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'trial_intermediate_values'").fetchone():
            return []
        if not connection.execute("SELECT 1 FROM studies").fetchone():
            return []
    trials = load(folder).trials
    assert [trial.number for trial in trials] == list(range(len(trials)))
    for trial in trials:
        steps = list(trial.intermediate_values)
        assert steps == list(range(1, len(steps) + 1)), "an epoch is missing"
    return trials


def audit_the_end(folder: Path, n_trials: int) -> None:
    """Check the invariants of a study that has all its trials: no trial, claim or partial file is left."""
    paths, trials = paths_in(folder), audit(folder)
    assert len(trials) == n_trials
    failed = [trial for trial in trials if trial.user_attrs["end"].startswith("failed: its worker died 3 times")]
    ended = [*failed, *(trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED))]
    assert [(trial.state, trial.params, trial.user_attrs) for trial in trials if trial not in ended] == []
    assert not any(is_locked(paths.claim(number)) for number in range(n_trials))
    assert {path.name for path in paths.claims.iterdir()} == {paths.claiming_lock.name, paths.overview_lock.name}
    assert not any(path.name.startswith(".") for path in paths.checkpoints.iterdir())
    for trial in trials:
        assert trial in failed or trial.value == trial.intermediate_values[len(trial.intermediate_values)]


def uninterrupted_scores(folder: Path, trials: list[FrozenTrial]) -> Iterator[list[float]]:
    """Yield, for each trial, its scores when its values are trained without interruption and with its seed."""
    config = read_config(folder / "study_configs" / "small.yaml")
    data = load_folder(folder / "images")
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for trial in trials:
            values = config.hyperparameters.fixed() | trial.params
            seed_number = trial.number
            while CONTINUES in trials[seed_number].user_attrs:
                seed_number = trials[seed_number].user_attrs[CONTINUES]
            state = TrainState(trial_config(config, values, seed_number), Runtime(torch.device("cpu"), "float32"))
            n_reports = len(trial.intermediate_values)
            yield [metrics.val_bpd for metrics in islice(train(state, data), n_reports)]
    finally:
        torch.set_num_threads(n_threads)
