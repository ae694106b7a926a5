"""Worker loop: run trials one after another until the budget is spent. Several workers may share a study."""

import math
import time
from collections.abc import Callable, Generator
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from hpo.search.configurations import ENDED_OUTSIDE, group_trials
from hpo.search.scheduler import next_step
from hpo.storage.database import StudyError, removed_study, reopen_trial
from hpo.storage.local.claims import Claim, parent_died, releasing, running_trials
from hpo.storage.local.file_locks import try_lock, wait_for_lock
from hpo.storage.paths import StudyPaths
from hpo.workers.crash_retries import count_crash
from hpo.workers.objective import run_trial
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialEnded, TrialEvent, TrialReported
from model.atomic_files import remove_unfinished

# This many failures in a row are not bad luck.
MAX_FAILURES_IN_A_ROW = 3
_POLL_S = 0.5


class TooManyFailures(StudyError):
    """Several trials failed in a row."""


class FailureStreak:
    """Counter of trials that fail in a row."""

    def __init__(self, paths: StudyPaths) -> None:
        self._paths = paths
        self._n_failures = 0

    def count(self, event: TrialEvent) -> None:
        """Count an ended trial that failed; reset at one that did not.

        Raises: TooManyFailures: MAX_FAILURES_IN_A_ROW trials failed in a row.
        """
        if not isinstance(event, TrialEnded):
            return
        is_failure = event.state == TrialState.FAIL and event.end != ENDED_OUTSIDE
        self._n_failures = self._n_failures + 1 if is_failure else 0
        if self._n_failures == MAX_FAILURES_IN_A_ROW:
            raise TooManyFailures(
                f"{self._n_failures} trials failed in a row, the last one with '{event.end}'; "
                f"{_log_hint(self._paths.errors)}fix the cause, and run the same command again"
            )


def _log_hint(log: Path) -> str:
    """Return a pointer to the error log; empty if no trial has left a traceback."""
    return f"read {log}, " if log.exists() else ""


def run_trials(
    context: TrialContext,
    n_total: int | None,
    deadline: float | None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Generator[TrialEvent]:
    """Run trials until `n_total` configurations have been searched and the best confirmed, or until
    `time.monotonic()` has passed `deadline`, or until `should_stop()` returns True after an event.

    A running trial stops at the report point nearest to the deadline and can be resumed later, as can the trial of a
    caller that closes this generator. Interrupted trials come first, each under its own number.

    Raises: TooManyFailures: several trials failed in a row; StudyError: the study was removed.
    """
    streak = FailureStreak(context.paths)
    while not _is_past(deadline) and (claim := _claim_next(context, n_total, deadline)):
        before = time.monotonic()
        with releasing(claim, context.paths):
            for event in run_trial(claim.trial, context):
                _check_database_exists(context.paths)
                yield event
                now = time.monotonic()
                # Of two report points, the one that is nearer to the deadline.
                is_last = _is_past(deadline, now + (now - before) / 2) or should_stop()
                if is_last and may_stop_after(event, context):
                    return
                before = now
        streak.count(event)


def may_stop_after(event: TrialEvent, context: TrialContext) -> bool:
    """Return False between a trial's last report and its end, which costs nothing more; else True."""
    return not (isinstance(event, TrialReported) and event.metrics.epoch >= context.config.training.n_epochs)


def _check_database_exists(paths: StudyPaths) -> None:
    """Raise StudyError if the database was removed: SQLite would keep writing into the removed file."""
    if not paths.database.exists():
        raise removed_study(paths)


def _is_past(deadline: float | None, now: float | None = None) -> bool:
    return deadline is not None and (time.monotonic() if now is None else now) >= deadline


def _claim_next(context: TrialContext, n_total: int | None, deadline: float | None) -> Claim | None:
    """Claim an interrupted trial, else a waiting one, else the scheduler's next one; None if no work is left.

    Waits while other workers run everything that is left: one of them may die.
    """
    while not _is_past(deadline):
        with wait_for_lock(context.paths.claiming_lock):
            # Read once: a trial that ended between two readings would be missing from both.
            trials = context.study.get_trials(deepcopy=False)
            if claim := _claim_interrupted(context, running_trials(trials)):
                return claim
            if any(trial.state == TrialState.WAITING for trial in trials):
                return _claim_new(context)
            remaining_s = math.inf if deadline is None else deadline - time.monotonic()
            step = next_step(
                group_trials(trials), context.config, context.plan, n_total, remaining_s, context.study.sampler
            )
            if step.action == "stop":
                return None
            if step.configuration:
                context.study.enqueue_trial(step.configuration.params, user_attrs=dict(step.attributes))
            if step.action != "wait":
                return _claim_new(context)
        time.sleep(_POLL_S)
    return None


def _claim_interrupted(context: TrialContext, running: dict[int, FrozenTrial]) -> Claim | None:
    """Claim the first running trial that no live worker holds, reopened under its own number."""
    for number, frozen in sorted(running.items()):
        path = context.paths.claim(number)
        was_left_behind = path.exists()
        if (file := try_lock(path)) is None:
            continue
        remove_unfinished(context.paths.checkpoint(number))
        trial = reopen_trial(context.study, frozen)
        if was_left_behind and not parent_died(path):
            count_crash(trial, n_reports=len(frozen.intermediate_values))
        file.truncate(0)
        return Claim(trial, file)
    return None


def _claim_new(context: TrialContext) -> Claim:
    trial = context.study.ask()
    file = try_lock(context.paths.claim(trial.number))
    assert file is not None, "no other worker can hold a trial that did not exist"
    return Claim(trial, file)
