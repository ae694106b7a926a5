"""Disks that fill up, cannot be written or lose a folder; files that are torn, foreign or malicious."""

import errno
import os
import pickle
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import optuna
import pytest
import torch

from tests.tools.fault_injection import (
    N_TRIALS,
    ROOT,
    audit,
    audit_the_end,
    checkout,
    finish,
    kill,
    make_images,
    paths_in,
    refuse,
    results_of,
    start,
)
from tests.tools.warm_process import environment

pytestmark = pytest.mark.faults

DISK_BYTES = 40_000_000


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def reference(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout that was tuned without a fault."""
    folder = checkout(tmp_path_factory.mktemp("reference"), images)
    finish(folder, "tune", "small")
    return folder


@pytest.fixture
def folder(images: Path, tmp_path: Path) -> Path:
    return checkout(tmp_path / "checkout", images)


@pytest.fixture
def disk(folder: Path) -> Iterator[Path]:
    """The checkout with results/ on a disk of its own, which is small."""
    results = folder / "results"
    results.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(results)]
    if os.geteuid() != 0 or subprocess.run(command).returncode != 0:
        pytest.skip("this machine does not let us mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", results], check=True)


def copy_results(reference: Path, folder: Path) -> None:
    """Copy the finished study of the reference, without the files of connections that tests have to it."""
    connections = shutil.ignore_patterns("*-wal", "*-shm")
    shutil.copytree(reference / "results", folder / "results", ignore=connections, dirs_exist_ok=True)


def leave_free(disk: Path, n_bytes: int) -> None:
    """Fill the disk except for so many bytes."""
    results = disk / "results"
    facts = os.statvfs(results)
    (results / "ballast").write_bytes(b"x" * (facts.f_bavail * facts.f_frsize - n_bytes))


def make_room(disk: Path) -> None:
    (disk / "results" / "ballast").unlink()


@pytest.mark.parametrize("free_kb", [0, 60, 120, 200, 300, 450, 600])
def test_a_search_on_a_full_disk_reports_it_in_one_line_and_resumes_once_there_is_room(
    free_kb: int, disk: Path, reference: Path
) -> None:
    leave_free(disk, 1000 * free_kb)
    message = refuse(disk, "tune", "small")
    assert "disk is full" in message or "No space left on device" in message
    assert message.endswith("fix that and run the same command again")
    make_room(disk)
    audit(disk)
    finish(disk, "tune", "small")
    audit_the_end(disk, N_TRIALS)
    assert results_of(disk) == results_of(reference)


@pytest.mark.parametrize("free_kb", [100, 400, 900])
def test_a_retraining_on_a_full_disk_keeps_earlier_files_and_resumes_once_there_is_room(
    free_kb: int, disk: Path, reference: Path
) -> None:
    copy_results(reference, disk)
    best = paths_in(disk).best
    leave_free(disk, 1000 * free_kb)
    message = refuse(disk, "retrain", "small")
    assert "No space left on device" in message or "is the disk full?" in message
    assert not best.folder.exists(), "an incomplete run does not get its final name"
    make_room(disk)
    finish(disk, "retrain", "small")
    assert best.page.exists() and not best.under_way.folder.exists()


@pytest.mark.parametrize("command", ["tune", "retrain", "status", "dashboard", "clean"])
def test_a_read_only_disk_is_named_and_nothing_is_lost(command: str, disk: Path, reference: Path) -> None:
    copy_results(reference, disk)
    files = [path for path in (disk / "results").rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in files}
    subprocess.run(["mount", "-o", "remount,ro", disk / "results"], check=True)
    message = refuse(disk, command, "small")
    assert "Read-only file system" in message or "is read-only" in message
    assert "results/" in message
    assert {path: path.read_bytes() for path in files} == before


def test_a_limit_on_file_sizes_is_reported_like_a_full_disk(folder: Path, reference: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    command = [sys.executable, "-m", "hpo", "tune", "small"]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("error: ") and "Traceback" not in done.stderr
    assert os.strerror(errno.EFBIG) in done.stderr or "disk" in done.stderr
    finish(folder, "tune", "small")
    assert results_of(folder) == results_of(reference)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("tune", "results/small: was removed while trials ran; put it back, or run the same command"),
        ("retrain", "results/small/.best_under_way: was removed during the training; run the same command"),
    ],
)
def test_a_results_folder_removed_during_a_command_is_named(
    command: str, message: str, folder: Path, tmp_path: Path
) -> None:
    config = folder / "study_configs" / "small.yaml"
    config.write_text(config.read_text().replace("epochs: 3", "epochs: 200").replace("trials: 4", "trials: 1"))
    if command == "retrain":
        config.write_text(config.read_text().replace("training: {epochs: 200", "training: {epochs: 1"))
        finish(folder, "tune", "small")
    process = start(folder, command, "small")
    for line in process.stdout:
        if "epoch 1/" in line:
            break
    # A rename: files that are written meanwhile cannot prevent it.
    (folder / "results").rename(tmp_path / "away")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    assert message in output.splitlines()[-1]
    assert "Traceback" not in output


@pytest.mark.parametrize("contents", [b"torn", b"PK\x03\x04" + bytes(100), bytes(5000)])
def test_a_trial_with_a_torn_checkpoint_starts_over_with_a_notice(
    contents: bytes, folder: Path, reference: Path
) -> None:
    kill(folder, ("after", "optuna.trial.Trial.report", 2), "tune", "small")
    paths_in(folder).checkpoint(0).write_bytes(contents)
    output = finish(folder, "tune", "small")
    assert "trial_0000.pt: " in output and "starting over" in output
    audit_the_end(folder, N_TRIALS)
    assert results_of(folder) == results_of(reference)


def test_a_trial_with_a_truncated_checkpoint_starts_over(folder: Path, reference: Path) -> None:
    kill(folder, ("after", "optuna.trial.Trial.report", 2), "tune", "small")
    path = paths_in(folder).checkpoint(0)
    path.write_bytes(path.read_bytes()[:-1000])
    assert "starting over" in finish(folder, "tune", "small")
    assert results_of(folder) == results_of(reference)


class CreatesFile:
    """An object that creates a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.trace,))


@pytest.mark.parametrize("as_zip", [True, False])
def test_code_in_a_checkpoint_does_not_run(as_zip: bool, folder: Path, tmp_path: Path, reference: Path) -> None:
    kill(folder, ("after", "optuna.trial.Trial.report", 2), "tune", "small")
    path, trace = paths_in(folder).checkpoint(0), tmp_path / "trace"
    torch.save({"config": CreatesFile(trace), "model": {}}, path, _use_new_zipfile_serialization=as_zip)
    with path.open("rb") as file:
        assert as_zip or pickle.load(file), "unpickling it does run code"
    trace.unlink(missing_ok=True)
    assert "starting over" in finish(folder, "tune", "small")
    assert not trace.exists()
    assert results_of(folder) == results_of(reference)


def test_code_in_a_model_file_does_not_run(folder: Path, tmp_path: Path, reference: Path) -> None:
    copy_results(reference, folder)
    finish(folder, "retrain", "small")
    trace = tmp_path / "trace"
    torch.save({"config": CreatesFile(trace), "model": {}}, paths_in(folder).best.model)
    assert "cannot be read as a saved model" in refuse(folder, "figures", "results/small/best")
    assert not trace.exists()


@pytest.mark.parametrize("gone", ["removed", "emptied", "deleted in the dashboard"])
def test_a_study_without_its_database_is_moved_aside_and_a_new_one_starts(
    gone: str, folder: Path, reference: Path
) -> None:
    copy_results(reference, folder)
    paths = paths_in(folder)
    if gone == "removed":
        paths.database.unlink()
    elif gone == "emptied":
        paths.database.write_bytes(b"")
    else:
        optuna.delete_study(study_name="small", storage=f"sqlite:///{paths.database}")
    n_artifacts = len(list(paths.artifacts.iterdir()))
    output = finish(folder, "tune", "small")
    assert "The earlier study was moved to results/small-" in output
    (moved,) = (folder / "results").glob("small-*")
    assert len(list((moved / paths.artifacts.name).iterdir())) == n_artifacts
    assert "resumes after" not in output
    audit_the_end(folder, N_TRIALS)


def test_a_database_of_another_program_is_refused_and_unchanged(folder: Path) -> None:
    database = paths_in(folder).database
    database.parent.mkdir(parents=True)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE birds (name TEXT)")
        connection.commit()
    before = database.read_bytes()
    for command in ("tune", "retrain", "status", "clean", "dashboard"):
        assert "is not this study's database (it has the table birds)" in refuse(folder, command, "small")
    assert database.read_bytes() == before


def test_a_database_of_another_study_is_refused_and_unchanged(folder: Path) -> None:
    database = paths_in(folder).database
    database.parent.mkdir(parents=True)
    optuna.create_study(study_name="other", storage=f"sqlite:///{database}")
    assert "it holds the study other, not small" in refuse(folder, "tune", "small")
    assert [study.study_name for study in optuna.get_all_study_summaries(f"sqlite:///{database}")] == ["other"]


def test_a_database_damaged_in_its_middle_is_named_with_the_remedy(folder: Path, reference: Path) -> None:
    copy_results(reference, folder)
    database = paths_in(folder).database
    contents = bytearray(database.read_bytes())
    contents[len(contents) // 3 : len(contents) // 2] = bytes(len(contents) // 2 - len(contents) // 3)
    database.write_bytes(contents)
    for command in ("tune", "status", "retrain", "report"):
        assert "study.db: cannot be opened as a study" in (message := refuse(folder, command, "small"))
        assert "start over with --fresh" in message


@pytest.mark.parametrize("cut", [100, 5000, 50_000])
def test_a_database_cut_short_is_named_with_the_remedy(cut: int, folder: Path, reference: Path) -> None:
    copy_results(reference, folder)
    database = paths_in(folder).database
    database.write_bytes(database.read_bytes()[:cut])
    torn = database.read_bytes()
    assert "start over with --fresh" in refuse(folder, "status", "small")
    assert "start over with --fresh" in refuse(folder, "tune", "small")
    assert database.read_bytes() == torn
    finish(folder, "tune", "small", "--fresh")
    audit_the_end(folder, N_TRIALS)


def test_only_the_trial_that_does_not_fit_into_memory_fails(folder: Path) -> None:
    config = folder / "study_configs" / "small.yaml"
    # The second of its 200 MB tensors does not fit. A kernel that gets no memory may crash instead of raising.
    text = config.read_text().replace("latent_dim: 4", "latent_dim: {choices: [4, 3072]}")
    config.write_text(text.replace("[2, 2, 4, 4]", "[2, 2, 4, 4096]"))
    script = ROOT / "tests" / "tools" / "limited_memory.py"
    command = [sys.executable, str(script), "tune", "small", "--trials", "5"]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    ends = [trial.user_attrs["end"] for trial in audit(folder)]
    assert len(ends) == 5
    assert any(end.startswith("out of memory: ") for end in ends) and any(end == "finished" for end in ends)
