"""Machines that share a study in tests: a folder for each, and commands that run there."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from hpo.config.call_arguments import Location
from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES
from hpo.search.configurations import CONFIRMS
from tests.tools.fault_injection import EPOCHS, ROOT, checkout, uninterrupted_scores
from tests.tools.warm_process import WarmProcess

SHORT_LEASES = ROOT / "tests" / "tools" / "short_leases.py"


class Machines:
    """Machines that share a study; each has a folder of its own, and only the first has the images."""

    def __init__(self, folder: Path, images: Path, location: Location, n_trials: int) -> None:
        self._folder, self._images, self.location = folder, images, location
        self._epochs, self._n_trials = EPOCHS, n_trials
        self.processes: list[WarmProcess] = []
        self.first = self._checkout("first")

    def start(self, command: str, *arguments: str, program: str | Path = "hpo", **location: str) -> WarmProcess:
        """Start a command: `tune` on the machine that has the images, any other on a new one."""
        folder = self.first if command == "tune" else self._checkout(f"machine_{len(self.processes)}")
        where = replace(self.location, **location)
        options = "--storage", where.storage, "--files", where.files, *arguments
        process = WarmProcess(program, (command, "small", *options), folder, log=folder / "output.log")
        process.output = folder / "output.log"  # type: ignore[attr-defined]
        self.processes.append(process)
        return process

    def finish(self) -> None:
        """Run what is left."""
        process = self.start("work", program=SHORT_LEASES)
        assert process.wait(200) == 0, output_of(process)

    def trials(self) -> list[FrozenTrial]:
        url = self.location.storage.replace("postgresql:", "postgresql+psycopg:")
        return optuna.load_study(study_name="small", storage=url).trials

    def audit(self) -> None:
        """Check that every trial has ended, and reported each epoch as one that nobody has disturbed."""
        trials = self.trials()
        assert [t.number for t in trials] == list(range(len(trials)))
        names = CONTINUES, CONFIRMS
        relations = [(name, t.user_attrs[name]) for t in trials for name in names if name in t.user_attrs]
        assert len(trials) - len(relations) == self._n_trials
        assert len(set(relations)) == len(relations), "a trial is continued twice"
        assert {t.state for t in trials} <= {TrialState.COMPLETE, TrialState.PRUNED}, [t.user_attrs for t in trials]
        for trial, scores in zip(trials, uninterrupted_scores(self.first, trials), strict=True):
            reports = trial.intermediate_values
            assert sorted(reports) == list(range(1, len(reports) + 1)), f"trial {trial.number} lacks a report"
            differing = {step for step, score in enumerate(scores, start=1) if reports[step] != score}
            assert not differing, f"trial {trial.number} {trial.user_attrs}"

    def lengthen(self, epochs: int) -> None:
        """Give trials so many epochs, so that they can be disturbed."""
        self._epochs = epochs
        config = self.first / "study_configs" / "small.yaml"
        config.write_text(config.read_text().replace(f"epochs: {EPOCHS},", f"epochs: {epochs},", 1))

    def _checkout(self, name: str) -> Path:
        folder = checkout(self._folder / name, self._images)
        config = folder / "study_configs" / "small.yaml"
        text = config.read_text().replace("epochs: 3,", f"epochs: {self._epochs},", 1)
        config.write_text(text.replace("trials: 4", f"trials: {self._n_trials}"))
        if name != "first":
            (folder / "images").unlink()
        return folder


def output_of(process: WarmProcess) -> str:
    text: str = process.output.read_text()  # type: ignore[attr-defined]
    return text


def stop_all(machines: Machines) -> None:
    for process in machines.processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = 60) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"{what} never came"
        time.sleep(0.05)
