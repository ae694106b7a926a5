"""How a study stands, told without changing it; and what `clean` lets go of."""

import shutil
from pathlib import Path

import optuna
import pytest
from optuna.artifacts import upload_artifact
from optuna.trial import TrialState

from hpo.analysis.status import status_lines, status_of
from hpo.storage.artifacts import artifact_store
from hpo.storage.checkpoints import clean_checkpoints
from hpo.storage.claims import remove_stale_claims
from hpo.storage.file_locks import hold_lock
from hpo.storage.paths import StudyPaths
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialReported, TrialStarted
from hpo.workers.worker import run_trials
from model.data.images import ImageData
from model.device import Runtime
from tests.storage.test_create_study import CONFIG, begin, place_of
from tests.tools import synthetic

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture
def paths(tmp_path: Path) -> StudyPaths:
    return StudyPaths(tmp_path / "results" / "small")


@pytest.fixture
def place(paths: StudyPaths, data: ImageData, runtime: Runtime) -> TrialContext:
    study = begin(paths, data)
    study.set_user_attr("data", {"source": "sample"})
    return place_of(paths, study, data, runtime)


def told(place: TrialContext) -> dict[str, list[str]]:
    """What is said, by the word that each line begins with."""
    lines: dict[str, list[str]] = {}
    for line in status_lines(status_of(place.study, CONFIG, place.paths), CONFIG, "small"):
        word, _, rest = line.partition(": ")
        lines.setdefault(word, []).append(rest)
    return lines


def test_a_study_that_has_just_begun_has_nothing_to_tell_but_the_next_command(place: TrialContext) -> None:
    lines = told(place)
    assert lines[str(place.paths.folder)] == [
        "0 of 6 trials ended, 0 running, 1 waiting, on the bundled sample"
    ]
    assert lines["best"] == ["no trial has finished yet"]
    assert lines["workers"] == ["none"]
    assert lines["attention"] == ["none"]
    assert lines["Next"] == ["make tune STUDY=small"]


def test_trials_are_counted_by_how_they_ended_and_the_best_is_named(place: TrialContext) -> None:
    list(run_trials(place, 5, None))
    status = status_of(place.study, CONFIG, place.paths)
    states = [trial.state for trial in place.study.trials]
    n_finished, n_pruned = states.count(TrialState.COMPLETE), states.count(TrialState.PRUNED)
    assert n_finished and n_pruned
    assert status.counts == {"finished": n_finished, "pruned": n_pruned}
    best = min(trial.value for trial in place.study.trials if trial.state == TrialState.COMPLETE and trial.value)
    assert f"val_bpd {best:.4f} after 3 epochs: beta " in told(place)["best"][0]


def test_the_best_is_the_confirmed_one_with_the_mean_of_its_new_seeds(tmp_path: Path) -> None:
    at_hand = synthetic.begin(tmp_path, "small")
    lucky, steady = (synthetic.add(at_hand, *[7.0] * 5, score) for score in (6.5, 6.6))
    for number, scores in ((lucky, (6.8, 6.7)), (steady, (6.61, 6.63))):
        for score in scores:
            synthetic.add(at_hand, *[7.0] * 5, score, confirms=number)
    line = status_lines(status_of(at_hand.study, at_hand.config, at_hand.paths), at_hand.config, "small")[1]
    epochs = at_hand.config.training.epochs
    assert line.startswith(
        f"best: trial {steady}, val_bpd 6.6000 after {epochs} epochs (confirmed with 2 new seeds: 6.6200): beta "
    )


def test_a_trial_with_a_living_worker_is_told_from_an_interrupted_one(place: TrialContext) -> None:
    events = run_trials(place, 6, None)
    while not isinstance(next(events), TrialReported):
        pass
    lines = told(place)
    assert lines["workers"] == ["1 alive: trial 0 after epoch 1"]
    assert lines["attention"] == ["none"]
    events.close()
    lines = told(place)
    assert lines["workers"] == ["none"]
    assert lines["attention"] == ["trial 0 was interrupted; make tune STUDY=small resumes it after epoch 1"]
    place.paths.checkpoint(0).unlink()
    (line,) = told(place)["attention"]
    assert line.endswith("starts it over")


def test_a_running_trial_whose_end_was_written_before_its_worker_died_still_counts_as_under_way(
    place: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(optuna.Study, "tell", die)
        list(run_trials(place, 1, None))
    assert place.study.trials[0].user_attrs["end"] == "finished"
    status = status_of(place.study, CONFIG, place.paths)
    assert (status.counts, [trial.number for trial in status.running]) == ({}, [0])


def test_failed_trials_a_retraining_under_way_and_a_call_at_work_are_told(
    place: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("hpo.workers.objective.train", lambda *_: 1 / 0)
        list(run_trials(place, 1, None))
    state = place.paths.best.under_way.state
    state.parent.mkdir(parents=True)
    state.touch()
    assert told(place)["attention"] == [
        "trial 0 failed: ZeroDivisionError: division by zero",
        "a retraining was interrupted; make best-retrain STUDY=small resumes it",
    ]
    with hold_lock(place.paths.lock, "it"):
        lines = told(place)
        assert lines["workers"] == ["make tune is running, between trials"]
        assert lines["Next"] == ["make dashboard STUDY=small, or wait"]
        with hold_lock(place.paths.best.lock, "it"):
            assert len(told(place)["attention"]) == 1


def test_a_damaged_checkpoint_and_lost_artifacts_are_told(place: TrialContext) -> None:
    list(run_trials(place, 1, None))
    events = run_trials(place, 6, None)
    while not isinstance(next(events), TrialReported):
        pass
    events.close()
    place.paths.checkpoint(1).write_bytes(b"torn")
    (place.paths.folder / "file").write_text("content")
    upload_artifact(
        study_or_trial=place.study,
        file_path=str(place.paths.folder / "file"),
        artifact_store=artifact_store(place.paths),
    )
    shutil.rmtree(place.paths.artifacts)
    interrupted, lost = told(place)["attention"]
    assert interrupted == "trial 1 was interrupted; make tune STUDY=small starts it over"
    assert "1 of 1 files of the study are missing (file of the study)" in lost


def test_the_next_step_follows_the_study_to_its_end(place: TrialContext) -> None:
    list(run_trials(place, 6, None))
    assert told(place)["Next"] == ["make best-retrain STUDY=small"]
    place.paths.best.folder.mkdir()
    place.paths.best.metrics_json.touch()
    assert told(place)["Next"] == [f"open {place.paths.best.page}"]


def test_disk_use_counts_every_file_and_names_the_large(place: TrialContext) -> None:
    (place.paths.checkpoints / "deep").mkdir(parents=True)
    (place.paths.checkpoints / "deep" / "large").write_bytes(bytes(2_000_000))
    status = status_of(place.study, CONFIG, place.paths)
    whole = sum(file.stat().st_size for file in place.paths.folder.rglob("*") if file.is_file())
    assert sum(use.n_bytes for use in status.disk) == whole
    assert told(place)["disk"][0].startswith(f"{whole / 1e6:.1f} MB: checkpoints 2.0 MB")


def test_to_ask_changes_nothing(place: TrialContext) -> None:
    list(run_trials(place, 2, None))
    before = sorted(place.paths.folder.rglob("*"))
    told(place)
    assert sorted(place.paths.folder.rglob("*")) == before


def test_clean_keeps_the_best_and_what_can_go_on_and_counts_what_it_frees(place: TrialContext) -> None:
    events = run_trials(place, 5, None)
    for event in events:
        if isinstance(event, TrialReported) and event.number == 4:
            break
    events.close()
    paths = place.paths
    (paths.checkpoints / ".trial_0009.1.pt").write_bytes(bytes(100))
    ranked = sorted(
        (trial for trial in place.study.trials if trial.state == TrialState.COMPLETE),
        key=lambda trial: trial.value or 0,
    )
    gone = [paths.checkpoint(trial.number) for trial in ranked[1:3]]
    n_bytes = sum(path.stat().st_size for path in gone) + 100
    assert clean_checkpoints(place.study, paths, 1, CONFIG.pruner) == n_bytes
    files = {path for path in paths.checkpoints.iterdir() if path.is_file()}
    assert files == {paths.checkpoint(ranked[0].number), paths.checkpoint(4)}


def test_claims_left_behind_are_forgotten_once_their_trials_are_over(place: TrialContext) -> None:
    list(run_trials(place, 2, None))
    events = run_trials(place, 3, None)
    assert isinstance(next(events), TrialStarted)
    for number in (0, 1):
        place.paths.claim(number).touch()
    remove_stale_claims(place.study, place.paths)
    assert not place.paths.claim(0).exists() and not place.paths.claim(1).exists()
    assert place.paths.claim(2).exists(), "its trial is under way"
    events.close()
