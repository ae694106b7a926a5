"""Calls of `tune` that made a study, as an attribute of the study."""

from dataclasses import asdict, dataclass

from optuna.study import Study

from hpo.config.schema import StudyConfig
from hpo.search.scheduler import Plan

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


def plan_of_last_call(study: Study, config: StudyConfig) -> Plan:
    """Return the plan of a call like the last one, or, of a study without a list of its calls, as its file says."""
    calls = calls_of(study)
    if not calls:
        return Plan.of_call(config.budget.timeout_minutes, n_workers=1)
    return Plan.of_call(calls[-1].timeout_minutes, calls[-1].workers)
