"""One trial: sample, train, report, prune. A plain generator: between two events the caller may stop."""

import optuna

# A trial whose worker died is taken up again from its last report so many times; then it is the trial's own fault.
# One that has all its reports, and so nothing to lose but its pictures, twice as often, from then on without them.
MAX_RETRIES = 2
CRASHES = "deaths"


def crash_verdict(trial: optuna.trial.Trial, n_reports: int) -> str | None:
    """How a trial of so many reports ends whose worker keeps dying at one point, or None."""
    deaths = crashes_of(trial)
    if deaths["times"] <= MAX_RETRIES * (2 if deaths["report"] == n_reports else 1):
        return None
    return f"failed: its worker died {deaths['times']} times after report {deaths['report']}"


def crashes_of(trial: optuna.trial.Trial) -> dict[str, int]:
    """How often a worker has died with this trial, and after which of its reports."""
    deaths: dict[str, int] = trial.user_attrs.get(CRASHES, {"report": 0, "times": 0})
    return deaths
