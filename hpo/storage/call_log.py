"""Calls of `tune` that made a study, as an attribute of the study."""

from dataclasses import asdict, dataclass

from optuna.study import Study

# Key of the study's user attribute.
_CALLS = "calls"


@dataclass(frozen=True)
class Call:
    """Options of one call of `tune`, as far as the trials depend on them and the study's file does not hold them."""

    trials: int | None
    timeout_minutes: float | None
    workers: int
    device: str


def record_call(study: Study, call: Call) -> None:
    """Append a call to the study's list."""
    study.set_user_attr(_CALLS, [*study.user_attrs.get(_CALLS, []), asdict(call)])


def calls_of(study: Study) -> tuple[Call, ...]:
    """Return the calls that made a study, in their order; empty for a study that is older than this list."""
    return tuple(Call(**call) for call in study.user_attrs.get(_CALLS, []))
