"""The program as pip installs it: a wheel in a virtual environment of its own, run from an empty folder."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.tools.warm_process import ROOT

pytestmark = pytest.mark.long

STUDY = """
data: {source: sample}
model: {architecture: plain}
hyperparameters: {beta: {low: 0.5, high: 2.0}, latent_dim: 4}
training: {epochs: 1}
budget: {trials: 1}
confirmation: {top: 0}
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `hpo` of an environment with this wheel, which finds other packages where the tests run."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    install = [sys.executable, "-m", "uv", "pip", "install", "--offline", "--no-deps", "--python", python, wheel]
    subprocess.run([str(part) for part in install], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin" / "hpo"


def run(program: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "CIFAR10_ROOT")}
    return subprocess.run([program, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def test_a_wheel_has_the_program_its_templates_the_sample_and_the_shipped_studies_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"hpo", "model"}
    for folder, packaged in (
        ("study_configs", "hpo/study_configs"),
        ("data/sample", "model/data/sample"),
        ("hpo/report/templates", "hpo/report/templates"),
    ):
        expected = {f"{packaged}/{path.name}" for path in (ROOT / folder).iterdir()}
        assert expected == {name for name in names if name.startswith(f"{packaged}/")}


def test_an_installed_program_searches_in_an_empty_folder_and_finds_the_study_by_its_name(
    program: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "tiny.yaml").write_text(STUDY)
    folder = tmp_path / "work"
    folder.mkdir()
    tuned = run(program, folder, "tune", "../elsewhere/tiny.yaml")
    assert tuned.returncode == 0, tuned.stderr
    assert "Next: hpo retrain ../elsewhere/tiny.yaml" in tuned.stdout
    assert [path.name for path in folder.iterdir()] == ["results"]
    status = run(program, folder, "status", "tiny")
    assert status.returncode == 0 and "1 of 1 configurations ended" in status.stdout
    assert "hpo retrain tiny" in (folder / "results" / "tiny" / "report" / "index.html").read_text()


def test_an_installed_program_names_the_studies_that_it_ships(program: Path, tmp_path: Path) -> None:
    refused = run(program, tmp_path, "tune", "nothing")
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1
    assert "available: cifar10, gpu, pareto, quick" in refused.stderr
    assert list(tmp_path.iterdir()) == []
