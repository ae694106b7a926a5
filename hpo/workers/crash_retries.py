"""Retries of trials whose worker process died."""

import optuna

# A trial whose worker died is resumed from its last report this many times; then the trial itself is to blame. One
# that has all its reports, and so nothing to lose but its pictures, is resumed twice as often, then without pictures.
MAX_RETRIES = 2
# Key of the trial's user attribute: {"report": n, "times": n}.
CRASHES = "deaths"


def count_crash(trial: optuna.trial.Trial, n_reports: int) -> None:
    """Record that a worker died with this trial after `n_reports` reports; crashes before its last report expire."""
    crashes = trial.user_attrs.get(CRASHES, {"report": n_reports, "times": 0})
    times = crashes["times"] + 1 if crashes["report"] == n_reports else 1
    trial.set_user_attr(CRASHES, {"report": n_reports, "times": times})


def crashes_of(trial: optuna.trial.Trial) -> dict[str, int]:
    """Return how often (`times`) a worker died with this trial, and after which of its reports (`report`)."""
    crashes: dict[str, int] = trial.user_attrs.get(CRASHES, {"report": 0, "times": 0})
    return crashes


def crash_verdict(trial: optuna.trial.Trial, n_reports: int) -> str | None:
    """Return the `end` of a trial whose worker died too often at one point; None if the trial may be resumed.

    `n_reports` is the number of reports of a complete trial.
    """
    crashes = crashes_of(trial)
    if crashes["times"] <= MAX_RETRIES * (2 if crashes["report"] == n_reports else 1):
        return None
    return f"failed: its worker died {crashes['times']} times after report {crashes['report']}"
