"""One worker: trials one after another until the budget is spent. Several may share a study."""

import contextlib
import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.configurations import ENDED_OUTSIDE, configurations
from hpo.database import StudyError
from hpo.lock import is_held, try_to_hold, turn
from hpo.next_trial import next_step
from hpo.objective import DEATHS, Event, TrialEnded, TrialReported, Workplace, run_trial
from hpo.paths import StudyPaths
from hpo.study import ended
from model.atomic import remove_unfinished

# So many trials that fail one after another are not bad luck.
MAX_FAILURES_IN_A_ROW = 3
_POLL_S = 0.5
# In the claim of a worker that died since its leader did.
_OF_A_LEADER = "its leader died"


@dataclass(frozen=True)
class Claim:
    """A trial of ours: as long as `file` is open, no other worker takes it."""

    trial: optuna.trial.Trial
    file: IO[str]


class TrialsFail(StudyError):
    """One trial after another failed."""


class FailureStreak:
    """Counts trials that fail one after another."""

    def __init__(self, paths: StudyPaths) -> None:
        self._paths = paths
        self._n_failures = 0

    def take(self, event: Event) -> None:
        """Take note of how a trial ended.

        Raises: TrialsFail: it was the last of MAX_FAILURES_IN_A_ROW.
        """
        if not isinstance(event, TrialEnded):
            return
        is_failure = event.state == TrialState.FAIL and event.end != ENDED_OUTSIDE
        self._n_failures = self._n_failures + 1 if is_failure else 0
        if self._n_failures == MAX_FAILURES_IN_A_ROW:
            raise TrialsFail(
                f"{self._n_failures} trials failed one after another, the last one as '{event.end}'; "
                f"{_look_into(self._paths.errors)}mend the cause, and run the same command again"
            )


def _look_into(log: Path) -> str:
    """Nothing where no trial has left a traceback."""
    return f"look into {log}, " if log.exists() else ""


def work(place: Workplace, n_total: int | None, deadline: float | None) -> Generator[Event]:
    """Run trials until `n_total` configurations were searched and the best confirmed, or until
    `time.monotonic()` has passed `deadline`.

    A trial under way at the deadline stops at the report point nearest to it and can be taken up again, as can one
    whose caller stops between two events. Interrupted trials come first, each under its own number.

    Raises: TrialsFail: they fail one after another; StudyError: the study vanished.
    """
    streak = FailureStreak(place.paths)
    while not _is_past(deadline) and (claim := _claim_next(place, n_total, deadline)):
        before = time.monotonic()
        with _released(claim, place.paths):
            for event in run_trial(claim.trial, place):
                _check_still_there(place.paths)
                yield event
                now = time.monotonic()
                # Of two report points, the one that is nearer to the deadline.
                if _is_past(deadline, now + (now - before) / 2) and may_stop_after(event, place):
                    return
                before = now
        streak.take(event)


def may_stop_after(event: Event, place: Workplace) -> bool:
    """Whether a call may stop here: not between a trial's last report and its end, which costs nothing more."""
    return not (isinstance(event, TrialReported) and event.metrics.epoch >= place.config.training.epochs)


def interrupted_trials(study: Study, paths: StudyPaths) -> list[int]:
    """Numbers of trials that were begun and not ended, and that no living worker holds."""
    return [number for number in _begun(study.get_trials(deepcopy=False)) if not has_worker(paths, number)]


def forget_claims(study: Study, paths: StudyPaths) -> None:
    """Remove the claims that workers left behind which were killed once their trials had ended."""
    for trial in ended(study):
        if not has_worker(paths, trial.number):
            paths.claim(trial.number).unlink(missing_ok=True)


def excuse_all(paths: StudyPaths) -> None:
    """Write down that it is for the leader's sake, not by a trial's fault, that its workers die."""
    for claim in paths.trial_claims():
        # Not made again where its trial has just been let go of.
        with contextlib.suppress(OSError), claim.open("r+") as file:
            file.write(_OF_A_LEADER)


def has_worker(paths: StudyPaths, trial_number: int) -> bool:
    """Whether a living worker has this trial."""
    return is_held(paths.claim(trial_number))


def _check_still_there(paths: StudyPaths) -> None:
    """SQLite goes on writing into a file that was removed, without a word."""
    if not paths.database.exists():
        raise StudyError(
            f"{paths.folder}: vanished while it was worked on; put it back, or run the same command again to begin anew"
        )


def _is_past(deadline: float | None, now: float | None = None) -> bool:
    return deadline is not None and (time.monotonic() if now is None else now) >= deadline


def _begun(trials: list[FrozenTrial]) -> dict[int, FrozenTrial]:
    return {trial.number: trial for trial in trials if trial.state == TrialState.RUNNING}


def _claim_next(place: Workplace, n_total: int | None, deadline: float | None) -> Claim | None:
    """An interrupted trial, else one that waits, else what is next; None where there is nothing left to do.

    While all that is missing is in the hands of others, waits: one of them may die.
    """
    while not _is_past(deadline):
        with turn(place.paths.next_claim):
            # Read once: a trial that ended between two readings would be in neither.
            trials = place.study.get_trials(deepcopy=False)
            if claim := _take_up_interrupted(place, _begun(trials)):
                return claim
            if any(trial.state == TrialState.WAITING for trial in trials):
                return _begin_new(place)
            sampler = place.study.sampler
            step = next_step(configurations(trials), place.config, place.plan, n_total, _left(deadline), sampler)
            if step.what == "leave":
                return None
            if step.configuration:
                place.study.enqueue_trial(step.configuration.params, user_attrs=dict(step.attributes))
            if step.what != "wait":
                return _begin_new(place)
        time.sleep(_POLL_S)
    return None


def _left(deadline: float | None) -> float:
    return math.inf if deadline is None else deadline - time.monotonic()


def _take_up_interrupted(place: Workplace, begun: dict[int, FrozenTrial]) -> Claim | None:
    """The first trial that nobody holds, reopened under its own number."""
    for number, frozen in sorted(begun.items()):
        path = place.paths.claim(number)
        left_behind = path.exists()
        if (file := try_to_hold(path)) is None:
            continue
        remove_unfinished(place.paths.checkpoint(number))
        trial = optuna.trial.Trial(place.study, frozen._trial_id)
        if left_behind and path.read_text() != _OF_A_LEADER:
            _count_death(trial, n_reports=len(frozen.intermediate_values))
        file.truncate(0)
        return Claim(trial, file)
    return None


def _begin_new(place: Workplace) -> Claim:
    trial = place.study.ask()
    file = try_to_hold(place.paths.claim(trial.number))
    assert file is not None, "nobody else can have a trial that was not there"
    return Claim(trial, file)


def _count_death(trial: optuna.trial.Trial, n_reports: int) -> None:
    """Note that a worker died with this trial; deaths before its last report do not count."""
    deaths = trial.user_attrs.get(DEATHS, {"report": n_reports, "times": 0})
    times = deaths["times"] + 1 if deaths["report"] == n_reports else 1
    trial.set_user_attr(DEATHS, {"report": n_reports, "times": times})


@contextlib.contextmanager
def _released(claim: Claim, paths: StudyPaths) -> Iterator[None]:
    """Let go of the trial when the block ends, however it does: only a killed worker leaves its file behind."""
    try:
        yield
    finally:
        with turn(paths.next_claim), claim.file:
            paths.claim(claim.trial.number).unlink(missing_ok=True)
