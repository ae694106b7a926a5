"""Bad input on the real command line: one clear message, exit code 2, nothing written."""

import os
import shutil
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from hpo.cli.app import app
from hpo.config.prepared_study import PreparedStudy, prepare_study
from hpo.config.study_file import read_config
from hpo.storage.create_study import create_study
from hpo.storage.fingerprint import fingerprint
from hpo.storage.local.file_locks import hold_lock
from hpo.storage.paths import StudyPaths
from hpo.storage.study_lock import locked_study

ROOT = Path(__file__).resolve().parents[2]
COMMANDS_ON_A_STUDY = ["tune", "retrain", "dashboard", "status", "clean", "report", "export"]
CONFIG = Path("study_configs/mine.yaml")
SMALL = """
data: {source: folder, root: images}
model: {channels: [1, 1, 1, 1]}
training: {epochs: 1, precision: float32}
"""
SEARCH = "hyperparameters: {beta: {low: 0.5, high: 2.0}, latent_dim: 2, batch_size: 16}\n"
BUDGET = "budget: {trials: 1}\n"
VALID = SMALL + SEARCH + BUDGET


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: Path) -> Path:
    """A working directory with a study file and a folder of images; CIFAR10_ROOT is not set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CIFAR10_ROOT", raising=False)
    Path("images").symlink_to(images)
    write(CONFIG, VALID)
    return tmp_path


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100 images: 80 to train on."""
    folder = tmp_path_factory.mktemp("images")
    pixels = np.random.default_rng(0).integers(0, 256, (100, 32, 32, 3), dtype=np.uint8)
    for index, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{index:03d}.png")
    return folder


def write(path: Path, contents: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())


def own_images() -> Path:
    """Replace the shared folder of images by a copy that a test may damage; return it."""
    shared = Path("images").resolve()
    Path("images").unlink()
    return Path(shutil.copytree(shared, "images"))


def contents_of(path: Path) -> object:
    """Return a file's bytes, or the whole content of a database, which may be spread over several files."""
    if path.is_dir():
        return "folder"
    if path.name == "study.db" and path.read_bytes().startswith(b"SQLite"):
        with sqlite3.connect(path) as connection:
            return list(connection.iterdump())
    return path.read_bytes()


def snapshot() -> dict[Path, object]:
    """Return everything in the working directory, except locks and SQLite's own side files."""
    ignored = (".lock", "-wal", "-shm")
    return {path: contents_of(path) for path in Path().rglob("*") if not path.name.endswith(ignored)}


def refusal(*arguments: str) -> str:
    """Run a command that must refuse and write nothing; return its message."""
    before = snapshot()
    had_results = os.path.lexists("results")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert os.path.lexists("results") == had_results
    assert snapshot() == before
    if result.stderr.startswith("error: "):
        return result.stderr.removeprefix("error: ").rstrip()
    # Typer's own refusal: the usage of the command, then the message.
    lines = result.stderr.splitlines()
    assert lines[0].startswith("Usage: ")
    (message,) = (line for line in lines if line.startswith("Error: "))
    return message


# The study file


@pytest.mark.parametrize("command", COMMANDS_ON_A_STUDY)
def test_every_command_refuses_a_faulty_study_file_with_a_line_for_each_fault(command: str) -> None:
    text = VALID.replace("trials: 1", "trials: 0").replace("high: 2.0", "high: 0.1")
    write(CONFIG, f"{text}name: a/b\nsead: 1\n")
    lines = refusal(command, "mine").splitlines()
    assert all(line.startswith("study_configs/mine.yaml: ") for line in lines)
    assert sorted(line.removeprefix("study_configs/mine.yaml: ") for line in lines) == [
        "budget.trials: must be >= 1, got 0",
        "hyperparameters.beta.high: must be greater than low (0.5), got 0.1",
        "name: must be letters, digits, dots, dashes and underscores, and begin with a letter or a digit, got 'a/b'",
        "sead: unknown key; did you mean 'seed'?",
    ]


@pytest.mark.parametrize("command", COMMANDS_ON_A_STUDY)
def test_every_command_refuses_a_study_file_that_is_no_yaml(command: str) -> None:
    write(CONFIG, "budget: {trials")
    assert refusal(command, "mine").startswith("study_configs/mine.yaml: cannot be read: ")


@pytest.mark.parametrize("command", COMMANDS_ON_A_STUDY)
def test_every_command_reports_an_absent_study_file_with_the_names_that_exist(command: str) -> None:
    expected = "no study file nowhere or study_configs/nowhere.yaml; available: cifar10, gpu, mine, pareto, quick"
    assert refusal(command, "nowhere") == expected


@pytest.mark.parametrize("argument", ["study_configs/nowhere.yaml", "study_configs", ""])
def test_an_argument_that_is_no_study_file_is_reported_with_the_names_that_exist(argument: str) -> None:
    assert refusal("tune", argument).endswith("available: cifar10, gpu, mine, pareto, quick")


# Options


OPTION_FAULTS = {
    "unknown-command": (("tuen", "mine"), ("'tuen'",)),
    "unknown-option": (("tune", "mine", "--trails", "3"), ("--trails",)),
    "no-study": (("tune",), ("STUDY",)),
    "zero-trials": (("tune", "mine", "--trials", "0"), ("--trials", "1")),
    "fraction-of-a-trial": (("tune", "mine", "--trials", "1.5"), ("--trials",)),
    "zero-minutes": (("tune", "mine", "--timeout", "0"), ("--timeout", "> 0", "got 0")),
    "negative-minutes": (("tune", "mine", "--timeout", "-1"), ("--timeout", "> 0", "got -1")),
    "nan-minutes": (("tune", "mine", "--timeout", "nan"), ("--timeout", "finite", "got nan")),
    "endless-minutes": (("tune", "mine", "--timeout", "inf"), ("--timeout", "got inf")),
    "text-for-minutes": (("tune", "mine", "--timeout", "soon"), ("--timeout",)),
    "negative-trial": (("retrain", "mine", "--trial", "-1"), ("--trial",)),
    "zero-epochs": (("retrain", "mine", "--epochs", "0"), ("--epochs",)),
    "port-zero": (("dashboard", "mine", "--port", "0"), ("--port",)),
    "port-too-high": (("dashboard", "mine", "--port", "70000"), ("--port",)),
    "unknown-device": (("tune", "mine", "--device", "tpu"), ("device: must be auto, cpu", "'tpu'")),
    "unknown-device-to-retrain": (("retrain", "mine", "--device", "gpu"), ("device: must be auto, cpu", "'gpu'")),
    "cpu-of-many": (("tune", "mine", "--device", "cpu:3"), ("device", "'cpu:3'")),
    "cuda-of-many": (("tune", "mine", "--device", "cuda:99"), ("device: ", "cuda")),
    "no-number": (("tune", "mine", "--device", "cpu:one"), ("device: ", "'cpu:one'")),
    "retrain-without-a-study": (("retrain", "mine"), ("results/mine", "run make tune STUDY=mine")),
    "trial-without-a-study": (("retrain", "mine", "--trial", "3"), ("results/mine", "run make tune STUDY=mine")),
    "status-without-a-study": (("status", "mine"), ("results/mine", "run make tune STUDY=mine")),
    "clean-without-a-study": (("clean", "mine"), ("results/mine", "run make tune STUDY=mine")),
    "report-without-a-study": (("report", "mine"), ("results/mine", "run make tune STUDY=mine")),
    "export-without-a-study": (("export", "mine"), ("results/mine", "run make tune STUDY=mine")),
    "negative-keep": (("clean", "mine", "--keep", "-1"), ("--keep",)),
    "no-workers": (("tune", "mine", "--workers", "0"), ("--workers",)),
    "too-many-workers": (("tune", "mine", "--workers", "1000"), ("--workers",)),
    "bernoulli-ppca": (
        ("train", "--linear-path", "--reconstruction", "bce"),
        ("--reconstruction: must be gaussian with --linear-path",),
    ),
    "unknown-architecture": (
        ("train", "--architecture", "resnet"),
        ("--architecture: must be 'plain', 'norm_free' or 'linear_skip', got 'resnet'",),
    ),
    "unknown-images": (
        ("train", "--data", "cifar-10"),
        ("--data: must be 'cifar10', 'sample', ", "got 'cifar-10'; did you mean 'cifar10'?"),
    ),
    "no-folder-of-images": (("train", "--data", "./nowhere"), ("--data: nowhere is not a folder",)),
    "decay-of-one": (("train", "--adam-beta2", "1"), ("--adam-beta2: must be < 1.0, got 1",)),
    "dashboard-without-a-study": (("dashboard", "mine"), ("results/mine", "run make tune STUDY=mine")),
}


@pytest.mark.parametrize(("arguments", "words"), OPTION_FAULTS.values(), ids=OPTION_FAULTS.keys())
def test_an_invalid_option_is_named(arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    message = refusal(*arguments)
    assert [word for word in words if word not in message] == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("arguments", [("--device", "cuda"), ("--device", "cuda:0"), ()])
def test_cuda_that_is_not_available_is_refused_with_the_remedy(arguments: tuple[str, ...]) -> None:
    if not arguments:
        write(CONFIG, VALID.replace("epochs: 1", "epochs: 1, device: cuda"))
    message = refusal("tune", "mine", *arguments)
    assert message.startswith("device: cuda")
    assert "was requested" in message and "--device auto" in message


def test_an_unknown_device_in_the_file_is_refused() -> None:
    write(CONFIG, VALID.replace("epochs: 1", "epochs: 1, device: tpu"))
    assert "'tpu'" in refusal("tune", "mine")


def test_a_batch_larger_than_the_training_images_is_refused() -> None:
    write(CONFIG, VALID.replace("batch_size: 16", "batch_size: {choices: [16, 81]}"))
    message = refusal("tune", "mine")
    assert message.startswith("hyperparameters.batch_size: must be at most 80")
    assert message.endswith("got 81")


# Images


@pytest.mark.parametrize(("command", "n_images"), [("tune", 0), ("tune", 99), ("retrain", 99)])
def test_a_folder_with_too_few_images_is_refused(command: str, n_images: int) -> None:
    for path in sorted(own_images().iterdir())[n_images:]:
        path.unlink()
    message = refusal(command, "mine")
    assert f"data: images holds {n_images} images" in message
    assert "at least 100 are needed" in message


@pytest.mark.parametrize("command", ["tune", "retrain"])
def test_an_absent_folder_is_refused(command: str) -> None:
    Path("images").unlink()
    assert "data: images is not a folder" in refusal(command, "mine")


def test_corrupt_images_are_named() -> None:
    names = ("broken.png", "broken.bmp", "broken.ppm", "broken.tif", "broken.webp")
    folder = own_images()
    for name in names:
        (folder / name).write_bytes(b"P6\n2W5 40\n255\n")
    message = refusal("tune", "mine")
    assert [name for name in names if f"images/{name} (" not in message] == []
    assert message.startswith("data: cannot be read as images: ")
    assert message.endswith("fix or remove them")


def test_the_home_folder_of_a_user_that_does_not_exist_is_refused() -> None:
    write(CONFIG, VALID.replace("root: images", "root: ~nobody-of-this-name/images"))
    assert "~nobody-of-this-name" in refusal("tune", "mine")


CIFAR10 = VALID.replace("{source: folder, root: images}", "{source: cifar10}")


@pytest.mark.parametrize("way", ["variable", "file"])
@pytest.mark.parametrize(
    ("batches", "words"),
    [(None, "holds no folder cifar-10-batches-py"), (b"not what was published", "md5")],
    ids=["absent", "corrupt-batch"],
)
def test_a_named_cifar10_that_is_absent_or_corrupt_is_an_error_not_a_fallback(
    monkeypatch: pytest.MonkeyPatch, way: str, batches: bytes | None, words: str
) -> None:
    if batches:
        for name in ("data_batch_1", "test_batch", "batches.meta"):
            write(Path("cifar/cifar-10-batches-py") / name, batches)
    if way == "variable":
        monkeypatch.setenv("CIFAR10_ROOT", "cifar")
        write(CONFIG, CIFAR10)
    else:
        write(CONFIG, CIFAR10.replace("{source: cifar10}", "{source: cifar10, root: cifar}"))
    message = refusal("tune", "mine")
    assert message.startswith(("CIFAR10_ROOT: cifar", "data.root: cifar"))
    assert words in message


def test_a_damaged_sample_is_refused_with_the_way_to_restore_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.data.bundled_sample.SAMPLE_FOLDER", Path("data/sample"))
    write(Path("data/sample/sample.json"), "{}")
    write(CONFIG, VALID.replace("{source: folder, root: images}", "{source: sample}"))
    message = refusal("tune", "mine")
    assert message.startswith("data/sample: ")
    assert "git checkout -- data/sample" in message


# The results folder and the study in it


@pytest.mark.parametrize(
    ("path", "arguments"), [("results", ()), ("results", ("--fresh",)), ("results/mine", ())], ids=str
)
def test_a_file_in_place_of_the_results_folder_is_named_and_kept(path: str, arguments: tuple[str, ...]) -> None:
    write(Path(path), "precious")
    message = refusal("tune", "mine", *arguments)
    assert "results" in message
    assert "run the same command again" in message


@pytest.mark.parametrize("command", ["retrain", "dashboard"])
def test_a_file_in_place_of_the_results_folder_is_no_study(command: str) -> None:
    write(Path("results"), "precious")
    assert "there is no study yet" in refusal(command, "mine")


@pytest.mark.parametrize("command", ["tune", "retrain", "dashboard"])
def test_a_damaged_database_is_named_and_kept(command: str) -> None:
    write(Path("results/mine/study.db"), b"garbage" * 1000)
    message = refusal(command, "mine")
    assert message.startswith("results/mine/study.db: cannot be opened as a study")
    assert "--fresh" in message


def prepared() -> PreparedStudy:
    """Return the study of the working directory, prepared on the CPU."""
    return prepare_study(read_config(CONFIG), "cpu")


def test_a_fresh_start_with_no_earlier_study_moves_nothing_aside() -> None:
    with locked_study(prepared(), fresh=True) as (study, moved):
        assert (study, moved) == (None, None)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Path:
    """Results of a study whose trial 0 has finished and whose trial 1 has only been started."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.chdir(tmp_path_factory.mktemp("results"))
        Path("images").symlink_to(images)
        write(CONFIG, VALID)
        ready, paths = prepared(), StudyPaths.of("mine")
        attributes = {"identity": fingerprint(ready.config, ready.data), "startup_trials": 1}
        study = create_study(ready.config, paths, attributes)
        study.add_trial(optuna.trial.create_trial(value=7.0, user_attrs={"epoch": 1.0, "end": "finished"}))
        study.ask()
        return Path("results").resolve()


@pytest.fixture
def existing_study(results: Path) -> None:
    """A copy of these results in the working directory."""
    shutil.copytree(results, "results")


CHANGES: dict[str, tuple[Callable[[str], str], str]] = {
    "range": (lambda text: text.replace("high: 2.0", "high: 1.5"), "hyperparameters.beta"),
    "fixed-value": (lambda text: text.replace("latent_dim: 2", "latent_dim: 3"), "hyperparameters.latent_dim"),
    "model": (lambda text: text.replace("[1, 1, 1, 1]", "[1, 1, 1, 2]"), "model"),
    "length": (lambda text: text.replace("epochs: 1", "epochs: 2") + "pruner: {name: median}\n", "training.epochs"),
    "seed": (lambda text: f"{text}seed: 7\n", "seed"),
    "source": (lambda text: text.replace("{source: folder, root: images}", "{source: sample}"), "data.source"),
}


@pytest.mark.usefixtures("existing_study")
@pytest.mark.parametrize(("change", "key"), CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_study_is_refused_before_any_training_with_the_remedy(change: Callable[[str], str], key: str) -> None:
    write(CONFIG, change(VALID))
    message = refusal("tune", "mine", "--trials", "5")
    assert message.startswith("results/mine: this study has different settings")
    assert f"{key} was " in message
    assert "--fresh" in message


@pytest.mark.usefixtures("existing_study")
def test_changed_images_are_refused() -> None:
    path = own_images() / "000.png"
    Image.new("RGB", (32, 32)).save(path)
    assert "data.digest was " in refusal("tune", "mine", "--trials", "5")


@pytest.mark.usefixtures("existing_study")
def test_a_trial_out_of_range_is_refused_with_the_number_of_trials() -> None:
    for number in (2, 10**6):
        message = refusal("retrain", "mine", "--trial", str(number))
        assert message == f"--trial {number}: the study has 2 trials, numbered from 0"


@pytest.mark.usefixtures("existing_study")
def test_a_trial_without_a_score_is_refused() -> None:
    assert refusal("retrain", "mine", "--trial", "1") == "--trial 1: has no score yet; choose another"


@pytest.mark.usefixtures("existing_study")
def test_an_address_of_another_machine_is_refused() -> None:
    message = refusal("dashboard", "mine", "--host", "203.0.113.1")
    assert message.startswith("--host 203.0.113.1: cannot be bound")


@pytest.mark.usefixtures("existing_study")
@pytest.mark.parametrize("arguments", [("tune", "mine", "--trials", "5"), ("tune", "mine", "--fresh")])
def test_a_study_that_another_process_is_using_is_refused(arguments: tuple[str, ...]) -> None:
    paths = StudyPaths.of("mine")
    with hold_lock(paths.lock, str(paths.folder)):
        message = refusal(*arguments)
    assert message == "results/mine: another process is using it; wait until that process ends, or stop it first"


def test_the_program_reports_a_refusal_only_on_stderr_with_exit_code_2(checkout: Path) -> None:
    write(CONFIG, f"{VALID}pruner: {{warmup: 1}}")
    command = [sys.executable, "-m", "hpo", "tune", "mine"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    expected = "error: study_configs/mine.yaml: pruner.warmup: unknown key; did you mean 'warmup_epochs'?\n"
    assert done.stderr == expected
