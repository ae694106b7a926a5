"""Workers: failures in a row, several workers of one study, and deadlines."""

from collections.abc import Iterator
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from hpo.storage.backend import interrupted_trials
from hpo.storage.database import StudyError
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialEnded, TrialReported, TrialStarted
from hpo.workers.worker import FailureStreak, run_trials
from model.training.training_loop import EpochMetrics
from tests.tools.small_study import CONFIG, abandon, run_to, running

pytestmark = pytest.mark.usefixtures("undrawn")

EPOCHS = CONFIG.training.n_epochs


def broken(*_: object) -> Iterator[EpochMetrics]:
    raise AssertionError("a bug")


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
