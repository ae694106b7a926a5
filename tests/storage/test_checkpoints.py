"""Checkpoints that a study keeps."""

import shutil
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from hpo.config.schema import Pruner
from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES
from hpo.search.configurations import CONFIRMS
from hpo.storage.checkpoints import (
    clean_checkpoints,
    inherit_checkpoint,
    remove_unneeded_checkpoints,
    unneeded_checkpoints,
)
from hpo.storage.paths import StudyPaths
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialReported
from hpo.workers.worker import run_trials
from tests.search.trial_lists import Description, make_trials


@pytest.mark.usefixtures("undrawn")
def test_only_checkpoints_of_the_best_and_of_resumable_trials_are_kept(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    context.study.pruner = optuna.pruners.NopPruner()
    monkeypatch.setattr("hpo.workers.objective.N_BEST_KEPT", 1)
    n_finished = 2
    events = run_trials(context, n_finished + 1, None)
    for event in events:
        if isinstance(event, TrialReported) and event.number == n_finished:
            break
    events.close()
    finished = [trial for trial in context.study.trials if trial.state == TrialState.COMPLETE]
    assert len(finished) == n_finished
    best = min(finished, key=lambda trial: trial.value or 0)
    kept = {context.paths.checkpoint(number) for number in (best.number, n_finished)}
    assert set(context.paths.checkpoints.glob("*.pt")) == kept


@pytest.mark.usefixtures("undrawn")
def test_clean_keeps_the_checkpoints_of_the_best_and_of_running_trials_and_counts_the_freed_bytes(
    context: TrialContext,
) -> None:
    events = run_trials(context, 5, None)
    for event in events:
        if isinstance(event, TrialReported) and event.number == 4:
            break
    events.close()
    paths = context.paths
    (paths.checkpoints / ".trial_0009.1.pt").write_bytes(bytes(100))
    ranked = sorted(
        (trial for trial in context.study.trials if trial.state == TrialState.COMPLETE),
        key=lambda trial: trial.value or 0,
    )
    gone = [paths.checkpoint(trial.number) for trial in ranked[1:3]]
    n_bytes = sum(path.stat().st_size for path in gone) + 100
    assert clean_checkpoints(context.study, paths, 1, context.config.pruner) == n_bytes
    files = {path for path in paths.checkpoints.iterdir() if path.is_file()}
    assert files == {paths.checkpoint(ranked[0].number), paths.checkpoint(4)}


def make_study(*descriptions: Description) -> optuna.Study:
    study = optuna.create_study()
    study.add_trials(make_trials(*descriptions))
    return study


@pytest.fixture
def paths(tmp_path: Path) -> StudyPaths:
    """Paths of a study with a checkpoint of ten bytes and a frame of each of the trials 0 to 9."""
    paths = StudyPaths(tmp_path / "small")
    for number in range(10):
        paths.trial(number).folder.mkdir(parents=True)
        paths.trial(number).frame(1).touch()
        paths.checkpoint(number).write_bytes(bytes(10))
    return paths


MIXED: list[Description] = [
    ("finished", [6.6], {}),
    ("finished", [6.5], {}),
    ("finished", [6.5], {}),
    ("pruned", [7.0], {}),
    ("pruned", [6.9], {}),
    ("pruned", [7.1, 7.0], {}),
    ("pruned", [7.3], {}),
    ("diverged", [7.0], {}),
    ("running", [7.0], {}),
    # Waits for the checkpoint of the worst paused trial.
    ("waiting", [], {CONTINUES: 6}),
]


def numbers(paths: StudyPaths, files: list[Path]) -> list[int]:
    return [number for number in range(10) if paths.checkpoint(number) in files]


@pytest.mark.parametrize(
    ("pruner", "inherited", "unneeded"),
    [
        # Kept of the paused trials: the best at each report point.
        ("halving", False, [0, 2, 3, 7]),
        ("halving", True, [0, 2, 3, 6, 7]),
        ("median", False, [0, 2, 3, 4, 5, 7]),
    ],
)
def test_the_best_the_running_and_the_best_paused_trials_keep_their_checkpoints(
    pruner: str, inherited: bool, unneeded: list[int], paths: StudyPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpo.storage.checkpoints.N_PAUSED_KEPT", 1)
    study, settings = make_study(*MIXED), Pruner.model_validate({"name": pruner})
    if not inherited:
        paths.checkpoint(9).unlink()
    assert numbers(paths, unneeded_checkpoints(study, paths, 1, settings)) == unneeded
    assert remove_unneeded_checkpoints(study, paths, 1, settings) == 10 * len(unneeded)
    gone = [number for number in range(9 + inherited) if not paths.checkpoint(number).exists()]
    assert gone == unneeded
    without_frames = [number for number in range(10) if not paths.trial(number).folder.exists()]
    assert without_frames == unneeded
    assert remove_unneeded_checkpoints(study, paths, 1, settings) == 0


def test_trials_that_confirm_the_best_keep_no_checkpoint_in_its_place(paths: StudyPaths) -> None:
    study = make_study(("finished", [6.6], {}), ("finished", [6.5], {CONFIRMS: 0}), ("finished", [6.4], {CONFIRMS: 0}))
    assert numbers(paths, unneeded_checkpoints(study, paths, 1, Pruner())) == [1, 2]


def test_a_study_without_checkpoints_has_none_to_remove(tmp_path: Path) -> None:
    study, paths = make_study(*MIXED), StudyPaths(tmp_path / "small")
    assert remove_unneeded_checkpoints(study, paths, 1, Pruner(name="halving")) == 0
    assert unneeded_checkpoints(study, paths, 1, Pruner(name="halving")) == []
    assert clean_checkpoints(study, paths, 1, Pruner(name="halving")) == 0


def test_a_checkpoint_that_another_worker_removes_meanwhile_is_no_error(
    paths: StudyPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = [paths.checkpoints / "gone.pt", paths.checkpoint(0)]
    monkeypatch.setattr("hpo.storage.checkpoints.unneeded_checkpoints", lambda *_: listed)
    monkeypatch.setattr("hpo.storage.checkpoints._names_in", lambda _: {"trial_0000", "trial_0001"})
    shutil.rmtree(paths.trial(0).folder)
    study = make_study(*[("failed", [], {})] * 2)
    assert remove_unneeded_checkpoints(study, paths, 1, Pruner(name="halving")) == 10
    assert not paths.checkpoint(0).exists() and not paths.trial(1).folder.exists()


def test_clean_also_counts_and_removes_partial_files(paths: StudyPaths) -> None:
    for name in (".trial_0009.1.pt", ".trial_0009.2.pt"):
        (paths.checkpoints / name).write_bytes(bytes(7))
    assert clean_checkpoints(make_study(MIXED[0], MIXED[1]), paths, 1, Pruner(name="median")) == 10 + 7 + 7
    assert not paths.checkpoint(0).exists() and not list(paths.checkpoints.glob(".*"))


@pytest.mark.parametrize("links", [True, False])
def test_a_promoted_trial_gets_the_checkpoint_and_the_whole_frames_of_the_paused_one(
    links: bool, paths: StudyPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        # As on exFAT, and on many network disks.
        monkeypatch.setattr("os.link", lambda *_: (_ for _ in ()).throw(PermissionError))
    paths.trial(0).frame(1).write_bytes(b"frame")
    (paths.trial(0).folder / ".frame_00002.1.npy").write_bytes(b"half a fr")
    inherit_checkpoint(paths, 0, 12)
    assert paths.checkpoint(12).read_bytes() == bytes(10)
    assert [path.name for path in paths.trial(12).folder.iterdir()] == [paths.trial(0).frame(1).name]
    assert paths.trial(12).frame(1).read_bytes() == b"frame"
    assert paths.checkpoint(12).samefile(paths.checkpoint(0)) is links
    assert paths.checkpoint(0).exists() and not list(paths.checkpoints.glob(".*"))


def test_a_promoted_trial_keeps_its_own_checkpoint_and_starts_over_without_one(paths: StudyPaths) -> None:
    paths.checkpoint(1).write_bytes(b"later")
    inherit_checkpoint(paths, 0, 1)
    assert paths.checkpoint(1).read_bytes() == b"later"
    paths.checkpoint(2).unlink()
    inherit_checkpoint(paths, 2, 12)
    assert not paths.checkpoint(12).exists() and not paths.trial(12).folder.exists()


def test_a_kill_while_frames_are_inherited_leaves_no_checkpoint_without_them(
    paths: StudyPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("os.link", killed)
        inherit_checkpoint(paths, 0, 12)
    assert not paths.checkpoint(12).exists()
    inherit_checkpoint(paths, 0, 12)
    assert paths.trial(12).frame(1).exists()
