"""Arguments of one call of `tune` or `retrain`, from the command line or from Python, validated."""

from collections.abc import Mapping
from numbers import Integral
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError

from hpo.config.error_messages import broken_rule
from hpo.config.schema import Budget
from hpo.config.strict_model import StrictModel
from hpo.config.study_file import ConfigError

MAX_WORKERS = 256
# Best trials whose checkpoints are kept.
N_BEST_KEPT = 3
# The other arguments have the name of their option, which checks them itself.
_SHOWN_NAMES = {"timeout_minutes": "timeout_minutes (--timeout)"}

_Arguments = TypeVar("_Arguments", bound=StrictModel)


class TuneArguments(Budget):
    """Budget of one call, and its number of worker processes."""

    workers: int = Field(default=1, ge=1, le=MAX_WORKERS)


class RetrainArguments(StrictModel):
    """Number of the trial to retrain and length of its training; None takes the best trial and the file's length."""

    trial: Annotated[int, Field(ge=0)] | None = None
    epochs: Annotated[int, Field(ge=1)] | None = None


def tune_arguments(
    budget: Budget, *, trials: int | None = None, timeout_minutes: float | None = None, workers: int = 1
) -> TuneArguments:
    """Validate the arguments of `tune`; what is None is taken from `budget`.

    Raises: ConfigError: naming every argument with a fault.
    """
    given = {"trials": trials, "timeout_minutes": timeout_minutes}
    values = budget.model_dump() | {name: value for name, value in given.items() if value is not None}
    return _validated(TuneArguments, values | {"workers": workers})


def retrain_arguments(*, trial: int | None = None, epochs: int | None = None) -> RetrainArguments:
    """Validate the arguments of `retrain`.

    Raises: ConfigError: naming every argument with a fault.
    """
    return _validated(RetrainArguments, {"trial": trial, "epochs": epochs})


def _validated(kind: type[_Arguments], values: Mapping[str, Any]) -> _Arguments:
    try:
        return kind.model_validate({name: _plain(value) for name, value in values.items()})
    except ValidationError as error:
        faults = [(str(fault["loc"][0]), fault) for fault in error.errors()]
        raise ConfigError(
            "\n".join(broken_rule(_SHOWN_NAMES.get(name, name), fault) for name, fault in faults)
        ) from None


def _plain(value: object) -> object:
    # Numbers from a data frame are NumPy's, which pydantic's strict mode refuses.
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else value
