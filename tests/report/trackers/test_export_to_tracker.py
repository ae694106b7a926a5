"""The command that writes a study for a tracker: whole or not at all, again without doubling, and what it refuses."""

from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest
import typer

from hpo.cli.commands.export import export as command
from hpo.report.trackers import export_to_tracker
from hpo.report.trackers.export_to_tracker import export
from hpo.report.trackers.tracked_trials import TrackedTrial
from hpo.storage.open_study import OpenStudy
from hpo.storage.paths import Tracker, TrackerPaths
from model.errors import UserError
from tests.tools import synthetic

TRACKERS: list[Tracker] = ["tensorboard", "mlflow", "wandb-offline"]


class Stub(ModuleType):
    """A module that writes one file per call, in place of those that need a tracker's package."""

    n_calls = 0
    error: BaseException | None = None

    def write(self, trials: list[TrackedTrial], study_name: str, target: TrackerPaths) -> None:
        self.n_calls += 1
        (target.folder / f"call_{self.n_calls}").write_text(study_name)
        if self.error:
            raise self.error


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    stub = Stub("stub")
    monkeypatch.setattr(export_to_tracker, "find_spec", lambda name: ModuleSpec(name, None))
    monkeypatch.setattr(export_to_tracker, "import_module", lambda name: stub)
    return stub


def names(folder: Path) -> Iterator[str]:
    return (path.name for path in sorted(folder.iterdir()))


def test_writing_again_replaces_what_was_written(study: OpenStudy, stub: Stub, tmp_path: Path) -> None:
    target = TrackerPaths(tmp_path / "events")
    assert export(study, "tensorboard", target) == 4
    export(study, "tensorboard", target)
    assert [*names(target.folder)] == [target.origin.name, "call_2"]
    assert [*names(tmp_path)] == ["events"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_former_result_or_nothing(
    study: OpenStudy, stub: Stub, tmp_path: Path, error: BaseException
) -> None:
    target = TrackerPaths(tmp_path / "events")
    stub.error = error
    with pytest.raises(type(error)):
        export(study, "mlflow", target)
    assert [*names(tmp_path)] == []
    stub.error = None
    export(study, "mlflow", target)
    stub.error = error
    with pytest.raises(type(error)):
        export(study, "mlflow", target)
    assert [*names(target.folder)] == [target.origin.name, "call_2"]
    assert [*names(tmp_path)] == ["events"]


def test_a_folder_with_other_files_is_left_alone(study: OpenStudy, stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="holds other files"):
        export(study, "tensorboard", TrackerPaths(tmp_path))
    assert [*names(tmp_path)] == ["thesis.tex"] and stub.n_calls == 0


@pytest.mark.parametrize("tracker", TRACKERS)
def test_a_missing_package_is_one_line_that_says_how_to_install_it(
    study: OpenStudy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tracker: Tracker
) -> None:
    monkeypatch.chdir(study.paths.folder.parents[1])
    monkeypatch.setattr(export_to_tracker, "find_spec", lambda name: None)
    with pytest.raises(typer.Exit) as exit:
        command("small", to=tracker)
    package = tracker.partition("-")[0]
    assert exit.value.exit_code == 2
    assert capsys.readouterr().err == (
        f"error: --to {tracker} needs the package {package}, which is not installed; "
        ".venv/bin/pip install -r requirements-track.txt\n"
    )
    assert not study.paths.export.tracker(tracker).folder.exists()


def test_a_study_without_trials_is_one_line(
    stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = synthetic.create(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(typer.Exit) as exit:
        command("small", to="mlflow")
    assert exit.value.exit_code == 2
    assert capsys.readouterr().err == (
        "error: results/small: has no trials yet, so there is nothing to export; next: make tune STUDY=small\n"
    )
    assert not opened.paths.export.folder.exists()


@pytest.mark.parametrize(("output", "fault"), [("a_file", "a_file is a file"), (".", "must not contain the current")])
def test_an_output_that_cannot_be_a_new_folder_is_one_line(
    study: OpenStudy,
    stub: Stub,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    output: str,
    fault: str,
) -> None:
    folder = study.paths.folder.parents[1]
    monkeypatch.chdir(folder)
    (folder / "a_file").write_text("")
    with pytest.raises(typer.Exit) as exit:
        command("small", output=Path(output), to="mlflow")
    assert exit.value.exit_code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: --output: ") and fault in line
    assert stub.n_calls == 0


def test_the_command_names_the_folder_and_the_next_step(
    study: OpenStudy, stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(study.paths.folder.parents[1])
    command("small", to="tensorboard")
    folder = "results/small/export/tensorboard"
    assert capsys.readouterr().out == (
        f"4 trials for tensorboard, with values, curves, scores and pictures, in {folder}\n"
        f"Next: .venv/bin/tensorboard --logdir {folder}\n"
    )
    command("small", output=tmp_path / "my runs", to="mlflow")
    assert f"Next: cd '{tmp_path}/my runs' && mlflow server" in capsys.readouterr().out
