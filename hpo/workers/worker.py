"""Worker loop: run trials one after another until the budget is spent. Several workers may share a study."""

import contextlib
import math
import random
import time
from collections.abc import Callable, Generator
from pathlib import Path

from optuna.trial import TrialState

from hpo.search.configurations import ENDED_OUTSIDE, group_trials
from hpo.search.scheduler import limit_of, next_step
from hpo.storage.backend import backend_of
from hpo.storage.database import StudyError
from hpo.storage.fingerprint import has_other_length
from hpo.storage.interface import Claim, Fenced
from hpo.storage.paths import StudyPaths
from hpo.workers.crash_retries import count_loss
from hpo.workers.objective import run_trial
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialEnded, TrialEvent, TrialReported

# This many failures in a row are not bad luck.
MAX_FAILURES_IN_A_ROW = 3
_POLL_S, _LOOK_S = 0.5, 30.0


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

    Raises: TooManyFailures: several trials failed in a row; StudyError: the study was removed, or its trials have
        become longer on another machine.
    """
    streak, database = FailureStreak(context.paths), backend_of(context.paths).database
    while not _is_past(deadline) and (claim := claim_next(context, n_total, deadline, should_stop)):
        before = time.monotonic()
        with contextlib.suppress(Fenced), contextlib.ExitStack() as stack:
            # However it ends; only a killed worker leaves its claim behind.
            stack.callback(claim.release)
            if context.paths.location and has_other_length(context.study, context.config):
                raise StudyError(f"{context.paths.address}: its trials have become longer; run the same command again")
            _count_loss(claim, context)
            # Closed before the claim is released: the trial's last report may still be on its way.
            events = stack.enter_context(contextlib.closing(run_trial(claim.trial, context)))
            for event in events:
                database.check_exists()
                yield event
                now = time.monotonic()
                # Of two report points, the one that is nearer to the deadline.
                is_last = _is_past(deadline, now + (now - before) / 2) or should_stop()
                if is_last and may_stop_after(event, context):
                    return
                before = now
            streak.count(event)


def _count_loss(claim: Claim, context: TrialContext) -> None:
    if claim.loss:
        n_reports = len(context.study.get_trials(deepcopy=False)[claim.trial.number].intermediate_values)
        count_loss(claim.trial, n_reports, claim.loss)


def may_stop_after(event: TrialEvent, context: TrialContext) -> bool:
    """Return False between a trial's last report and its end, which costs nothing more; else True."""
    return not (isinstance(event, TrialReported) and event.metrics.epoch >= context.config.training.n_epochs)


def _is_past(deadline: float | None, now: float | None = None) -> bool:
    return deadline is not None and (time.monotonic() if now is None else now) >= deadline


def claim_next(
    context: TrialContext, n_total: int | None, deadline: float | None, should_stop: Callable[[], bool] = lambda: False
) -> Claim | None:
    """Claim an interrupted trial, else a waiting one, else the scheduler's next one; None if no work is left.

    The decision is made from a snapshot, outside any lock, since it may take seconds. Waits while other workers run
    everything that is left: one of them may die.
    """
    backend, study, seen = backend_of(context.paths), context.study, None
    claims, look_at = backend.claims, 0.0
    while not _is_past(deadline) and not should_stop():
        backend.database.check_exists()
        if claim := claims.take_interrupted(study) or claims.take_waiting(study):
            return claim
        state = claims.state_of(study)
        # Time passes, too: with a deadline, the last trainings begin at some moment.
        if state is None or state != seen or time.monotonic() > look_at:
            trials = study.get_trials(deepcopy=False)
            remaining_s = math.inf if deadline is None else deadline - time.monotonic()
            step = next_step(group_trials(trials), context.config, context.plan, n_total, remaining_s, study.sampler)
            if step.action == "stop":
                return None
            if step.action != "wait":
                if claim := claims.begin(study, step, limit_of(step, trials, n_total)):
                    return claim
                continue
            seen, look_at = state, time.monotonic() + _LOOK_S
        time.sleep(_POLL_S * random.uniform(0.5, 1.5))
    return None
