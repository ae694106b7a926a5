"""Prepares a study on this machine: device, precision and images are found before anything is written."""

import time
from dataclasses import dataclass, field

from hpo.config.call_arguments import Location
from hpo.config.dataset_with_fallback import load_data
from hpo.config.schema import StudyConfig
from model.data.images import ImageData
from model.device import Runtime, resolve, why_uncompiled


@dataclass(frozen=True)
class PreparedStudy:
    """Configuration of a study, with its images on their device.

    `notices` are lines to print first; `location` is None for a study of this machine alone. A call's time limit counts
    from `started`, a value of `time.monotonic()` taken after the images were loaded.
    """

    config: StudyConfig
    runtime: Runtime
    data: ImageData
    notices: tuple[str, ...]
    location: Location | None = None
    started: float = field(default_factory=time.monotonic)


def prepare_study(config: StudyConfig, device: str | None = None, location: Location | None = None) -> PreparedStudy:
    """Find the device and load the images of a study.

    Args:
        config: The study; its name changes if the bundled sample replaces images that could not be downloaded.
        device: Device to use instead of `training.device`.
        location: Where machines share the study, if they do.

    Raises: DeviceError, DataError: the device or the images are not available.
    """
    training = config.training
    runtime = resolve(device or training.device, training.precision, training.compile)
    config, data, notice = load_data(config)
    notices = [notice] if notice else []
    if training.compile and (reason := why_uncompiled(runtime.device)):
        notices.append(f"Note: {reason}.")
    return PreparedStudy(config, runtime, data.to(runtime.device), tuple(notices), location)
