"""What a user can get wrong, through the real command line: one clear message, exit code 2, nothing written."""

import os
import shutil
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from hpo.cli.app import app
from hpo.config.machine import PreparedStudy, prepare_machine
from hpo.config.study_file import read_config
from hpo.storage.create_study import create_study
from hpo.storage.file_locks import hold_lock
from hpo.storage.fingerprint import fingerprint
from hpo.storage.paths import StudyPaths
from hpo.workers.study_setup import locked_study

ROOT = Path(__file__).resolve().parents[2]
CONFIG = Path("study_configs/mine.yaml")
SMALL = """
data: {source: folder, root: images}
model: {channels: [1, 1, 1, 1]}
training: {epochs: 1, precision: float32}
"""
SEARCH = "hyperparameters: {beta: {low: 0.5, high: 2.0}, latent_dim: 2, batch_size: 16}\n"
BUDGET = "budget: {trials: 1}\n"
SOUND = SMALL + SEARCH + BUDGET


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: Path) -> Path:
    """A working directory with study_configs/ and a folder of images; no data set is named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CIFAR10_ROOT", raising=False)
    Path("images").symlink_to(images)
    write(CONFIG, SOUND)
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
    """The folder of images, as one's own to damage."""
    shared = Path("images").resolve()
    Path("images").unlink()
    return Path(shutil.copytree(shared, "images"))


def contents_of(path: Path) -> object:
    """A file's bytes, or everything in a database, whichever of its files it stands in."""
    if path.is_dir():
        return "folder"
    if path.name == "study.db" and path.read_bytes().startswith(b"SQLite"):
        with sqlite3.connect(path) as connection:
            return list(connection.iterdump())
    return path.read_bytes()


def snapshot() -> dict[Path, object]:
    """Everything in the working directory, but for locks and SQLite's own side files."""
    passing = (".lock", "-wal", "-shm")
    return {path: contents_of(path) for path in Path().rglob("*") if not path.name.endswith(passing)}


def refusal(*arguments: str) -> str:
    """The one message with which the command refuses, having written nothing."""
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
    lines = result.stderr.strip().splitlines()
    return lines[0].removeprefix("error: ") if lines[0].startswith("error: ") else _of_the_usage(lines)


def _of_the_usage(lines: list[str]) -> str:
    """Typer's own refusal: how the command is used, then the message."""
    assert lines[0].startswith("Usage: ")
    (message,) = (line for line in lines if line.startswith("Error: "))
    return message


@dataclass(frozen=True)
class Fault:
    """A study file and the words that its refusal must contain."""

    text: str | bytes
    words: tuple[str, ...]


CONFIG_FAULTS = {
    "unknown-key": Fault(f"{SOUND}pruner: {{warmup: 1}}", ("pruner.warmup", "did you mean 'warmup_epochs'?")),
    "unknown-top-key": Fault(f"{SOUND}sead: 1", ("sead", "did you mean 'seed'?")),
    "wrong-type": Fault(SOUND.replace("trials: 1", "trials: many"), ("budget.trials", "whole number", "'many'")),
    "quoted-number": Fault(SOUND.replace("trials: 1", "trials: '1'"), ("budget.trials", "whole number", "'1'")),
    "fraction": Fault(SOUND.replace("epochs: 1", "epochs: 1.5"), ("training.epochs", "whole number", "1.5")),
    "impossible-range": Fault(SOUND.replace("high: 2.0", "high: 0.1"), ("beta.high", "greater than low (0.5)", "0.1")),
    "zero-on-a-log-scale": Fault(
        SOUND.replace("low: 0.5", "low: 0.0, log: true"),
        ("hyperparameters.beta.low: must be > 0 on a log scale, got 0.0",),
    ),
    "negative": Fault(SOUND.replace("low: 0.5", "low: -0.5"), ("hyperparameters.beta.low", ">= 0", "-0.5")),
    "nan": Fault(SOUND.replace("low: 0.5", "low: .nan"), ("hyperparameters.beta.low", "finite", "nan")),
    "infinity": Fault(SOUND.replace("high: 2.0", "high: .inf"), ("hyperparameters.beta.high", "finite", "inf")),
    "empty-choices": Fault(
        SOUND.replace("{low: 0.5, high: 2.0}", "{choices: []}"), ("beta.choices", "at least 1", "[]")
    ),
    "repeated-choices": Fault(
        SOUND.replace("{low: 0.5, high: 2.0}", "{choices: [1, 1]}"), ("beta.choices", "repeat", "[1, 1]")
    ),
    "repeated-key": Fault(f"{SOUND}seed: 1\nseed: 2", ("'seed' stands twice",)),
    "batch-of-one": Fault(SOUND.replace("batch_size: 16", "batch_size: 1"), ("batch_size", ">= 2", "got 1")),
    "nothing-searched": Fault(SOUND.replace("{low: 0.5, high: 2.0}", "1.0"), ("nothing to search",)),
    "no-budget": Fault(SMALL + SEARCH, ("budget: is missing",)),
    "zero-trials": Fault(SOUND.replace("trials: 1", "trials: 0"), ("budget.trials", ">= 1", "got 0")),
    "zero-minutes": Fault(SOUND.replace("trials: 1", "timeout_minutes: 0"), ("budget.timeout_minutes", "> 0", "got 0")),
    "name-with-slash": Fault(f"{SOUND}name: a/b", ("name: ", "'a/b'")),
    "name-above": Fault(f"{SOUND}name: ..", ("name: ", "'..'")),
    "hidden-name": Fault(f"{SOUND}name: .a", ("name: ", "'.a'")),
    "list": Fault("- a\n- b\n", ("must be a mapping", "['a', 'b']")),
    "empty": Fault("", ("must be a mapping", "None")),
    "no-yaml": Fault("budget: {trials", ("cannot be read",)),
    "aliases-that-blow-up": Fault(
        "a0: &a0 [1, 1, 1, 1]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)),
        ("at most 10,000 values",),
    ),
    "alias-of-itself": Fault("budget: &a {trials: *a}\n", ("cannot be read",)),
    "too-large": Fault("# " + "x" * 1_000_000 + "\n" + SOUND, ("at most 1,000,000 bytes",)),
    "python-object": Fault("budget: !!python/object/apply:os.system [touch ran]\n", ("cannot be read",)),
    "binary": Fault(bytes(range(256)), ("UTF-8",)),
    "folder-without-root": Fault(SOUND.replace(", root: images", ""), ("data.root",)),
    "unknown-source": Fault(SOUND.replace("source: folder", "source: imagenet"), ("data.source", "'imagenet'")),
}


@pytest.mark.parametrize("fault", CONFIG_FAULTS.values(), ids=CONFIG_FAULTS.keys())
@pytest.mark.parametrize("command", ["tune", "retrain", "dashboard", "status", "clean", "report", "export"])
def test_a_fault_in_the_study_file_is_refused_by_every_command(command: str, fault: Fault) -> None:
    write(CONFIG, fault.text)
    message = refusal(command, "mine")
    assert message.startswith("study_configs/mine.yaml: ")
    assert [word for word in fault.words if word not in message] == []


def test_all_faults_of_a_file_come_in_one_message_a_line_each() -> None:
    write(CONFIG, SOUND.replace("trials: 1", "trials: 0").replace("epochs: 1", "epochs: 0") + "name: a/b\nsead: 1\n")
    result = CliRunner().invoke(app, ["tune", "mine"])
    lines = result.stderr.removeprefix("error: ").splitlines()
    assert result.exit_code == 2
    assert all(line.startswith("study_configs/mine.yaml: ") for line in lines)
    assert sorted(line.split(": ")[1] for line in lines) == ["budget.trials", "name", "sead", "training.epochs"]


@pytest.mark.parametrize("command", ["tune", "retrain", "dashboard"])
@pytest.mark.parametrize("argument", ["nowhere", "study_configs/nowhere.yaml", "study_configs", ""])
def test_an_absent_study_file_is_answered_with_those_that_there_are(command: str, argument: str) -> None:
    assert refusal(command, argument).endswith("there is: mine")


OPTION_FAULTS = {
    "unknown-command": (("tuen", "mine"), ("'tuen'",)),
    "unknown-option": (("tune", "mine", "--trails", "3"), ("--trails",)),
    "no-study": (("tune",), ("config",)),
    "zero-trials": (("tune", "mine", "--trials", "0"), ("--trials", "1")),
    "fraction-of-a-trial": (("tune", "mine", "--trials", "1.5"), ("--trials",)),
    "zero-minutes": (("tune", "mine", "--timeout", "0"), ("--timeout", "> 0", "got 0")),
    "negative-minutes": (("tune", "mine", "--timeout", "-1"), ("--timeout", "> 0", "got -1")),
    "nan-minutes": (("tune", "mine", "--timeout", "nan"), ("--timeout", "> 0", "got nan")),
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
        ("--architecture: must be 'plain' or 'norm_free', got 'resnet'",),
    ),
    "decay-of-one": (("train", "--adam-beta2", "1"), ("--adam-beta2: must be < 1.0, got 1",)),
    "dashboard-without-a-study": (("dashboard", "mine"), ("results/mine", "run make tune STUDY=mine")),
}


@pytest.mark.parametrize(("arguments", "words"), OPTION_FAULTS.values(), ids=OPTION_FAULTS.keys())
def test_a_wrong_option_is_named(arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    message = refusal(*arguments)
    assert [word for word in words if word not in message] == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("arguments", [("--device", "cuda"), ("--device", "cuda:0"), ()])
def test_cuda_asked_for_and_absent_is_refused_with_the_remedy(arguments: tuple[str, ...]) -> None:
    if not arguments:
        write(CONFIG, SOUND.replace("epochs: 1", "epochs: 1, device: cuda"))
    message = refusal("tune", "mine", *arguments)
    assert message.startswith("device: cuda")
    assert "was requested" in message and "--device auto" in message


def test_an_unknown_device_in_the_file_is_refused() -> None:
    write(CONFIG, SOUND.replace("epochs: 1", "epochs: 1, device: tpu"))
    assert "'tpu'" in refusal("tune", "mine")


@pytest.mark.parametrize(
    "entry", ["batch_size: 81", "batch_size: {choices: [16, 81]}", "batch_size: {low: 16, high: 81}"]
)
def test_a_batch_larger_than_the_training_images_is_refused(entry: str) -> None:
    write(CONFIG, SOUND.replace("batch_size: 16", entry))
    message = refusal("tune", "mine")
    assert message.startswith("hyperparameters.batch_size: must be at most 80")
    assert message.endswith("got 81")


# Data


@pytest.mark.parametrize("command", ["tune", "retrain"])
@pytest.mark.parametrize("n_images", [0, 99])
def test_a_folder_with_too_few_images_is_refused(command: str, n_images: int) -> None:
    for path in sorted(own_images().iterdir())[n_images:]:
        path.unlink()
    message = refusal(command, "mine")
    assert f"data.root: images holds {n_images} images" in message
    assert "at least 100 are needed" in message


@pytest.mark.parametrize("command", ["tune", "retrain"])
def test_an_absent_folder_is_refused(command: str) -> None:
    Path("images").unlink()
    assert "data.root: images is not a folder" in refusal(command, "mine")


@pytest.mark.parametrize("name", ["broken.png", "broken.bmp", "broken.ppm", "broken.tif", "broken.webp"])
def test_a_corrupt_image_is_named(name: str) -> None:
    (own_images() / name).write_bytes(b"P6\n2W5 40\n255\n")
    message = refusal("tune", "mine")
    assert f"images/{name}" in message
    assert "fix or remove" in message


def test_the_home_of_nobody_is_refused() -> None:
    write(CONFIG, SOUND.replace("root: images", "root: ~nobody-of-this-name/images"))
    assert "~nobody-of-this-name" in refusal("tune", "mine")


CIFAR10 = SOUND.replace("{source: folder, root: images}", "{source: cifar10}")


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
    monkeypatch.setattr("model.data.bundled_sample.DATA_FOLDER", Path("data"))
    write(Path("data/sample/sample.json"), "{}")
    write(CONFIG, SOUND.replace("{source: folder, root: images}", "{source: sample}"))
    message = refusal("tune", "mine")
    assert message.startswith("data/sample: ")
    assert "git checkout -- data/sample" in message


# The results folder and the study in it


@pytest.mark.parametrize(
    ("path", "arguments"), [("results", ()), ("results", ("--fresh",)), ("results/mine", ())], ids=str
)
def test_a_file_where_the_results_should_go_is_named_and_kept(path: str, arguments: tuple[str, ...]) -> None:
    write(Path(path), "precious")
    message = refusal("tune", "mine", *arguments)
    assert "results" in message
    assert "run the same command again" in message


@pytest.mark.parametrize("command", ["retrain", "dashboard"])
def test_a_file_where_the_study_should_be_is_no_study(command: str) -> None:
    write(Path("results"), "precious")
    assert "there is no study yet" in refusal(command, "mine")


@pytest.mark.parametrize("command", ["tune", "retrain", "dashboard"])
def test_a_damaged_database_is_named_and_kept(command: str) -> None:
    write(Path("results/mine/study.db"), b"garbage" * 1000)
    message = refusal(command, "mine")
    assert message.startswith("results/mine/study.db: cannot be opened as a study")
    assert "--fresh" in message


def prepared() -> PreparedStudy:
    return prepare_machine(read_config(CONFIG), "cpu")


def test_a_fresh_start_with_no_earlier_study_moves_nothing_aside() -> None:
    with locked_study(prepared(), fresh=True) as (study, moved):
        assert (study, moved) == (None, None)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Path:
    """The results of a study whose trial 0 has finished and whose trial 1 was only begun."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.chdir(tmp_path_factory.mktemp("begun"))
        Path("images").symlink_to(images)
        write(CONFIG, SOUND)
        ready, paths = prepared(), StudyPaths.of("mine")
        attributes = {"identity": fingerprint(ready.config, ready.data), "startup_trials": 1}
        study = create_study(ready.config, paths, attributes)
        study.add_trial(optuna.trial.create_trial(value=7.0, user_attrs={"epoch": 1.0, "end": "finished"}))
        study.ask()
        return Path("results").resolve()


@pytest.fixture
def resumed(begun: Path) -> None:
    """The same results, as one's own."""
    shutil.copytree(begun, "results")


CHANGES: dict[str, tuple[Callable[[str], str], str]] = {
    "range": (lambda text: text.replace("high: 2.0", "high: 3.0"), "hyperparameters.beta"),
    "fixed-value": (lambda text: text.replace("latent_dim: 2", "latent_dim: 3"), "hyperparameters.latent_dim"),
    "model": (lambda text: text.replace("[1, 1, 1, 1]", "[1, 1, 1, 2]"), "model"),
    "length": (lambda text: text.replace("epochs: 1", "epochs: 2"), "training.epochs"),
    "seed": (lambda text: f"{text}seed: 7\n", "seed"),
    "source": (lambda text: text.replace("{source: folder, root: images}", "{source: sample}"), "data.source"),
}


@pytest.mark.usefixtures("resumed")
@pytest.mark.parametrize(("change", "key"), CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_study_is_refused_before_any_training_with_the_remedy(change: Callable[[str], str], key: str) -> None:
    write(CONFIG, change(SOUND))
    message = refusal("tune", "mine", "--trials", "5")
    assert message.startswith("results/mine: this study was created with different settings")
    assert f"{key} was " in message
    assert "--fresh" in message


@pytest.mark.usefixtures("resumed")
def test_changed_images_are_refused() -> None:
    path = own_images() / "000.png"
    Image.new("RGB", (32, 32)).save(path)
    assert "data.digest was " in refusal("tune", "mine", "--trials", "5")


@pytest.mark.usefixtures("resumed")
@pytest.mark.parametrize("number", [2, 10**6])
def test_a_trial_out_of_range_is_answered_with_those_that_there_are(number: int) -> None:
    assert (
        refusal("retrain", "mine", "--trial", str(number))
        == f"--trial {number}: the study has 2 trials, numbered from 0"
    )


@pytest.mark.usefixtures("resumed")
def test_a_trial_without_a_score_is_refused() -> None:
    assert refusal("retrain", "mine", "--trial", "1").startswith("--trial 1: is running; choose one that finished")


@pytest.mark.usefixtures("resumed")
def test_an_address_of_another_machine_is_refused() -> None:
    message = refusal("dashboard", "mine", "--host", "203.0.113.1")
    assert message.startswith("--host 203.0.113.1: cannot be bound")


@pytest.mark.usefixtures("resumed")
@pytest.mark.parametrize("arguments", [("tune", "mine", "--trials", "5"), ("tune", "mine", "--fresh")])
def test_a_study_that_another_process_works_on_is_left_alone(arguments: tuple[str, ...]) -> None:
    paths = StudyPaths.of("mine")
    with hold_lock(paths.lock, str(paths.folder)):
        message = refusal(*arguments)
    assert message == "results/mine: another process is using it; wait until that process ends, or stop it first"


def test_the_whole_program_refuses_on_stderr_alone_with_exit_code_2(checkout: Path) -> None:
    write(CONFIG, f"{SOUND}pruner: {{warmup: 1}}")
    command = [sys.executable, "-m", "hpo", "tune", "mine"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    expected = "error: study_configs/mine.yaml: pruner.warmup: unknown key; did you mean 'warmup_epochs'?\n"
    assert done.stderr == expected
