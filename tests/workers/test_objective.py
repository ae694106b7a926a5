"""Ends of trials: finished, diverged, out of memory, failed, and ended by another program."""

import weakref
from collections.abc import Iterator

import optuna
import pytest
import torch
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from hpo.search.best_trial import best_trial_of
from hpo.search.configurations import configurations_of
from hpo.storage.database import StudyError
from hpo.storage.local.sqlite_database import open_storage
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialEnded, TrialReported
from hpo.workers.worker import run_trials
from model.data.images import ImageData
from model.training.train_state import TrainState
from model.training.training_loop import EpochMetrics
from tests.tools.small_study import run_to

pytestmark = pytest.mark.usefixtures("undrawn")


def broken(*_: object) -> Iterator[EpochMetrics]:
    raise AssertionError("a bug")


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


@pytest.mark.parametrize("error", [RuntimeError("unexpected pos 64 vs 0"), SQLAlchemyError("in progress"), OSError()])
def test_an_interruption_that_a_library_hides_by_an_error_of_its_own_is_no_fault_of_the_trial(
    error: Exception, context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> Iterator[EpochMetrics]:
        try:
            raise KeyboardInterrupt
        finally:
            # As torch.save and SQLAlchemy do at unlucky moments.
            raise error

    with monkeypatch.context() as patched:
        patched.setattr("hpo.workers.objective.train", interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(run_trials(context, 1, None))
    assert context.study.trials[0].state == TrialState.RUNNING
    list(run_trials(context, 1, None))
    assert [trial.state for trial in context.study.trials] == [TrialState.COMPLETE]


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
