"""Retries of trials whose worker process died, or was not heard of any more."""

import optuna

from hpo.storage.interface import Loss

# A trial whose worker died is resumed from its last report this many times; then the trial itself is to blame. One
# that has all its reports, and so nothing to lose but its pictures, is resumed twice as often, then without pictures.
MAX_RETRIES = 2
# A machine that was switched off, or cut off, says less about the trial.
_MAX_LOSSES = 10
# Keys of the trial's user attributes: {"report": n, "times": n}.
CRASHES, LOSSES = "deaths", "losses"


def count_loss(trial: optuna.trial.Trial, n_reports: int, loss: Loss) -> None:
    """Record that a trial lost its worker after `n_reports` reports; losses before its last report expire."""
    key = CRASHES if loss == "crashed" else LOSSES
    losses = trial.user_attrs.get(key, {"report": n_reports, "times": 0})
    times = losses["times"] + 1 if losses["report"] == n_reports else 1
    trial.set_user_attr(key, {"report": n_reports, "times": times})


def crashes_of(trial: optuna.trial.Trial) -> dict[str, int]:
    """Return how often (`times`) a worker died with this trial, and after which of its reports (`report`)."""
    crashes: dict[str, int] = trial.user_attrs.get(CRASHES, {"report": 0, "times": 0})
    return crashes


def crash_verdict(trial: optuna.trial.Trial, n_reports: int) -> str | None:
    """Return the `end` of a trial that lost its worker too often at one point; None if the trial may be resumed.

    `n_reports` is the number of reports of a complete trial.
    """
    crashes, losses = crashes_of(trial), trial.user_attrs.get(LOSSES, {"report": 0, "times": 0})
    if losses["times"] > _MAX_LOSSES:
        return f"failed: its worker was lost {losses['times']} times after report {losses['report']}"
    if crashes["times"] <= MAX_RETRIES * (2 if crashes["report"] == n_reports else 1):
        return None
    return f"failed: its worker died {crashes['times']} times after report {crashes['report']}"
