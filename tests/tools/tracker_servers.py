"""Servers of TensorBoard and MLflow for tests."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[2]
_MLFLOW = ROOT / ".venv" / "mlflow" / "bin" / "mlflow"


def mlflow_program() -> str | None:
    """Return the path of MLflow's server; None if it is not installed. Its packages do not go with ours."""
    return str(_MLFLOW) if _MLFLOW.exists() else None


@contextmanager
def tensorboard(folder: Path) -> Iterator[str]:
    """Run TensorBoard on a folder; yield its address."""
    with _running([sys.executable, "-m", "tensorboard.main", "--logdir", str(folder)], folder) as address:
        yield address


@contextmanager
def mlflow(folder: Path) -> Iterator[str]:
    """Run MLflow's server in a folder, with its defaults; yield its address."""
    with _running([str(mlflow_program()), "server", "--workers", "1"], folder) as address:
        yield address


@contextmanager
def _running(command: list[str], folder: Path) -> Iterator[str]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"MLFLOW_DISABLE_TELEMETRY": "true"}
    silent = subprocess.DEVNULL
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        cwd=folder, env=environment, stdout=silent, stderr=silent, start_new_session=True,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address)
        yield address
    finally:
        # MLflow's workers are processes of their own.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        process.wait()


def _wait_for(address: str) -> None:
    for _ in range(3000):
        with suppress(OSError), urlopen(address):
            return
        time.sleep(0.1)
    raise AssertionError(f"{address} did not answer")
