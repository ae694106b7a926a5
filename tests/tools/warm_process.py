"""Programs run in processes that are forked from one which has imported every library: seconds less for each.

Apart from its imports such a process is like one of `python -m hpo`: it has its own process group, environment,
working directory, output and signal handlers, and can be killed.
"""

import gc
import os
import runpy
import signal
import subprocess
import sys
from functools import cache
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from threading import Thread
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
# `tests.tools.warm_process` imports everything the command line imports late.
_PRELOADED = [
    "tests.tools.warm_process",
    "hpo.cli.app",
    "hpo.dashboard.server",
    "hpo.runs.retrain",
    "hpo.runs.train",
    "hpo.workers.tuning_session",
    "plotly.tools",
    "sklearn.manifold",
    "sklearn.mixture",
    "torch._dynamo",
]


class WarmProcess:
    """A Python program in a forked process, with the part of the interface of `subprocess.Popen` that tests need.

    `program` is a module (as in `python -m`) or the path of a script. stderr goes to `stdout` unless `with_errors`;
    both go to the file `log`, if given.
    """

    def __init__(
        self,
        program: str | Path,
        arguments: tuple[str, ...],
        folder: Path,
        *,
        with_errors: bool = False,
        log: Path | None = None,
    ) -> None:
        context = _context()
        self._streams: list[IO[str]] = []
        writers = [self._open_stream(context) for _ in range(2 if with_errors else 1)]
        if log:
            log.touch()
        command = (program, arguments, folder, environment(), log or writers[0], log or writers[-1])
        self._process = context.Process(target=_run, args=command)
        self._process.start()
        for writer in writers:
            writer.close()
        assert self._process.pid is not None
        self.pid, self.stdout = self._process.pid, self._streams[0]

    def _open_stream(self, context: ForkServerContext) -> Connection:
        reader, writer = context.Pipe(duplex=False)
        self._streams.append(os.fdopen(os.dup(reader.fileno())))
        reader.close()
        return writer

    @property
    def returncode(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Raises: subprocess.TimeoutExpired: it still runs after so many seconds."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Read the rest of stdout and stderr until the end.

        Raises: subprocess.TimeoutExpired: it still runs after so many seconds.
        """
        texts = ["", ""]

        def read(index: int) -> None:
            texts[index] = self._streams[index].read()

        readers = [Thread(target=read, args=(index,), daemon=True) for index in range(len(self._streams))]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join(timeout)
        return texts[0], texts[1]


def run(
    program: str | Path, arguments: tuple[str, ...], folder: Path, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; like `subprocess.run` with `capture_output`."""
    process = WarmProcess(program, arguments, folder, with_errors=True)
    try:
        stdout, stderr = process.communicate(timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return subprocess.CompletedProcess([str(program), *arguments], process.wait(), stdout, stderr)


def environment() -> dict[str, str]:
    """Return the environment of a command in a test: one thread, and output that comes at once."""
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


@cache
def _context() -> ForkServerContext:
    """Start the process that is forked, once per test process."""
    context = get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    before = dict(os.environ)
    os.environ.update(environment())
    try:
        context.Process(target=os.getpid).start()
    finally:
        os.environ.clear()
        os.environ.update(before)
    return context


def _run(
    program: str | Path,
    arguments: tuple[str, ...],
    folder: Path,
    environment: dict[str, str],
    stdout: Connection | Path,
    stderr: Connection | Path,
) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, target in ((1, stdout), (2, stderr)):
        os.dup2(
            target.fileno() if isinstance(target, Connection) else os.open(target, os.O_WRONLY | os.O_APPEND), number
        )
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    sys.argv = [str(program), *arguments]
    status: object = 0
    try:
        if isinstance(program, Path):
            runpy.run_path(str(program), run_name="__main__")
        else:
            runpy.run_module(program, run_name="__main__", alter_sys=True)
    except SystemExit as exit:
        status = exit.code
    # As an interpreter does at its end: databases are closed, and SQLite moves its log into the file.
    gc.collect()
    sys.exit(status)  # type: ignore[arg-type]
