"""Folders of the bundled sample and of downloaded images, in a checkout and where the program is installed."""

import os
from pathlib import Path

_PROGRAM = Path(__file__).resolve().parents[2]
# A wheel has no such file.
IS_CHECKOUT = (_PROGRAM / "pyproject.toml").is_file()
_PACKAGED_SAMPLE = Path(__file__).resolve().parent / "sample"


def _cache() -> Path:
    """Return the folder of this program among the user's caches (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "convvae-hpo"


# Downloaded images: in a checkout beside the program, else shared by all folders that a user works in.
DATA_FOLDER = _PROGRAM / "data" if IS_CHECKOUT else _cache()
SAMPLE_FOLDER = _PROGRAM / "data" / "sample" if IS_CHECKOUT else _PACKAGED_SAMPLE
