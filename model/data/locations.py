"""Folders of the bundled sample and of downloaded images, in a checkout and where the program is installed."""

import os
import tempfile
from pathlib import Path

_PROGRAM = Path(__file__).resolve().parents[2]
_PACKAGED_SAMPLE = Path(__file__).resolve().parent / "sample"
# A wheel has the sample beside this module.
IS_CHECKOUT = not _PACKAGED_SAMPLE.is_dir()


def _cache() -> Path:
    """Return the folder of this program among the user's caches (XDG Base Directory Specification)."""
    # Without a home folder, which users of containers may lack, expanduser changes nothing.
    home = os.path.expanduser("~").replace("~", tempfile.gettempdir())
    return Path(os.environ.get("XDG_CACHE_HOME") or Path(home) / ".cache") / "convvae-hpo"


# Downloaded images: in a checkout beside the program, else shared by all folders that a user works in.
DATA_FOLDER = _PROGRAM / "data" if IS_CHECKOUT else _cache()
SAMPLE_FOLDER = _PROGRAM / "data" / "sample" if IS_CHECKOUT else _PACKAGED_SAMPLE
