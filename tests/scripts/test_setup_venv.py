"""The set-up of .venv by `make`, in a checkout where stubs stand in for Python, pip and uv; once with the real ones."""

import os
import shutil
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tools.checkout import Checkout, run, write_script


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture(params=["pip", "uv"])
def either(checkout: Checkout, request: pytest.FixtureRequest) -> Checkout:
    """A checkout on a machine with uv, and on one without."""
    if request.param == "uv":
        checkout.add_uv()
    return checkout


def test_the_first_call_sets_up_and_the_second_installs_nothing(either: Checkout) -> None:
    done = either.make("tune", "STUDY=quick")
    assert done.returncode == 0, done.stderr
    installer = "uv pip install" if either.uv else "-m pip install"
    assert installer in (either.stubs / "calls").read_text()
    assert either.calls() == ["venv", "requirements.txt"]
    assert f"Setting up {either.root}/.venv. This happens once" in done.stderr
    assert "ran: -m hpo tune quick" in done.stdout

    for name in ("requirements.txt", "requirements-dev.txt"):
        os.utime(either.root / name, (time.time() + 100, time.time() + 100))
    assert either.make("tune").stderr == ""
    assert either.calls() == []


@pytest.mark.parametrize("changed", ["requirements.txt", "requirements-cuda.txt"])
def test_changed_requirements_are_installed_into_the_same_venv(checkout: Checkout, changed: str) -> None:
    checkout.make("tune")
    checkout.write(changed, (checkout.root / changed).read_text() + "six==1.17.0\n")
    checkout.calls()
    assert "Updating" in checkout.make("tune").stderr
    assert checkout.calls() == ["requirements.txt"]


def test_the_tests_requirements_include_and_follow_those_of_tune(checkout: Checkout) -> None:
    checkout.make("test")
    checkout.make("tune")
    assert checkout.calls() == ["venv", "requirements-dev.txt"]
    original = (checkout.root / "requirements.txt").read_text()
    checkout.write("requirements.txt", "torch==2.14.0\n")
    checkout.make("tune")
    checkout.write("requirements.txt", original)
    checkout.calls()
    checkout.make("test")
    assert checkout.calls() == ["requirements-dev.txt"]


def test_the_cpu_build_is_offered_where_no_gpu_is_seen(checkout: Checkout) -> None:
    checkout.stub_system_python('shutil.which = lambda name: None; sys.platform = "linux"')
    hint = "Ctrl-C, then PIP_EXTRA_INDEX_URL=https://"
    assert hint in checkout.make("tune").stderr
    shutil.rmtree(checkout.root / ".venv")
    assert hint not in checkout.make("tune", PIP_EXTRA_INDEX_URL="https://index.invalid").stderr


# What is found in .venv


def make_python_vanish(checkout: Checkout) -> None:
    python = checkout.root / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/nowhere/python3")


def make_python_fail(checkout: Checkout) -> None:
    write_script(checkout.root / ".venv/bin/python", "#!/bin/sh\nexit 1\n")


def move_the_folder(checkout: Checkout) -> None:
    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))


@pytest.mark.parametrize("breaks", [make_python_vanish, make_python_fail, move_the_folder])
def test_a_broken_venv_is_rebuilt(checkout: Checkout, breaks: Callable[[Checkout], None]) -> None:
    checkout.make("tune")
    breaks(checkout)
    checkout.calls()
    done = checkout.make("tune")
    assert done.returncode == 0, done.stderr
    assert checkout.calls() == ["venv", "requirements.txt"]
    assert "rebuilding it" in done.stderr


def test_a_venv_made_by_hand_is_kept(checkout: Checkout) -> None:
    bin_folder = checkout.root / ".venv/bin"
    bin_folder.mkdir(parents=True)
    checkout.write(".venv/pyvenv.cfg", "")
    checkout.write(".venv/mine", "")
    shutil.copy(checkout.stubs / "venv-python", bin_folder / "python")
    checkout.make("tune")
    assert checkout.calls() == ["requirements.txt"]
    assert (checkout.root / ".venv/mine").exists()


# The real installers


@pytest.mark.slow
@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_the_real_installer_takes_the_best_build_of_both_indexes(checkout: Checkout, installer: str) -> None:
    # As on PyTorch's index: the CPU build of one package, and only an older version of another.
    for index, package, version in (
        ("index", "tiny", "1.0"),
        ("index", "other", "1.0"),
        ("extra", "tiny", "1.0+cpu"),
        ("extra", "other", "0.9"),
    ):
        write_package(checkout.root / index / package, version)
    checkout.write("requirements.txt", "-c requirements-cuda.txt\ntiny==1.0\nother==1.0\n")
    (checkout.root / "hpo").mkdir()
    checkout.write("hpo/__main__.py", "import other, sys, tiny; print(tiny.VERSION, other.VERSION, *sys.argv[1:])\n")
    variables = {
        "PATH": only_programs(checkout.stubs / "programs", "make", "sh", *(["uv"] if installer == "uv" else [])),
        "PIP_INDEX_URL": (checkout.root / "index").as_uri(),
        "PIP_EXTRA_INDEX_URL": (checkout.root / "extra").as_uri(),
    }
    command = ["make", f"PYTHON={sys.executable}", "tune", "TRIALS=2"]
    done = run(command, checkout.root, **variables)
    assert done.returncode == 0, done.stderr
    assert "1.0+cpu 1.0 tune cifar10 --trials 2" in done.stdout
    assert run(command, checkout.root, **variables).stderr == ""


def only_programs(folder: Path, *names: str) -> str:
    """Fill the folder with links to these programs, for use as PATH."""
    folder.mkdir()
    for name in names:
        path = shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        assert path, f"{name} was not found"
        (folder / name).symlink_to(path)
    return str(folder)


def write_package(folder: Path, version: str) -> None:
    """Write the smallest wheel of the package that the folder is named after, and its page of the index."""
    folder.mkdir(parents=True)
    metadata = {
        "METADATA": f"Metadata-Version: 2.1\nName: {folder.name}\nVersion: {version}\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    wheel = folder / f"{folder.name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{folder.name}.py", f"VERSION = {version!r}")
        for name, text in metadata.items():
            archive.writestr(f"{folder.name}-{version}.dist-info/{name}", text)
    (folder / "index.html").write_text(f'<a href="{wheel.name.replace("+", "%2B")}">{wheel.name}</a>')
