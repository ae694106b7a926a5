"""One worker: trials one after another until the budget is spent."""

import time
from collections.abc import Iterator

import optuna
from optuna.trial import TrialState

from hpo.objective import Event, TrialReported, Workplace, run_trial
from hpo.study import ended


def work(place: Workplace, n_total: int | None, deadline: float | None) -> Iterator[Event]:
    """Run trials until the study has `n_total` or `time.monotonic()` has passed `deadline`.

    A trial under way at the deadline stops at its next report point and can be taken up again, as can one whose
    caller stops between two events. Interrupted trials come first, each under its own number.
    """
    _discard_stale_checkpoints(place)
    while _goes_on(place, n_total, deadline):
        for event in run_trial(_next_trial(place.study), place):
            yield event
            if _is_past(deadline) and may_stop_after(event, place):
                return


def may_stop_after(event: Event, place: Workplace) -> bool:
    """Whether a call may stop here: not between a trial's last report and its end, which costs nothing more."""
    return not (isinstance(event, TrialReported) and event.metrics.epoch >= place.config.training.epochs)


def interrupted_trials(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Trials that were begun and not ended, lowest number first."""
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def _goes_on(place: Workplace, n_total: int | None, deadline: float | None) -> bool:
    return not _is_past(deadline) and (n_total is None or len(ended(place.study)) < n_total)


def _is_past(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() >= deadline


def _next_trial(study: optuna.Study) -> optuna.trial.Trial:
    """An interrupted trial, reopened under its own number, else a new one."""
    interrupted = interrupted_trials(study)
    if interrupted:
        return optuna.trial.Trial(study, interrupted[0]._trial_id)
    return study.ask()


def _discard_stale_checkpoints(place: Workplace) -> None:
    """Remove states of trials that ended just before their process did."""
    if place.paths.checkpoints.is_dir():
        wanted = {place.paths.checkpoint(trial.number) for trial in interrupted_trials(place.study)}
        for path in set(place.paths.checkpoints.iterdir()) - wanted:
            path.unlink(missing_ok=True)
