"""Record of how a run was trained: the content of its config.yaml, enough to train or redraw the run."""

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from hpo.config.schema import FrameInterval
from hpo.config.strict_model import Positive
from model.atomic_files import write_text
from model.config import FIRST_VALUES, REMOVED, Source, TrainConfig
from model.errors import UserError


class RunError(UserError):
    """A folder holds no run, or not the requested one."""


class RecordedImages(BaseModel):
    """Images of a run: `root` as it was named, `digest` of the splits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Source
    root: Path | None
    digest: str


def _as_today(training: Any) -> Any:
    """Add the first values of fields that a file is older than, and leave out those that are gone and did nothing."""
    if not isinstance(training, dict):
        return training
    kept = {name: value for name, value in training.items() if name not in REMOVED or value != REMOVED[name]}
    return {**FIRST_VALUES, **kept}


class RunRecord(BaseModel):
    """Origin, images and training configuration of a run, and the frame rate of its animations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    study: str | None
    trial: int | None
    data: RecordedImages
    precision: str
    compiled: bool
    reconstruction_interval: FrameInterval
    # Runs that are older than the lower limit of `retrain.fps` have smaller values.
    fps: Positive
    training: Annotated[TrainConfig, BeforeValidator(_as_today)]

    def is_same_run(self, other: "RunRecord") -> bool:
        """Return True if both describe the same training with the same frames; the frame rate may differ."""
        return self.model_copy(update={"fps": other.fps}) == other


def write_record(path: Path, record: RunRecord) -> None:
    """Write a record as YAML, atomically."""
    write_text(path, yaml.safe_dump(record.model_dump(mode="json"), sort_keys=False))


def read_record(path: Path) -> RunRecord:
    """Read a record.

    Raises: RunError: the file does not exist, or is not a run's record.
    """
    try:
        return RunRecord.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise RunError(f"{path.parent}: holds no run (there is no {path.name} in it)") from None
    except (UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "not YAML"
        raise RunError(f"{path}: is not the record of a run ({reason})") from None


def recorded_settings(path: Path) -> dict[str, Any]:
    """Return the training settings of a record that `read_record` accepts; those that it is older than are missing."""
    settings: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["training"]
    return settings
