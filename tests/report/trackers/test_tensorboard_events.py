"""TensorBoard's own reader finds the study in the event files."""

from pathlib import Path
from typing import Any

import pytest

from hpo.report.trackers.export_to_tracker import export
from hpo.report.trackers.tracked_trials import tracked_trials
from hpo.storage.open_study import OpenStudy
from hpo.storage.paths import TrackerPaths

pytest.importorskip("tensorboard", reason="needs the packages of requirements-track.txt")


@pytest.fixture(scope="module")
def target(study: OpenStudy, tmp_path_factory: pytest.TempPathFactory) -> TrackerPaths:
    target = TrackerPaths(tmp_path_factory.mktemp("tensorboard") / "events")
    assert export(study, "tensorboard", target) == 4
    return target


def read(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    return accumulator.Reload()


def test_curves_are_those_of_the_study(study: OpenStudy, target: TrackerPaths) -> None:
    for trial in tracked_trials(study):
        found = read(target.folder / trial.name)
        scalars = {tag: [(e.step, e.wall_time, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}
        names = {name for report in trial.reports for name in report.metrics}
        assert scalars.keys() == names | trial.final.keys()
        for name in names:
            curve = [(r.step, r.time_s, r.metrics[name]) for r in trial.reports if name in r.metrics]
            # TensorBoard stores single precision.
            assert [entry for values in scalars[name] for entry in values] == pytest.approx(
                [entry for values in curve for entry in values], rel=1e-6
            )
        for name, score in trial.final.items():
            assert [value for _, _, value in scalars[name]] == pytest.approx([score], rel=1e-6)


def test_pictures_are_the_stored_files_and_of_their_size(study: OpenStudy, target: TrackerPaths) -> None:
    trial = next(tracked_trials(study))
    found = read(target.folder / trial.name)
    assert set(found.Tags()["images"]) == {f"pictures/{name}" for name in trial.pictures}
    for name, path in trial.pictures.items():
        (image,) = found.Images(f"pictures/{name}")
        assert image.encoded_image_string == path.read_bytes()
    (image,) = found.Images("pictures/samples.png")
    assert (image.width, image.height) == (640, 512)


def test_values_and_ends_are_those_of_the_trials(study: OpenStudy, target: TrackerPaths) -> None:
    from tensorboard.plugins.hparams import api_pb2, metadata

    for trial in tracked_trials(study):
        found = read(target.folder / trial.name)
        contents = found.summary_metadata
        start = metadata.parse_session_start_info_plugin_data(
            contents[metadata.SESSION_START_INFO_TAG].plugin_data.content
        )
        values = {name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()}
        assert values == trial.values
        assert start.group_name == trial.name
        if trial.ended_s is None:
            assert metadata.SESSION_END_INFO_TAG not in contents
            continue
        end = metadata.parse_session_end_info_plugin_data(contents[metadata.SESSION_END_INFO_TAG].plugin_data.content)
        assert end.status == (api_pb2.STATUS_FAILURE if trial.has_failed else api_pb2.STATUS_SUCCESS)
        assert end.end_time_secs == trial.ended_s
