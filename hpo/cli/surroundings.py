"""Shields a command from its surroundings: environment variables and files that configure Python or matplotlib."""

import os
import sys
import time
import warnings
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path

_ROUNDS_ALONE, _ROUNDS_AMONG_OTHERS = 10_000, 1_000
# On Linux. The fourth field is the number of running threads, and of all.
_LOAD = Path("/proc/loadavg")
_N_LOOKS, _LOOK_S = 5, 0.01


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
    work. Images a second of two trainings on two cores, batch 64: 770 with 10,000 rounds each; 1,390 to 1,610 with
    10,000 and 1,000, as for two commands of which the second finds the first; 1,510 to 1,630 with 1,000 each; with one
    thread each (WORKERS=2), 1,790 to 1,970. A training alone is as fast with either at batch 64, but at batch 16, 650
    with 1,000 rounds and 880 with 10,000.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        n_others, n_cores = _n_running() - 1, os.cpu_count() or 1
        rounds = _ROUNDS_AMONG_OTHERS if 2 * n_others >= n_cores else _ROUNDS_ALONE
        os.environ.setdefault("GOMP_SPINCOUNT", str(rounds))


def _n_running() -> int:
    """Return how many threads run on this machine or wait for a core, this one among them; 1 if it cannot be told.

    The least of several looks, since a short task of the system is no load.
    """
    counts = []
    for _ in range(_N_LOOKS):
        try:
            counts.append(int(_LOAD.read_text().split()[3].partition("/")[0]))
        except (OSError, ValueError, IndexError):
            return 1
        time.sleep(_LOOK_S)
    return min(counts)


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
