"""Checkpoints of a study: those of resumable trials and of the best trials are kept, the others removed."""

import contextlib
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.config.schema import Pruner
from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES
from hpo.search.configurations import CONFIRMS, Configuration, group_trials, val_bpd_of
from hpo.storage.paths import StudyPaths
from model.atomic_files import replacing

# Paused trials that keep their checkpoints, at each report point; without one, a promoted trial starts from scratch.
N_PAUSED_KEPT = 8


def n_paused_kept(pruner: Pruner) -> int:
    """Return how many paused trials keep their checkpoints at each report point: 0 if no trial is ever promoted."""
    return N_PAUSED_KEPT if pruner.name == "halving" else 0


def inherit_checkpoint(paths: StudyPaths, paused: int, continuing: int) -> None:
    """Give the trial `continuing` the checkpoint and the recorded frames of the trial `paused`.

    Does nothing if it has a checkpoint of its own, or if that of the paused trial has been removed.
    """
    source, target = paths.checkpoint(paused), paths.checkpoint(continuing)
    if target.exists() or not source.exists():
        return
    for frame in sorted(paths.trial(paused).folder.glob("[!.]*")):
        _link_or_copy(frame, paths.trial(continuing).folder / frame.name)
    # The checkpoint comes last: a trial that has it has its frames as well.
    _link_or_copy(source, target)


def _link_or_copy(source: Path, target: Path) -> None:
    """Make `target` a hard link, if the disk supports it: neither file is ever written into, only replaced."""
    with replacing(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


def unneeded_checkpoints(study: Study, paths: StudyPaths, n_best: int, pruner: Pruner) -> list[Path]:
    """Return the existing checkpoints of ended trials that are not resumable and not among the `n_best` best."""
    trials = study.get_trials(deepcopy=False)
    needed = needed_checkpoints(trials, _has_checkpoint(paths), n_best, pruner)
    existing = _names_in(paths.checkpoints)
    candidates = (paths.checkpoint(trial.number) for trial in trials if trial.number not in needed)
    return [path for path in candidates if path.name in existing]


def clean_checkpoints(study: Study, paths: StudyPaths, n_best: int, pruner: Pruner) -> int:
    """Remove unneeded checkpoints, and partial files of killed processes; return the number of bytes freed."""
    n_bytes = remove_unneeded_checkpoints(study, paths, n_best, pruner)
    for partial in paths.checkpoints.glob(".*"):
        n_bytes += partial.stat().st_size
        partial.unlink()
    return n_bytes


def remove_unneeded_checkpoints(study: Study, paths: StudyPaths, n_best: int, pruner: Pruner) -> int:
    """Remove unneeded checkpoints, with the frames of their trials.

    Returns: number of bytes of the removed checkpoints.
    """
    n_bytes = 0
    trials = study.get_trials(deepcopy=False)
    needed = needed_checkpoints(trials, _has_checkpoint(paths), n_best, pruner)
    existing = _names_in(paths.checkpoints)
    for trial in trials:
        if trial.number not in needed and (folder := paths.trial(trial.number).folder).name in existing:
            shutil.rmtree(folder, ignore_errors=True)
    for path in unneeded_checkpoints(study, paths, n_best, pruner):
        # Another worker may have removed it meanwhile.
        with contextlib.suppress(FileNotFoundError):
            n_bytes += path.stat().st_size
            path.unlink()
    return n_bytes


def _names_in(folder: Path) -> frozenset[str]:
    """Return the names in a folder, which may be missing: one question to the disk, not one for each trial."""
    return frozenset(os.listdir(folder)) if folder.is_dir() else frozenset()


def _has_checkpoint(paths: StudyPaths) -> Callable[[FrozenTrial], bool]:
    return lambda trial: paths.checkpoint(trial.number).exists()


def needed_checkpoints(
    trials: list[FrozenTrial], has_checkpoint: Callable[[FrozenTrial], bool], n_best: int, pruner: Pruner
) -> set[int]:
    """Return the numbers of the trials whose checkpoints are needed; those of the `n_best` best are.

    Trials that confirm others are not among the best: nothing continues them, not even where trials become longer.
    """
    unfinished = [trial for trial in trials if not trial.state.is_finished()]
    finished = [trial for trial in trials if trial.state == TrialState.COMPLETE and CONFIRMS not in trial.user_attrs]
    best = sorted(finished, key=lambda trial: (val_bpd_of(trial), trial.number))[:n_best]
    without_checkpoint = [trial for trial in unfinished if not has_checkpoint(trial)]
    to_inherit = {trial.user_attrs[CONTINUES] for trial in without_checkpoint if CONTINUES in trial.user_attrs}
    paused = {
        configuration.last_trial.number for configuration in _best_paused(group_trials(trials), n_paused_kept(pruner))
    }
    return {trial.number for trial in (*unfinished, *best)} | to_inherit | paused


def _best_paused(configurations: Iterable[Configuration], n_each: int) -> list[Configuration]:
    """Return the `n_each` best paused configurations at each report point."""
    by_step: dict[int, list[tuple[float, int, Configuration]]] = defaultdict(list)
    for configuration in configurations:
        if configuration.is_paused and (scores := configuration.scores):
            step = max(scores)
            by_step[step].append((scores[step], configuration.number, configuration))
    return [configuration for paused in by_step.values() for _, _, configuration in sorted(paused)[:n_each]]
