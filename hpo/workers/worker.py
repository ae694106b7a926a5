"""One worker: trials one after another until the budget is spent. Several may share a study."""

import math
import time
from collections.abc import Generator
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from hpo.search.configurations import ENDED_OUTSIDE, configurations
from hpo.search.scheduler import next_step
from hpo.storage.claims import PARENT_DIED, Claim, released, running_trials
from hpo.storage.database import StudyError
from hpo.storage.file_locks import try_to_hold, wait_for_lock
from hpo.storage.paths import StudyPaths
from hpo.workers.crash_retries import CRASHES
from hpo.workers.objective import run_trial
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialEnded, TrialEvent, TrialReported
from model.atomic_files import remove_unfinished

# So many trials that fail one after another are not bad luck.
MAX_FAILURES_IN_A_ROW = 3
_POLL_S = 0.5


class TooManyFailures(StudyError):
    """One trial after another failed."""


class FailureStreak:
    """Counts trials that fail one after another."""

    def __init__(self, paths: StudyPaths) -> None:
        self._paths = paths
        self._n_failures = 0

    def take(self, event: TrialEvent) -> None:
        """Take note of how a trial ended.

        Raises: TrialsFail: it was the last of MAX_FAILURES_IN_A_ROW.
        """
        if not isinstance(event, TrialEnded):
            return
        is_failure = event.state == TrialState.FAIL and event.end != ENDED_OUTSIDE
        self._n_failures = self._n_failures + 1 if is_failure else 0
        if self._n_failures == MAX_FAILURES_IN_A_ROW:
            raise TooManyFailures(
                f"{self._n_failures} trials failed one after another, the last one as '{event.end}'; "
                f"{_look_into(self._paths.errors)}mend the cause, and run the same command again"
            )


def _look_into(log: Path) -> str:
    """Nothing where no trial has left a traceback."""
    return f"look into {log}, " if log.exists() else ""


def run_trials(place: TrialContext, n_total: int | None, deadline: float | None) -> Generator[TrialEvent]:
    """Run trials until `n_total` configurations were searched and the best confirmed, or until
    `time.monotonic()` has passed `deadline`.

    A trial under way at the deadline stops at the report point nearest to it and can be taken up again, as can one
    whose caller stops between two events. Interrupted trials come first, each under its own number.

    Raises: TrialsFail: they fail one after another; StudyError: the study vanished.
    """
    streak = FailureStreak(place.paths)
    while not _is_past(deadline) and (claim := _claim_next(place, n_total, deadline)):
        before = time.monotonic()
        with released(claim, place.paths):
            for event in run_trial(claim.trial, place):
                _check_still_there(place.paths)
                yield event
                now = time.monotonic()
                # Of two report points, the one that is nearer to the deadline.
                if _is_past(deadline, now + (now - before) / 2) and may_stop_after(event, place):
                    return
                before = now
        streak.take(event)


def may_stop_after(event: TrialEvent, place: TrialContext) -> bool:
    """Whether a call may stop here: not between a trial's last report and its end, which costs nothing more."""
    return not (isinstance(event, TrialReported) and event.metrics.epoch >= place.config.training.epochs)


def _check_still_there(paths: StudyPaths) -> None:
    """SQLite goes on writing into a file that was removed, without a word."""
    if not paths.database.exists():
        raise StudyError(
            f"{paths.folder}: vanished while it was worked on; put it back, or run the same command again to begin anew"
        )


def _is_past(deadline: float | None, now: float | None = None) -> bool:
    return deadline is not None and (time.monotonic() if now is None else now) >= deadline


def _claim_next(place: TrialContext, n_total: int | None, deadline: float | None) -> Claim | None:
    """An interrupted trial, else one that waits, else what is next; None where there is nothing left to do.

    While all that is missing is in the hands of others, waits: one of them may die.
    """
    while not _is_past(deadline):
        with wait_for_lock(place.paths.next_claim):
            # Read once: a trial that ended between two readings would be in neither.
            trials = place.study.get_trials(deepcopy=False)
            if claim := _resume_interrupted(place, running_trials(trials)):
                return claim
            if any(trial.state == TrialState.WAITING for trial in trials):
                return _start_new(place)
            sampler = place.study.sampler
            step = next_step(configurations(trials), place.config, place.plan, n_total, _remaining_s(deadline), sampler)
            if step.what == "leave":
                return None
            if step.configuration:
                place.study.enqueue_trial(step.configuration.params, user_attrs=dict(step.attributes))
            if step.what != "wait":
                return _start_new(place)
        time.sleep(_POLL_S)
    return None


def _remaining_s(deadline: float | None) -> float:
    return math.inf if deadline is None else deadline - time.monotonic()


def _resume_interrupted(place: TrialContext, begun: dict[int, FrozenTrial]) -> Claim | None:
    """The first trial that nobody holds, reopened under its own number."""
    for number, frozen in sorted(begun.items()):
        path = place.paths.claim(number)
        left_behind = path.exists()
        if (file := try_to_hold(path)) is None:
            continue
        remove_unfinished(place.paths.checkpoint(number))
        trial = optuna.trial.Trial(place.study, frozen._trial_id)
        if left_behind and path.read_text() != PARENT_DIED:
            _count_crash(trial, n_reports=len(frozen.intermediate_values))
        file.truncate(0)
        return Claim(trial, file)
    return None


def _start_new(place: TrialContext) -> Claim:
    trial = place.study.ask()
    file = try_to_hold(place.paths.claim(trial.number))
    assert file is not None, "nobody else can have a trial that was not there"
    return Claim(trial, file)


def _count_crash(trial: optuna.trial.Trial, n_reports: int) -> None:
    """Note that a worker died with this trial; deaths before its last report do not count."""
    deaths = trial.user_attrs.get(CRASHES, {"report": n_reports, "times": 0})
    times = deaths["times"] + 1 if deaths["report"] == n_reports else 1
    trial.set_user_attr(CRASHES, {"report": n_reports, "times": times})
