"""Which checkpoints of a study are still of use: those of trials that can go on, and of the best."""

import contextlib
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.config.schema import Pruner
from hpo.search.configurations import CONTINUES, Configuration, configurations, val_bpd_of
from hpo.storage.paths import StudyPaths
from model.atomic_files import replacing

N_KEPT = 3
# Of those that pause at one report point; beyond that many, a promotion begins anew.
N_PAUSED = 8


def n_paused(pruner: Pruner) -> int:
    """How many that pause at one report point can go on: none where nothing ever does."""
    return N_PAUSED if pruner.name == "halving" else 0


def inherit(paths: StudyPaths, before: int, number: int) -> None:
    """Let a trial begin where another was stopped: with its checkpoint, and with what its pictures are drawn from.

    A trial that has a checkpoint of its own keeps it. Where the other one's is gone there is nothing to begin with.
    """
    theirs, ours = paths.checkpoint(before), paths.checkpoint(number)
    if ours.exists() or not theirs.exists():
        return
    for frame in sorted(paths.trial(before).folder.glob("[!.]*")):
        _share(frame, paths.trial(number).folder / frame.name)
    # Last: a trial that has it has the rest as well.
    _share(theirs, ours)


def _share(theirs: Path, ours: Path) -> None:
    """Both are one file where the disk admits it: neither is ever written into, only replaced."""
    with replacing(ours) as temporary:
        try:
            os.link(theirs, temporary)
        except OSError:
            shutil.copyfile(theirs, temporary)


def unneeded(study: Study, paths: StudyPaths, n_best: int, pruner: Pruner) -> list[Path]:
    """Checkpoints there of trials that are over, but for the `n_best` of lowest value and what can be gone on from."""
    trials = study.get_trials(deepcopy=False)
    kept = _kept(trials, paths, n_best, n_paused(pruner))
    candidates = (paths.checkpoint(trial.number) for trial in trials if trial.number not in kept)
    return [path for path in candidates if path.exists()]


def clean(study: Study, paths: StudyPaths, n_best: int, pruner: Pruner) -> int:
    """Remove checkpoints that nobody needs and what killed processes left half-written; return the bytes freed."""
    n_bytes = remove_unneeded(study, paths, n_best, pruner)
    for half_written in paths.checkpoints.glob(".*"):
        n_bytes += half_written.stat().st_size
        half_written.unlink()
    return n_bytes


def remove_unneeded(study: Study, paths: StudyPaths, n_best: int, pruner: Pruner) -> int:
    """Remove them, and what trials that are over drew from; return how many bytes of checkpoints that made free."""
    n_bytes = 0
    trials = study.get_trials(deepcopy=False)
    can_go_on = _kept(trials, paths, 0, n_paused(pruner))
    for trial in trials:
        if trial.number not in can_go_on:
            shutil.rmtree(paths.trial(trial.number).folder, ignore_errors=True)
    for path in unneeded(study, paths, n_best, pruner):
        # Another worker may have been faster.
        with contextlib.suppress(FileNotFoundError):
            n_bytes += path.stat().st_size
            path.unlink()
    return n_bytes


def _kept(trials: list[FrozenTrial], paths: StudyPaths, n_best: int, n_going_on: int) -> set[int]:
    """Numbers of trials whose checkpoints are of use."""
    under_way = [trial for trial in trials if not trial.state.is_finished()]
    finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    best = sorted(finished, key=lambda trial: (val_bpd_of(trial), trial.number))[:n_best]
    heirs = [trial for trial in under_way if not paths.checkpoint(trial.number).exists()]
    inherited = {trial.user_attrs[CONTINUES] for trial in heirs if CONTINUES in trial.user_attrs}
    paused = {one.last.number for one in _promising(configurations(trials), n_going_on)}
    return {trial.number for trial in (*under_way, *best)} | inherited | paused


def _promising(known: Iterable[Configuration], n_each: int) -> list[Configuration]:
    """The best paused ones at each report point."""
    by_step: dict[int, list[tuple[float, int, Configuration]]] = defaultdict(list)
    for one in known:
        if one.is_paused and one.scores:
            step = max(one.scores)
            by_step[step].append((one.scores[step], one.number, one))
    return [one for there in by_step.values() for _, _, one in sorted(there)[:n_each]]
