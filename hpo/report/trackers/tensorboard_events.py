"""A study as TensorBoard's event files: a folder for each trial, and one file that describes the hyperparameters."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2
from tensorboard.summary.writer.record_writer import RecordWriter

from hpo.report.trackers.tracked_trials import FINAL_SCORE, TrackedTrial
from hpo.storage.paths import TrackerPaths

# First entry of an event file.
_VERSION = "brain.Event:2"
# Of a Summary.Image: RGB.
_COLOURSPACE = 3


def write(trials: Iterable[TrackedTrial], study_name: str, target: TrackerPaths) -> None:
    """Write the trials into an empty folder."""
    names: dict[str, None] = {}
    for trial in trials:
        names |= dict.fromkeys(trial.values)
        _write_events(target.tensorboard_events(trial.name), _events(trial))
    metrics = [summary_v2.Metric(FINAL_SCORE, display_name="final val_bpd"), summary_v2.Metric("val_bpd")]
    config = summary_v2.hparams_config_pb([summary_v2.HParam(name) for name in names], metrics)
    _write_events(target.tensorboard_config, [Event(summary=config)])


def _write_events(path: Path, events: Iterable[Event]) -> None:
    # Not TensorBoard's EventFileWriter, which writes in a thread that Ctrl-C does not end.
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        writer = RecordWriter(file)
        for event in (Event(file_version=_VERSION), *events):
            writer.write(event.SerializeToString())


def _events(trial: TrackedTrial) -> Iterator[Event]:
    values = {name: _value(value) for name, value in trial.values.items()}
    start = summary_v2.hparams_pb(values, trial_id=trial.name, start_time_secs=trial.started_s)
    yield Event(wall_time=trial.started_s, summary=start)
    for report in trial.reports:
        yield Event(wall_time=report.time_s, step=report.step, summary=_scalars(report.metrics))
    last_step = trial.reports[-1].step if trial.reports else 0
    end_s = trial.ended_s or trial.started_s
    yield Event(wall_time=end_s, step=last_step, summary=_scalars(trial.final))
    for name, path in trial.pictures.items():
        yield Event(wall_time=end_s, step=last_step, summary=_picture(name, path))
    if trial.ended_s is not None:
        yield Event(wall_time=end_s, summary=_session_end(trial.has_failed, end_s))


def _value(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) else str(value)


def _scalars(metrics: dict[str, float]) -> Summary:
    return Summary(value=[Summary.Value(tag=name, simple_value=value) for name, value in metrics.items()])


def _session_end(has_failed: bool, end_s: float) -> Summary:
    # The function that TensorBoard has for it imports TensorFlow.
    status = api_pb2.STATUS_FAILURE if has_failed else api_pb2.STATUS_SUCCESS
    info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=end_s)
    described = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=info))
    end = Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=described, tensor=metadata.NULL_TENSOR)
    return Summary(value=[end])


def _picture(name: str, path: Path) -> Summary:
    """Return a picture as it is stored: TensorBoard shows animations, too."""
    with Image.open(path) as picture:
        width, height = picture.size
    encoded = Summary.Image(width=width, height=height, colorspace=_COLOURSPACE, encoded_image_string=path.read_bytes())
    return Summary(value=[Summary.Value(tag=f"pictures/{name}", image=encoded)])
