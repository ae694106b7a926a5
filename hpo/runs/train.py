"""A single training run with given values; the tutorial's hyperparameters are the defaults."""

from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hpo.config.dataset_with_fallback import check_batch_size, fallback_notice, image_notices, load_images
from hpo.config.error_messages import broken_rule
from hpo.config.hyperparameters import Hyperparameters
from hpo.config.schema import SAMPLE_SUFFIX, Data, FittingHyperparameters, Model, Retrain
from hpo.config.strict_model import ACROSS_KEYS, StrictModel
from hpo.config.study_file import ConfigError
from hpo.runs.full_length_run import RunEvent, TrainingRun, execute
from hpo.storage.paths import RunPaths
from hpo.storage.run_record import RunError, read_record, recorded_settings
from model.config import TrainConfig, former_defaults
from model.device import resolve
from model.errors import DataError, UserError
from model.training.training_loop import Diverged

# Options of a folder's images.
_SHAPE_OPTIONS = ("image_size", "image_channels")


class SingleRunConfig(StrictModel):
    """Options of `train`, validated."""

    model: Model
    hyperparameters: FittingHyperparameters
    data: Data
    retrain: Retrain


@dataclass(frozen=True)
class PreparedRun:
    """A run whose device and images are ready; `notices` are to be printed first."""

    run: TrainingRun
    paths: RunPaths
    notices: tuple[str, ...]


def read_options(options: Mapping[str, Any], data: str) -> SingleRunConfig:
    """Validate options, by their field's name, and `data`: a data set or a path, as in a study file.

    Raises: ConfigError: naming every option with a fault.
    """
    kinds: dict[str, type[StrictModel]] = {"model": Model, "hyperparameters": Hyperparameters, "retrain": Retrain}
    parts: dict[str, dict[str, Any]] = {
        part: {name: options[name] for name in options.keys() & kind.model_fields.keys()}
        for part, kind in kinds.items()
    }
    interval = parts["retrain"]["reconstruction_interval"]
    if interval.isdecimal():
        parts["retrain"]["reconstruction_interval"] = int(interval)
    try:
        shape = {name: options[name] for name in _SHAPE_OPTIONS if options.get(name) is not None}
        return SingleRunConfig.model_validate({**parts, "data": {"source": data, **shape} if shape else data})
    except ValidationError as error:
        raise ConfigError("\n".join(map(_describe_fault, error.errors()))) from None


def _describe_fault(fault: Any) -> str:
    """Return the line that reports a fault, with the option in place of the key."""
    if fault["type"] == ACROSS_KEYS:
        if fault["loc"][0] == "data":
            return f"--{str(fault['loc'][-1]).replace('_', '-')}: {fault['msg'].replace('source is', '--data is')}"
        return "--reconstruction: must be gaussian with --linear-path, which is a Gaussian model"
    section, *keys = (str(part) for part in fault["loc"] if not str(part).startswith("<"))
    option = keys[0] if keys and keys != ["source"] else section
    return broken_rule(f"--{option.replace('_', '-')}", fault)


def prepare(config: SingleRunConfig, output: Path, device: str, with_test: bool) -> PreparedRun:
    """Find the device and load the images.

    Raises: DeviceError, DataError: they are not available, or there are too few images.
    """
    runtime = resolve(device)
    try:
        data, reason = load_images(config.data)
    except DataError as error:
        raise DataError(f"--{error}" if str(error).startswith("data: ") else str(error)) from None
    if reason:
        output = output.with_name(f"{output.name}{SAMPLE_SUFFIX}")
    values = config.model.model_dump() | config.hyperparameters.entries()
    epochs = config.retrain.epochs
    assert epochs != "auto", "the option is a number"
    training = TrainConfig(**values, epochs=epochs, seed=config.retrain.seed, image_shape=data.image_shape)
    check_batch_size("--batch-size", training.batch_size, training, len(data.train))
    run = TrainingRun(
        config=training,
        data=data.to(runtime.device),
        data_root=config.data.root,
        runtime=runtime,
        origin=None,
        importance_samples=config.retrain.importance_samples if with_test else None,
        reconstruction_interval=config.retrain.reconstruction_interval,
        fps=config.retrain.fps,
    )
    fallback = fallback_notice(reason, f"into {output}") if reason else None
    notices = (*filter(None, [fallback]), *image_notices(data))
    paths = RunPaths(output)
    named = config.model.model_fields_set | config.hyperparameters.model_fields_set
    run = _with_former_defaults(paths, run, named)
    return PreparedRun(run, paths, notices)


def _with_former_defaults(paths: RunPaths, run: TrainingRun, named: Set[str]) -> TrainingRun:
    """Return the run with the defaults of an earlier version, if its folder holds one that was begun with these.

    So a run of an earlier version is continued.
    """
    for kept in (paths.under_way, paths):
        # The execution of the run reports a folder that holds something else.
        with suppress(RunError):
            if not kept.config.exists():
                continue
            record, recorded = read_record(kept.config), recorded_settings(kept.config)
            begun_with = former_defaults(recorded, named)
            channels = () if "architecture" in begun_with else run.config.channels
            former = replace(run, config=replace(run.config, **begun_with, channels=channels))
            if record.is_same_run(former.record()):
                return former
    return run


def run_single(prepared: PreparedRun) -> Iterator[RunEvent]:
    """Train, yielding each epoch and then the result.

    Raises: Busy: another process trains this run; UserError: the training diverged.
    """
    try:
        yield from execute(prepared.run, prepared.paths)
    except Diverged as error:
        raise UserError(f"the training diverged: {error}; try a lower --learning-rate") from error
