"""Trials of a worker: how they end, which worker runs them, and how a trial of a dead worker is resumed."""

import weakref
from collections.abc import Generator, Iterator
from typing import Any

import optuna
import pytest
import torch
from optuna.trial import FrozenTrial, TrialState

from hpo.search.best_trial import best_trial_of
from hpo.search.configurations import configurations_of
from hpo.storage.claims import interrupted_trials, mark_claims_as_parent_died
from hpo.storage.database import StudyError, open_storage
from hpo.workers.crash_retries import CRASHES
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import Notice, TrialEnded, TrialEvent, TrialReported, TrialStarted
from hpo.workers.worker import FailureStreak, run_trials
from model.data.images import ImageData
from model.training.train_state import TrainState
from model.training.training_loop import EpochMetrics
from tests.tools.small_study import CONFIG, run_until, running

pytestmark = pytest.mark.usefixtures("undrawn")

EPOCHS = CONFIG.training.epochs


class Killed(BaseException):
    """Ends a worker at once."""


def kill_worker(*_: object) -> None:
    raise Killed


def broken(*_: object) -> Iterator[EpochMetrics]:
    raise AssertionError("a bug")


def run_to(events: Generator[TrialEvent], kind: type[TrialEvent]) -> TrialEvent:
    """Run to the next event of this kind and return it."""
    return next(event for event in events if isinstance(event, kind))


def abandon(events: Generator[TrialEvent], context: TrialContext) -> None:
    """Leave trial 0 as a killed worker does: its claim stays behind."""
    events.close()
    context.paths.claim(0).touch()


# Ends


def test_a_diverged_trial_is_ranked_last_and_is_never_the_best(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(run_trials(context, 1, None))
    monkeypatch.setattr("model.training.training_loop.MAX_SKIPPED_SHARE", -1.0)
    (ended,) = [event for event in run_trials(context, 2, None) if isinstance(event, TrialEnded)]
    assert ended.state == TrialState.PRUNED
    assert ended.end.startswith("diverged: ")
    diverged = context.study.trials[1]
    assert diverged.user_attrs["end"] == ended.end
    assert diverged.constraints == {"finite": 1.0}
    best = best_trial_of(configurations_of(context.study))
    assert best is not None and best.number == context.study.best_trial.number == 0


def failed_allocation() -> RuntimeError:
    """Return the error that PyTorch raises if there is too little CPU memory."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**15)
    return caught.value


def test_a_trial_out_of_memory_ends_as_infeasible_and_the_search_continues(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = (
        torch.OutOfMemoryError("CUDA out of memory. Tried 1 GiB"),
        MemoryError(),
        failed_allocation(),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    )
    remaining = iter(errors)

    def fail(*_: object) -> Iterator[EpochMetrics]:
        raise next(remaining)

    with monkeypatch.context() as patched:
        patched.setattr("hpo.workers.objective.train", fail)
        list(run_trials(context, len(errors), None))
    list(run_trials(context, len(errors) + 1, None))
    *failed, last = context.study.trials
    assert len(failed) == len(errors) and last.state == TrialState.COMPLETE
    for trial in failed:
        assert trial.state == TrialState.PRUNED
        assert trial.user_attrs["end"].startswith("out of memory")
        assert trial.constraints == {"finite": 1.0}


def test_the_memory_of_a_trial_that_ran_out_of_it_is_released(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[weakref.ref[TrainState]] = []

    def exhaust(state: TrainState, _: ImageData) -> Iterator[EpochMetrics]:
        states.append(weakref.ref(state))
        raise MemoryError
        yield

    monkeypatch.setattr("hpo.workers.objective.train", exhaust)
    events = run_trials(context, 1, None)
    run_to(events, TrialEnded)
    assert len(states) == 1 and states[0]() is None
    events.close()


@pytest.mark.parametrize("function", ["suggest", "TrialFrameRecorder", "train", "trial_attributes"])
def test_an_unforeseen_error_fails_only_its_trial_and_its_traceback_is_kept(
    function: str, context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(f"hpo.workers.objective.{function}", broken)
        list(run_trials(context, 1, None))
    list(run_trials(context, 2, None))
    failed, last = context.study.trials
    assert (failed.state, last.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert failed.user_attrs["end"] == "failed: AssertionError: a bug"
    assert "in broken" in failed.user_attrs["traceback"]
    log = context.paths.errors.read_text()
    assert log.startswith("trial 0\n") and failed.user_attrs["traceback"] in log


def test_three_failures_in_a_row_stop_the_study(context: TrialContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpo.workers.objective.train", broken)
    with pytest.raises(StudyError, match=r"3 trials failed in a row.*a bug.*errors\.log"):
        list(run_trials(context, 9, None))
    assert [trial.state for trial in context.study.trials] == [TrialState.FAIL] * 3


def test_a_trial_that_did_not_fail_ends_a_streak_of_failures(context: TrialContext) -> None:
    streak = FailureStreak(context.paths)
    states = [TrialState.FAIL, TrialState.FAIL, TrialState.PRUNED, TrialState.FAIL, TrialState.FAIL]
    for number, state in enumerate(states):
        streak.count(TrialEnded(number, state, "failed: a bug", None))
    with pytest.raises(StudyError, match="3 trials failed in a row"):
        streak.count(TrialEnded(5, TrialState.FAIL, "failed: a bug", None))


def test_a_trial_that_another_program_ends_is_left_as_it_is(context: TrialContext) -> None:
    events = run_trials(context, 2, None)
    run_to(events, TrialReported)
    context.study.tell(0, state=TrialState.FAIL)
    assert run_to(events, TrialEnded) == TrialEnded(0, TrialState.FAIL, "failed: ended from outside", None)
    list(events)
    assert [trial.state for trial in context.study.trials] == [TrialState.FAIL, TrialState.COMPLETE]
    assert "traceback" not in context.study.trials[0].user_attrs and not context.paths.errors.exists()


def test_a_study_that_is_deleted_while_a_trial_runs_stops_the_worker(context: TrialContext) -> None:
    events = run_trials(context, 2, None)
    run_to(events, TrialReported)
    optuna.delete_study(study_name="small", storage=open_storage(context.paths))
    with pytest.raises(StudyError, match="was deleted while trials ran"):
        list(events)


# Dead workers


def test_a_trial_whose_worker_dies_three_times_after_the_same_report_fails(context: TrialContext) -> None:
    for _ in range(3):
        events = run_trials(context, 2, None)
        run_to(events, TrialStarted)
        abandon(events, context)
    last = list(run_trials(context, 1, None))
    assert [type(event) for event in last] == [TrialStarted, TrialEnded]
    assert context.study.trials[0].state == TrialState.FAIL
    assert context.study.trials[0].user_attrs["end"] == "failed: its worker died 3 times after report 0"


def test_a_trial_with_a_new_report_before_each_crash_is_resumed_again(context: TrialContext) -> None:
    for _ in range(2):
        for kind in (TrialStarted, TrialReported):
            events = run_trials(context, 2, None)
            run_to(events, kind)
            abandon(events, context)
    list(run_trials(context, 1, None))
    assert context.study.trials[0].state == TrialState.COMPLETE


def test_a_worker_that_dies_with_its_parent_process_does_not_count_as_a_crash(context: TrialContext) -> None:
    for _ in range(4):
        events = run_trials(context, 2, None)
        run_to(events, TrialStarted)
        abandon(events, context)
        mark_claims_as_parent_died(context.paths)
    list(run_trials(context, 1, None))
    assert context.study.trials[0].state == TrialState.COMPLETE
    assert CRASHES not in context.study.trials[0].user_attrs


def test_a_trained_trial_whose_worker_dies_repeatedly_ends_without_its_pictures(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpo.workers.objective.draw_and_annotate", kill_worker)
    for _ in range(3):
        with pytest.raises(Killed):
            list(run_trials(context, 1, None))
        context.paths.claim(0).touch()
    *_, notice, ended = run_trials(context, 1, None)
    assert isinstance(notice, Notice) and "without pictures" in notice.text
    assert isinstance(ended, TrialEnded) and ended.state == TrialState.COMPLETE
    assert context.study.trials[0].value == context.study.trials[0].intermediate_values[EPOCHS]


def test_a_trained_trial_whose_worker_dies_even_without_pictures_fails_at_last(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("hpo.workers.objective.trial_attributes", kill_worker)
        for _ in range(5):
            with pytest.raises(Killed):
                list(run_trials(context, 1, None))
            context.paths.claim(0).touch()
    list(run_trials(context, 1, None))
    assert context.study.trials[0].state == TrialState.FAIL
    assert context.study.trials[0].user_attrs["end"] == f"failed: its worker died 5 times after report {EPOCHS}"


def test_partial_files_of_a_killed_worker_are_removed_when_its_trial_is_resumed(context: TrialContext) -> None:
    events = run_trials(context, 1, None)
    run_to(events, TrialReported)
    abandon(events, context)
    checkpoint = context.paths.checkpoint(0)
    partial = [checkpoint.with_name(f".{checkpoint.stem}.{pid}.pt") for pid in (1, 22)]
    of_another_trial = checkpoint.with_name(".trial_0001.333.pt")
    for path in (*partial, of_another_trial):
        path.write_bytes(b"half")
    list(run_trials(context, 1, None))
    assert context.study.trials[0].state == TrialState.COMPLETE
    assert not any(path.exists() for path in partial)
    assert of_another_trial.exists(), "the worker of that trial may be writing it"


def test_a_damaged_checkpoint_restarts_its_trial_with_a_notice(context: TrialContext) -> None:
    run_until(context, TrialReported)
    context.paths.checkpoint(0).write_bytes(b"torn")
    events = list(run_trials(context, 1, None))
    assert any(isinstance(event, Notice) and "starting over" in event.text for event in events)
    assert context.study.trials[0].state == TrialState.COMPLETE
    assert len(context.study.trials[0].intermediate_values) == EPOCHS


# Several workers


def test_a_trial_of_a_live_worker_is_not_taken_by_another(context: TrialContext) -> None:
    first, second = run_trials(context, None, None), run_trials(context, None, None)
    numbers = [event.number for event in (next(first), next(second)) if isinstance(event, TrialStarted)]
    assert numbers == [0, 1]
    assert interrupted_trials(context.study, context.paths) == []
    first.close()
    assert interrupted_trials(context.study, context.paths) == [0]
    third = run_trials(context, None, None)
    assert isinstance(started := next(third), TrialStarted) and started.number == 0
    second.close()
    third.close()


def test_a_worker_without_a_trial_waits_for_the_others_and_resumes_the_trial_of_one_that_dies(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = run_trials(context, 1, None)
    next(other)
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 2:
            abandon(other, context)

    monkeypatch.setattr("hpo.workers.worker.time.sleep", sleep)
    *_, last = run_trials(context, 1, None)
    assert isinstance(last, TrialEnded) and last.number == 0
    assert len(context.study.trials) == 1 and not running(context.study)


def test_a_trial_that_ends_while_another_worker_reads_the_study_is_counted_once(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = run_trials(context, 1, None)
    next(other)
    get_trials = optuna.Study.get_trials

    def end_after_reading(*args: Any, **kwargs: Any) -> list[FrozenTrial]:
        trials = get_trials(*args, **kwargs)
        patched.undo()
        run_to(other, TrialEnded)
        return trials

    with monkeypatch.context() as patched:
        patched.setattr(optuna.Study, "get_trials", end_after_reading)
        assert list(run_trials(context, 1, None)) == []
    assert len(context.study.trials) == 1


# Deadlines


def test_a_deadline_interrupts_a_trial_between_reports_but_not_after_its_last(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("hpo.workers.worker.time.monotonic", lambda: clock[0])
    for first_late in (1, EPOCHS):
        clock[0] = 0.0
        for event in run_trials(context, None, 5.0):
            clock[0] += 9.0 * (isinstance(event, TrialReported) and event.metrics.epoch >= first_late)
        assert len(context.study.trials[0].intermediate_values) == first_late
    assert context.study.trials[0].state == TrialState.COMPLETE, "the deadline passed at its last report"
    assert len(context.study.trials) == 1


@pytest.mark.parametrize(("deadline", "n_reports"), [(5.0, 1), (7.0, 2)])
def test_a_trial_stops_at_the_report_nearest_to_the_deadline(
    deadline: float, n_reports: int, context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("hpo.workers.worker.time.monotonic", lambda: clock[0])
    for event in run_trials(context, None, deadline):
        # One report every four seconds.
        clock[0] += 4.0 * isinstance(event, TrialReported)
    assert len(context.study.trials[0].intermediate_values) == n_reports
