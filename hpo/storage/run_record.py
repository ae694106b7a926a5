"""How a run was trained: what its config.yaml holds, enough to train or draw it again."""

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from hpo.config.schema import FrameInterval, FramesPerSecond
from model.atomic_files import write_text
from model.config import FIRST_VALUES, Source, TrainConfig
from model.errors import UserError


class RunError(UserError):
    """A folder holds no run of ours, or not the one asked for."""


class RecordedImages(BaseModel):
    """Which images; `root` as it was named, `digest` of the splits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Source
    root: Path | None
    digest: str


def _of_any_age(training: Any) -> Any:
    """A field that a file is older than is filled in as it was then."""
    return {**FIRST_VALUES, **training} if isinstance(training, dict) else training


class RunRecord(BaseModel):
    """A run's origin, its images, how its model was trained, and how its film is shown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    study: str | None
    trial: int | None
    data: RecordedImages
    precision: str
    compiled: bool
    reconstruction_interval: FrameInterval
    fps: FramesPerSecond
    training: Annotated[TrainConfig, BeforeValidator(_of_any_age)]

    def is_same_run(self, other: "RunRecord") -> bool:
        """Whether both train the same and keep the same frames; how fast these are shown does not matter."""
        return self.model_copy(update={"fps": other.fps}) == other


def write_record(path: Path, record: RunRecord) -> None:
    """Write it as YAML, atomically."""
    write_text(path, yaml.safe_dump(record.model_dump(mode="json"), sort_keys=False))


def read_record(path: Path) -> RunRecord:
    """The inverse.

    Raises: RunError: the file is absent or no run's record.
    """
    try:
        return RunRecord.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise RunError(f"{path.parent}: holds no run (there is no {path.name} in it)") from None
    except (UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "not YAML"
        raise RunError(f"{path}: is not how a run was trained ({reason})") from None
