"""Shields a command from its surroundings: environment variables and files that configure Python or matplotlib."""

import os
import sys
import warnings
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path


def ignore_surroundings() -> None:
    """Undo what environment variables changed; also for the worker processes that this process starts.

    Call it before matplotlib and torch are imported.
    """
    _wait_briefly()
    _use_our_matplotlib()
    _use_pythons_warnings()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that cannot show a character gets an escape sequence instead of a traceback.
            stream.reconfigure(errors="backslashreplace")


def _wait_briefly() -> None:
    """Let a thread that waits for the others give its core away soon, unless the user has said how long it may wait.

    GNU's OpenMP waits in a loop of 300,000 rounds. While other processes use the cores, that takes more time than the
    work: two such processes on two cores slowed a training with batches of 16 images from 700 to 17 images a second,
    with this setting to 139. A training alone is as fast as before.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def _use_our_matplotlib() -> None:
    """Read matplotlib's own settings instead of the user's, and name a backend.

    In a cell of Jupyter or Colab, MPLBACKEND names a module that .venv does not have, and importing matplotlib fails.
    """
    os.environ["MPLBACKEND"] = "agg"
    spec = find_spec("matplotlib")
    if spec and spec.origin:
        os.environ["MATPLOTLIBRC"] = str(Path(spec.origin).parent / "mpl-data" / "matplotlibrc")


def _use_pythons_warnings() -> None:
    """Restore Python's default filters: with PYTHONWARNINGS=error, a library's warning would end the command."""
    if not sys.warnoptions:
        return
    os.environ.pop("PYTHONWARNINGS", None)
    sys.warnoptions.clear()
    warnings.resetwarnings()
    for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", category)
