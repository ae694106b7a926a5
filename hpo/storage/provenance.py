"""Provenance of results: images, package versions and commit."""

import hashlib
import platform
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

from model.data.images import ImageData
from model.data.locations import IS_CHECKOUT

_PROGRAM = "convvae-hpo"
_PACKAGES = ("torch", "torchvision", "optuna", "numpy")


def data_facts(data: ImageData) -> dict[str, Any]:
    """Return the source of the images, the sizes of the splits and the shape of an image."""
    return {
        "source": data.source,
        "n_train": len(data.train),
        "n_val": len(data.validation),
        "n_test": len(data.test),
        "image_shape": list(data.image_shape),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    program = {} if IS_CHECKOUT else {_PROGRAM: version(_PROGRAM)}
    return {"python": platform.python_version(), **program, **{name: version(name) for name in _PACKAGES}}


def git_commit() -> str | None:
    """Return the commit of the checkout, with `-dirty` if files differ from it; None outside a git checkout."""
    # An installed program may lie in the checkout of another project.
    if not IS_CHECKOUT:
        return None
    root = Path(__file__).resolve().parents[2]
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        completed = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return completed.stdout.strip()


def described_version() -> str:
    """Return the version for people: `1.0.0, commit ...` in a checkout, `1.0.0+digest` where it is installed."""
    if not IS_CHECKOUT:
        return str(program_version())
    root = Path(__file__).resolve().parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return f"{project['version']}, commit {git_commit() or 'unknown'}"


def program_version() -> str | None:
    """Return what tells versions of this program apart: a checkout's commit, or version and digest of what is
    installed, which may have been built from any commit.
    """
    if IS_CHECKOUT:
        return git_commit()
    digest, packages = hashlib.sha256(), Path(__file__).resolve().parents[2]
    for path in sorted(path for name in ("hpo", "model") for path in (packages / name).rglob("*.py")):
        digest.update(path.read_bytes())
    return f"{version(_PROGRAM)}+{digest.hexdigest()[:12]}"
