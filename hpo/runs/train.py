"""One run with given values, the tutorial's hyperparameters unless told otherwise."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from hpo.config.dataset import SAMPLE_SUFFIX, check_batch_size, load_images, stand_in_notice
from hpo.config.error_messages import broken_rule
from hpo.config.hyperparameters import Hyperparameters
from hpo.config.schema import Data, FittingHyperparameters, Model, Retrain
from hpo.config.strict_model import ACROSS_KEYS, StrictModel
from hpo.config.study_file import ConfigError
from hpo.runs.training_run import RunEvent, TrainingRun, execute
from hpo.storage.paths import RunPaths
from model.config import Source, TrainConfig
from model.device import resolve
from model.errors import DataError, UserError
from model.training.training_loop import Diverged


class SingleRunConfig(StrictModel):
    """What `train` was told, validated."""

    model: Model
    hyperparameters: FittingHyperparameters
    data: Data
    retrain: Retrain


@dataclass(frozen=True)
class PreparedRun:
    """A run whose machine and data were found; `notices` are to be printed first."""

    run: TrainingRun
    paths: RunPaths
    notices: tuple[str, ...]


def read_options(options: Mapping[str, Any], data: str) -> SingleRunConfig:
    """Options by their field's name, and `data`: cifar10, sample, or a folder of images.

    Raises: ConfigError: naming every option at fault.
    """
    kinds: dict[str, type[StrictModel]] = {"model": Model, "hyperparameters": Hyperparameters, "retrain": Retrain}
    parts: dict[str, dict[str, Any]] = {
        **{
            part: {name: options[name] for name in options.keys() & kind.model_fields.keys()}
            for part, kind in kinds.items()
        },
        "data": {"source": data} if data in get_args(Source) else {"source": "folder", "root": Path(data)},
    }
    interval = parts["retrain"]["reconstruction_interval"]
    if interval.isdecimal():
        parts["retrain"]["reconstruction_interval"] = int(interval)
    try:
        return SingleRunConfig.model_validate(parts)
    except ValidationError as error:
        raise ConfigError("\n".join(map(_told, error.errors()))) from None


def _told(fault: Any) -> str:
    if fault["type"] == ACROSS_KEYS:
        return "--reconstruction: must be gaussian with --linear-path, which is a Gaussian model"
    option = next(str(part) for part in fault["loc"][1:] if not str(part).startswith("<"))
    return broken_rule(f"--{option.replace('_', '-')}", fault)


def prepare(config: SingleRunConfig, output: Path, device: str, with_test: bool) -> PreparedRun:
    """Find device and data.

    Raises: DeviceError, DataError: they are not there, or the data is too small.
    """
    runtime = resolve(device)
    try:
        data, reason = load_images(config.data)
    except DataError as error:
        raise DataError(str(error).replace("data.root:", "--data:", 1)) from None
    if reason:
        output = output.with_name(f"{output.name}{SAMPLE_SUFFIX}")
    values = config.model.model_dump() | config.hyperparameters.entries()
    training = TrainConfig(**values, epochs=config.retrain.epochs, seed=config.retrain.seed)
    check_batch_size("--batch-size", training.batch_size, training, len(data.train))
    run = TrainingRun(
        config=training,
        data=data.to(runtime.device),
        data_root=config.data.root,
        runtime=runtime,
        origin={"study": None, "trial": None},
        importance_samples=config.retrain.importance_samples if with_test else None,
        reconstruction_interval=config.retrain.reconstruction_interval,
        fps=config.retrain.fps,
    )
    return PreparedRun(run, RunPaths(output), (stand_in_notice(reason, f"into {output}"),) if reason else ())


def run_single(prepared: PreparedRun) -> Iterator[RunEvent]:
    """Carry the run out, yielding each epoch and then the result.

    Raises: Busy: another process makes it; UserError: the training diverged.
    """
    try:
        yield from execute(prepared.run, prepared.paths)
    except Diverged as error:
        raise UserError(f"the training diverged: {error}; try a lower --learning-rate") from error
