"""What a study was given of another one when it began: values to try first, and trials for its sampler to know."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

# The study's attribute that holds it.
WARM_START = "warm_start"


@dataclass(frozen=True)
class WarmStart:
    """Another study's best values, to be tried first, and its trials as plain values."""

    study: str
    best: Sequence[dict[str, Any]]
    known: Sequence[dict[str, Any]]

    def described(self) -> str:
        """In one line."""
        trials = f"its {len(self.known)} configurations" if self.known else "none of its trials, which do not compare"
        return f"Begins with the best {len(self.best)} of study {self.study}; the sampler knows {trials}."

    def as_attribute(self) -> dict[str, Any]:
        """For the study's database."""
        return asdict(self)

    def trials(self, space: dict[str, BaseDistribution]) -> list[FrozenTrial]:
        """For the sampler."""
        return [_trial(plain, space) for plain in self.known]


def warm_start_of(study: Study) -> WarmStart | None:
    """What it was given; None where it began with nothing."""
    attribute = study.user_attrs.get(WARM_START)
    return WarmStart(**attribute) if attribute else None


def plain(trial: FrozenTrial) -> dict[str, Any]:
    """What a sampler looks at, as JSON can hold it."""
    return {
        "state": trial.state.name,
        "values": trial.values,
        "params": trial.params,
        "scores": list(trial.intermediate_values.items()),
        "constraints": trial.constraints,
    }


def _trial(plain: dict[str, Any], space: dict[str, BaseDistribution]) -> FrozenTrial:
    return create_trial(
        state=TrialState[plain["state"]],
        values=plain["values"],
        params=plain["params"],
        distributions=space,
        intermediate_values={int(step): score for step, score in plain["scores"]},
        constraints=plain["constraints"],
    )
