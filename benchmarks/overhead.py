"""Cost of a search beside training, item by item: `python -m benchmarks.overhead [MINUTES]`.

The real `tune` runs on the default study and the full data, in a folder of its own, its parts under a stopwatch.
"""

import functools
import importlib
import os
import pkgutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

STUDY = "cifar10"
TRAINING = "training"
START = "start-up: imports, data, baseline, budget estimate"
REST = "the rest"
# By the name under which each is looked up. Inner ones are not counted in outer ones, but for those of the budget
# estimate, which trains as well.
WHOLE = ("hpo.workers.budget_estimate.measure",)
PARTS = {
    "model.training.training_loop._train_until": TRAINING,
    "model.training.training_loop.score_validation": "calibration and evaluation",
    "hpo.workers.objective.resume_or_start": "checkpoints",
    "hpo.workers.objective.save_state": "checkpoints",
    "hpo.storage.checkpoints.remove_unneeded_checkpoints": "checkpoints",
    "optuna.study.Study.ask": "sampling",
    "hpo.workers.objective.suggest": "sampling",
    "optuna.trial.Trial.report": "storage",
    "optuna.trial.Trial.should_prune": "storage",
    "optuna.trial.Trial.set_user_attr": "storage",
    "hpo.workers.objective.set_user_attributes": "storage",
    "optuna.trial.Trial.set_constraint": "storage",
    "optuna.study.Study.tell": "storage",
    "optuna.study.Study.get_trials": "storage",
    "hpo.workers.pictures.trial_frames.TrialFrameRecorder.start": "pictures, artifacts and notes of trials",
    "hpo.workers.pictures.trial_frames.TrialFrameRecorder.record": "pictures, artifacts and notes of trials",
    "hpo.workers.objective.draw_and_annotate": "pictures, artifacts and notes of trials",
    "hpo.workers.tuning_session.prepare_study": START,
    "hpo.workers.tuning_session._prepared_session": START,
    "hpo.workers.tuning_session.compute_ppca_baseline": START,
    "hpo.workers.budget_estimate.measure": START,
    "hpo.dashboard.study_overview.refresh": "the study's pages",
    "hpo.report.study_page.try_to_write_report": "the study's pages",
}


@dataclass(frozen=True)
class Row:
    """Seconds, and their share in all of them."""

    item: str
    seconds: float
    share: float


class Stopwatch:
    """Seconds by item; while an inner part runs, the outer one's watch stands still."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._clock = clock
        self._under_way: list[tuple[str, bool]] = []
        self._since = 0.0

    def timed(self, item: str, function: Callable[..., Any], *, whole: bool = False) -> Callable[..., Any]:
        """The function, its seconds counted as `item`'s; where `whole`, with those of its inner parts."""

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            self._turn()
            self._under_way.append(self._under_way[-1] if self._is_whole() else (item, whole))
            try:
                return function(*args, **kwargs)
            finally:
                self._turn()
                self._under_way.pop()

        return call

    def _turn(self) -> None:
        now = self._clock()
        if self._under_way:
            self.seconds[self._under_way[-1][0]] += now - self._since
        self._since = now

    def _is_whole(self) -> bool:
        return bool(self._under_way) and self._under_way[-1][1]


def rows(seconds: dict[str, float], wall_s: float) -> list[Row]:
    """All items, training first, then the dearest, then what no part of ours accounts for."""
    items = sorted(seconds, key=lambda item: (item != TRAINING, -seconds[item]))
    found = [(item, seconds[item]) for item in items] + [(REST, wall_s - sum(seconds.values()))]
    return [Row(item, value, value / wall_s) for item, value in found]


def main(
    minutes: Annotated[float, typer.Argument(help="How long to search.")] = 30.0,
) -> None:
    """Run the search and write it to benchmarks/results/ and benchmarks/RESULTS.md."""
    from benchmarks.machine import find_machine

    _, root = find_machine("auto")
    began = time.perf_counter()
    watch = Stopwatch()
    # Modules that are imported late must be there to be patched.
    watch.timed(
        START,
        lambda: [importlib.import_module(name) for name in ("hpo.workers.tuning_session", "hpo.report.study_page")],
    )()
    for dotted, item in PARTS.items():
        owner_name, _, name = dotted.rpartition(".")
        owner = pkgutil.resolve_name(owner_name)
        setattr(owner, name, watch.timed(item, getattr(owner, name), whole=dotted in WHOLE))
    with tempfile.TemporaryDirectory() as folder:
        _search(minutes, Path(folder), root)
        wall_s = time.perf_counter() - began
        n_trials = _n_trials()
    _write_down(rows(watch.seconds, wall_s), minutes, n_trials, wall_s)


def _search(minutes: float, folder: Path, root: Path) -> None:
    """Tune in `folder`, with the CIFAR-10 of `root`."""
    from hpo.cli.app import app
    from hpo.config.dataset_with_fallback import ROOT_VARIABLE

    # Absolute, since it is looked for from another folder.
    os.environ[ROOT_VARIABLE] = str(root)
    file = Path("study_configs", f"{STUDY}.yaml").resolve()
    os.chdir(folder)
    # Whatever is amiss has been said; an interrupted search is no measurement.
    if code := app(["tune", str(file), "--timeout", str(minutes)], standalone_mode=False):
        raise typer.Exit(code)


def _write_down(found: list[Row], minutes: float, n_trials: int, wall_s: float) -> None:
    from benchmarks import tables
    from benchmarks.machine import describe
    from hpo.config.schema import Model
    from model.device import resolve

    facts = describe(resolve()) | {"study": STUDY, "minutes": minutes, "n_trials": n_trials, "wall_s": wall_s}
    facts["architecture"] = Model().architecture
    facts |= {"overhead": 1 - found[0].share}
    tables.write("overhead", facts, found)
    typer.echo(tables.overhead(facts | {"rows": [vars(row) for row in found]}))


def _n_trials() -> int:
    from hpo.storage.backend import existing_study
    from hpo.storage.paths import StudyPaths

    study = existing_study(STUDY, StudyPaths.of(STUDY))
    assert study is not None
    return len(study.trials)


if __name__ == "__main__":
    typer.run(main)
