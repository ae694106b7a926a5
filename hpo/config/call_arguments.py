"""Arguments of one call of `tune` or `retrain`, from the command line or from Python, validated."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError

from hpo.config.error_messages import broken_rule
from hpo.config.schema import Budget
from hpo.config.strict_model import StrictModel
from hpo.config.study_file import ConfigError

# Environment variables that name a location in place of the options.
STORAGE_VARIABLE, FILES_VARIABLE = "HPO_STORAGE", "HPO_FILES"
MAX_WORKERS = 256
# Best trials whose checkpoints are kept.
N_BEST_KEPT = 3
# The other arguments have the name of their option, which checks them itself.
_SHOWN_NAMES = {"timeout_minutes": "timeout_minutes (--timeout)"}

_Arguments = TypeVar("_Arguments", bound=StrictModel)


@dataclass(frozen=True)
class Location:
    """URLs of a PostgreSQL database (`storage`), and of an object store or shared folder (`files`)."""

    storage: str
    files: str

    @property
    def shown(self) -> str:
        """The database as messages and pages show it, without its password."""
        return shown_url(self.storage)


@dataclass(frozen=True)
class RayPlacement:
    """Address of a Ray cluster, and the cores and GPUs that each worker has there."""

    address: str
    cpus: float = 1.0
    gpus: float = 0.0


class TuneArguments(Budget):
    """Budget of one call, the length of its trials if that is given, and its number of worker processes."""

    epochs: Annotated[int, Field(ge=1)] | None = None
    workers: int = Field(default=1, ge=1, le=MAX_WORKERS)


class RetrainArguments(StrictModel):
    """Number of the trial to retrain and length of its training; None takes the best trial and the file's length."""

    trial: Annotated[int, Field(ge=0)] | None = None
    epochs: Annotated[int, Field(ge=1)] | None = None


def tune_arguments(
    budget: Budget,
    *,
    trials: int | None = None,
    timeout_minutes: float | None = None,
    epochs: int | None = None,
    workers: int = 1,
) -> TuneArguments:
    """Validate the arguments of `tune`; what is None is taken from `budget`.

    Raises: ConfigError: naming every argument with a fault.
    """
    given = {"trials": trials, "timeout_minutes": timeout_minutes}
    values = budget.model_dump() | {name: value for name, value in given.items() if value is not None}
    return _validated(TuneArguments, values | {"epochs": epochs, "workers": workers})


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


def location_of(storage: str | None, files: str | None) -> Location | None:
    """Return the location that both options name; None if neither does, for a study in `results/`.

    Raises: ConfigError: only one of them is given.
    """
    if storage and files:
        return Location(storage, files)
    if storage or files:
        missing, variable = ("--files", FILES_VARIABLE) if storage else ("--storage", STORAGE_VARIABLE)
        raise ConfigError(f"{missing} ({variable}): must be given, too: machines share a study's trials and its files")
    return None


def shown_url(url: str) -> str:
    """Return a URL without password and query, which may hold another one.

    A password may have any character: the host begins after the last @.
    """
    scheme, _, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    name, colon, _ = user.partition(":")
    return f"{scheme}://{name}{colon and ':***'}{at}{place.partition('?')[0]}"
