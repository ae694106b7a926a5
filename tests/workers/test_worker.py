"""Trials under a worker: how they end, who has them, and what happens to one whose worker died."""

import weakref
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from optuna.trial import FrozenTrial, TrialState

from hpo.search.best_trial import best_trial_of
from hpo.search.configurations import configurations_of
from hpo.storage.claims import interrupted_trials, mark_claims_as_parent_died
from hpo.storage.database import StudyError, open_storage
from hpo.storage.paths import StudyPaths
from hpo.workers.crash_retries import CRASHES
from hpo.workers.trial_events import Notice, TrialEnded, TrialEvent, TrialReported, TrialStarted
from hpo.workers.worker import FailureStreak, run_trials
from model.data.images import ImageData
from model.device import Runtime
from model.training.train_state import TrainState
from model.training.training_loop import EpochMetrics
from tests.storage.test_create_study import begin, begun, place_of

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture
def paths(tmp_path: Path) -> StudyPaths:
    return StudyPaths(tmp_path / "results" / "small")


def test_a_diverged_trial_is_ranked_last_and_never_best(
    paths: StudyPaths, data: ImageData, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = begin(paths, data)
    place = place_of(paths, study, data, runtime)
    list(run_trials(place, 1, None))
    monkeypatch.setattr("model.training.training_loop.MAX_SKIPPED_SHARE", -1.0)
    (ending,) = [event for event in run_trials(place, 2, None) if isinstance(event, TrialEnded)]
    assert ending.state == TrialState.PRUNED
    assert ending.end.startswith("diverged: ")
    diverged = study.trials[1]
    assert diverged.user_attrs["end"] == ending.end
    assert diverged.constraints == {"finite": 1.0}
    best = best_trial_of(configurations_of(study))
    assert best is not None and best.number == study.best_trial.number == 0


def failed_allocation() -> RuntimeError:
    """What PyTorch raises where the CPU's memory does not suffice."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**15)
    return caught.value


OUT_OF_MEMORY = {
    "CUDA": torch.OutOfMemoryError("CUDA out of memory. Tried 1 GiB"),
    "Python": MemoryError(),
    "CPU": failed_allocation(),
    "MPS": RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    "cuBLAS": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
}


@pytest.mark.parametrize("error", OUT_OF_MEMORY.values(), ids=OUT_OF_MEMORY.keys())
def test_a_trial_out_of_memory_ends_as_infeasible_and_the_search_goes_on(
    paths: StudyPaths, data: ImageData, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    study = begin(paths, data)
    place = place_of(paths, study, data, runtime)
    with monkeypatch.context() as patched:
        patched.setattr("hpo.workers.objective.train", lambda *_: (_ for _ in ()).throw(error))
        list(run_trials(place, 1, None))
    list(run_trials(place, 2, None))
    assert [trial.state for trial in study.trials] == [TrialState.PRUNED, TrialState.COMPLETE]
    assert study.trials[0].user_attrs["end"].startswith("out of memory")
    assert study.trials[0].constraints == {"finite": 1.0}


def test_the_memory_of_a_trial_that_ran_out_of_it_is_released(
    paths: StudyPaths, data: ImageData, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_of(paths, begin(paths, data), data, runtime)
    states: list[weakref.ref[TrainState]] = []

    def exhausting(state: TrainState, _: ImageData) -> Iterator[EpochMetrics]:
        states.append(weakref.ref(state))
        raise MemoryError
        yield

    monkeypatch.setattr("hpo.workers.objective.train", exhausting)
    events = run_trials(place, 1, None)
    while not isinstance(next(events), TrialEnded):
        pass
    assert len(states) == 1 and states[0]() is None
    events.close()


def test_a_fault_before_training_fails_its_trial_and_never_returns(
    paths: StudyPaths, data: ImageData, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = begin(paths, data)
    place = place_of(paths, study, data, runtime)
    for function in ("suggest", "TrialFrameRecorder", "trial_attributes"):
        with monkeypatch.context() as patched:
            patched.setattr(f"hpo.workers.objective.{function}", broken)
            list(run_trials(place, len(study.trials) + (function != "suggest"), None))
        # Between them one that works: three failures in a row would stop the study.
        list(run_trials(place, len(study.trials) + 1, None))
    ends = [trial.user_attrs["end"] for trial in study.trials if trial.state == TrialState.FAIL]
    assert ends == ["failed: AssertionError: a bug"] * 3
    assert not begun(study)


def test_a_trial_that_another_program_ends_under_its_worker_is_let_go(
    paths: StudyPaths, data: ImageData, runtime: Runtime
) -> None:
    study = begin(paths, data)
    place = place_of(paths, study, data, runtime)
    events = run_trials(place, 2, None)
    while not isinstance(next(events), TrialReported):
        pass
    study.tell(0, state=TrialState.FAIL)
    endings = [event for event in events if isinstance(event, TrialEnded)]
    assert endings[0] == TrialEnded(0, TrialState.FAIL, "failed: ended from outside", None)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.COMPLETE]
    assert "traceback" not in study.trials[0].user_attrs and not paths.errors.exists()


def test_a_study_deleted_under_its_worker_is_told(paths: StudyPaths, data: ImageData, runtime: Runtime) -> None:
    study = begin(paths, data)
    events = run_trials(place_of(paths, study, data, runtime), 2, None)
    while not isinstance(next(events), TrialReported):
        pass
    optuna.delete_study(study_name="small", storage=open_storage(paths))
    with pytest.raises(StudyError, match="was deleted while trials ran"):
        list(events)


def test_a_worker_that_dies_with_its_leader_is_not_held_against_its_trial(
    paths: StudyPaths, data: ImageData, runtime: Runtime
) -> None:
    study = begin(paths, data)
    place = place_of(paths, study, data, runtime)
    for _ in range(4):
        events = run_trials(place, 2, None)
        while not isinstance(next(events), TrialStarted):
            pass
        abandon(events, paths, 0)
        mark_claims_as_parent_died(paths)
    list(run_trials(place, 1, None))
    assert study.trials[0].state == TrialState.COMPLETE and CRASHES not in study.trials[0].user_attrs


def test_failures_are_counted_over_all_workers(paths: StudyPaths) -> None:
    streak = FailureStreak(paths)
    ends = [TrialState.FAIL, TrialState.FAIL, TrialState.PRUNED, TrialState.FAIL, TrialState.FAIL]
    for number, state in enumerate(ends):
        streak.count(TrialEnded(number, state, "failed: a bug", None))
    with pytest.raises(StudyError, match="3 trials failed in a row"):
        streak.count(TrialEnded(5, TrialState.FAIL, "failed: a bug", None))


def test_a_fault_of_ours_fails_its_trial_alone_and_keeps_the_traceback(
    paths: StudyPaths, data: ImageData, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = begin(paths, data)
    place = place_of(paths, study, data, runtime)
    with monkeypatch.context() as patched:
        patched.setattr("hpo.workers.objective.train", broken)
        list(run_trials(place, 1, None))
    list(run_trials(place, 2, None))
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.COMPLETE]
    assert study.trials[0].user_attrs["end"] == "failed: AssertionError: a bug"
    assert "in broken" in study.trials[0].user_attrs["traceback"]
    assert study.trials[0].user_attrs["traceback"] in paths.errors.read_text()
    assert paths.errors.read_text().startswith("trial 0\n")
    assert not begun(study)


def broken(*_: object) -> Iterator[EpochMetrics]:
    raise AssertionError("a bug")


def test_three_failures_in_a_row_stop_the_study(
    paths: StudyPaths, data: ImageData, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = begin(paths, data)
    monkeypatch.setattr("hpo.workers.objective.train", broken)
    with pytest.raises(StudyError, match=r"3 trials failed in a row.*a bug.*errors\.log"):
        list(run_trials(place_of(paths, study, data, runtime), 9, None))
    assert [trial.state for trial in study.trials] == [TrialState.FAIL] * 3


def abandon(work_under_way: Generator[TrialEvent], paths: StudyPaths, trial_number: int) -> None:
    """Leave a trial as a killed worker does: its claim stays behind."""
    work_under_way.close()
    paths.claim(trial_number).touch()


def test_a_trial_whose_worker_keeps_dying_at_one_point_is_taken_up_twice_and_then_fails(
    paths: StudyPaths, data: ImageData, runtime: Runtime
) -> None:
    study = begin(paths, data)
    place = place_of(paths, study, data, runtime)
    for _ in range(3):
        events = run_trials(place, 2, None)
        while not isinstance(next(events), TrialStarted):
            pass
        abandon(events, paths, 0)
    last = list(run_trials(place, 1, None))
    assert [type(event) for event in last] == [TrialStarted, TrialEnded]
    assert study.trials[0].state == TrialState.FAIL
    assert study.trials[0].user_attrs["end"] == "failed: its worker died 3 times after report 0"


class Death(BaseException):
    """Ends a worker at once."""


def die(*_: object) -> None:
    raise Death


def test_a_trained_trial_whose_worker_keeps_dying_over_its_pictures_does_without_them(
    paths: StudyPaths, data: ImageData, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = begin(paths, data)
    place = place_of(paths, study, data, runtime)
    monkeypatch.setattr("hpo.workers.objective.draw_and_annotate", die)
    for _ in range(3):
        with pytest.raises(Death):
            list(run_trials(place, 1, None))
        paths.claim(0).touch()
    *_, notice, ending = run_trials(place, 1, None)
    assert isinstance(notice, Notice) and "without pictures" in notice.text
    assert isinstance(ending, TrialEnded) and ending.state == TrialState.COMPLETE
    assert study.trials[0].value == study.trials[0].intermediate_values[place.config.training.epochs]


def test_a_trained_trial_that_kills_even_without_its_pictures_fails_in_the_end(
    paths: StudyPaths, data: ImageData, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = begin(paths, data)
    place = place_of(paths, study, data, runtime)
    with monkeypatch.context() as patched:
        patched.setattr("hpo.workers.objective.trial_attributes", die)
        for _ in range(5):
            with pytest.raises(Death):
                list(run_trials(place, 1, None))
            paths.claim(0).touch()
    list(run_trials(place, 1, None))
    assert study.trials[0].state == TrialState.FAIL
    assert (
        study.trials[0].user_attrs["end"]
        == f"failed: its worker died 5 times after report {place.config.training.epochs}"
    )


def test_a_trial_that_comes_further_each_time_may_be_taken_up_as_often_as_it_takes(
    paths: StudyPaths, data: ImageData, runtime: Runtime
) -> None:
    study = begin(paths, data)
    place = place_of(paths, study, data, runtime)
    for _ in range(2):
        events = run_trials(place, 2, None)
        next(events)
        abandon(events, paths, 0)
        events = run_trials(place, 2, None)
        while not isinstance(next(events), TrialReported):
            pass
        abandon(events, paths, 0)
    list(run_trials(place, 1, None))
    assert study.trials[0].state == TrialState.COMPLETE


def test_what_a_killed_worker_was_writing_goes_when_its_trial_is_taken_up(
    paths: StudyPaths, data: ImageData, runtime: Runtime
) -> None:
    study = begin(paths, data)
    place = place_of(paths, study, data, runtime)
    events = run_trials(place, 1, None)
    while not isinstance(next(events), TrialReported):
        pass
    abandon(events, paths, 0)
    checkpoint = paths.checkpoint(0)
    unfinished = [checkpoint.with_name(f".{checkpoint.stem}.{pid}.pt") for pid in (1, 22)]
    of_another = checkpoint.with_name(".trial_0001.333.pt")
    for path in (*unfinished, of_another):
        path.write_bytes(b"half")
    list(run_trials(place, 1, None))
    assert study.trials[0].state == TrialState.COMPLETE
    assert not any(path.exists() for path in unfinished)
    assert of_another.exists(), "whoever has that trial may be writing it"


def test_a_trial_that_a_living_worker_holds_is_left_to_it(paths: StudyPaths, data: ImageData, runtime: Runtime) -> None:
    study = begin(paths, data)
    place = place_of(paths, study, data, runtime)
    first, second = run_trials(place, None, None), run_trials(place, None, None)
    numbers = [event.number for event in (next(first), next(second)) if isinstance(event, TrialStarted)]
    assert numbers == [0, 1]
    assert interrupted_trials(study, paths) == []
    first.close()
    assert interrupted_trials(study, paths) == [0]
    third = run_trials(place, None, None)
    assert isinstance(taken := next(third), TrialStarted) and taken.number == 0
    second.close()
    third.close()


def test_a_worker_with_nothing_left_to_begin_waits_for_the_others_and_takes_over_from_one_that_dies(
    paths: StudyPaths, data: ImageData, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = begin(paths, data)
    place = place_of(paths, study, data, runtime)
    other = run_trials(place, 1, None)
    next(other)
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 2:
            abandon(other, paths, 0)

    monkeypatch.setattr("hpo.workers.worker.time.sleep", sleep)
    events = list(run_trials(place, 1, None))
    assert isinstance(events[-1], TrialEnded) and events[-1].number == 0
    assert len(study.trials) == 1


def test_a_trial_that_ends_while_another_worker_counts_is_counted_once(
    paths: StudyPaths, data: ImageData, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = begin(paths, data)
    place = place_of(paths, study, data, runtime)
    other = run_trials(place, 1, None)
    next(other)
    read = optuna.Study.get_trials

    def read_and_then_end(*args: Any, **kwargs: Any) -> list[FrozenTrial]:
        trials = read(*args, **kwargs)
        patched.undo()
        assert any(isinstance(event, TrialEnded) for event in other)
        return trials

    with monkeypatch.context() as patched:
        patched.setattr(optuna.Study, "get_trials", read_and_then_end)
        assert list(run_trials(place, 1, None)) == []
    assert len(study.trials) == 1


def test_only_checkpoints_of_the_best_and_of_what_can_go_on_are_kept(
    paths: StudyPaths, data: ImageData, runtime: Runtime
) -> None:
    study = begin(paths, data)
    study.pruner = optuna.pruners.NopPruner()
    place = place_of(paths, study, data, runtime)
    events = run_trials(place, 7, None)
    for event in events:
        if isinstance(event, TrialReported) and event.number == 6:
            break
    events.close()
    ranked = sorted((t for t in study.trials if t.state == TrialState.COMPLETE), key=lambda trial: trial.value or 0)
    assert len(ranked) > 3, "or there is nothing to let go of"
    kept = {paths.checkpoint(trial.number) for trial in ranked[:3]} | {paths.checkpoint(6)}
    assert set(paths.checkpoints.glob("*.pt")) == kept


def test_a_deadline_pauses_a_trial_between_reports_but_not_after_its_last(
    paths: StudyPaths, data: ImageData, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = begin(paths, data)
    place = place_of(paths, study, data, runtime)
    clock = [0.0]
    monkeypatch.setattr("hpo.workers.worker.time.monotonic", lambda: clock[0])
    for first_late in (1, place.config.training.epochs):
        clock[0] = 0.0
        for event in run_trials(place, None, 5.0):
            clock[0] += 9.0 * (isinstance(event, TrialReported) and event.metrics.epoch >= first_late)
        assert len(study.trials[0].intermediate_values) == first_late
    assert study.trials[0].state == TrialState.COMPLETE, "past the deadline at its last report, and ended all the same"
    assert len(study.trials) == 1


@pytest.mark.parametrize(("deadline", "n_reports"), [(5.0, 1), (7.0, 2)])
def test_of_two_report_points_the_one_nearer_to_the_deadline_is_the_last(
    paths: StudyPaths,
    data: ImageData,
    runtime: Runtime,
    monkeypatch: pytest.MonkeyPatch,
    deadline: float,
    n_reports: int,
) -> None:
    study = begin(paths, data)
    clock = [0.0]
    monkeypatch.setattr("hpo.workers.worker.time.monotonic", lambda: clock[0])
    for event in run_trials(place_of(paths, study, data, runtime), None, deadline):
        # Every four seconds a report.
        clock[0] += 4.0 * isinstance(event, TrialReported)
    assert len(study.trials[0].intermediate_values) == n_reports


def test_a_damaged_checkpoint_sends_its_trial_back_to_the_start_and_says_so(
    paths: StudyPaths, data: ImageData, runtime: Runtime
) -> None:
    study = begin(paths, data)
    place = place_of(paths, study, data, runtime)
    for event in run_trials(place, 1, None):
        if isinstance(event, TrialReported):
            break
    paths.checkpoint(0).write_bytes(b"torn")
    events = list(run_trials(place, 1, None))
    assert any(isinstance(event, Notice) and "starting over" in event.text for event in events)
    assert study.trials[0].state == TrialState.COMPLETE
    assert len(study.trials[0].intermediate_values) == 3
