"""A real PostgreSQL server for benchmarks and tests, in a temporary folder, on a free port of this machine alone."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

# Debian keeps the server's programs off PATH.
_DEBIAN = Path("/usr/lib/postgresql")
USER = "hpo"
PASSWORD = "s3cr3t!word"


def _program(name: str) -> str | None:
    found = sorted(_DEBIAN.glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


IS_INSTALLED = _program("initdb") is not None and _program("postgres") is not None


@dataclass
class Postgres:
    """A server and its data."""

    folder: Path
    port: int
    waits_for_disk: bool = False
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """The URL of the database `postgres`, with the password."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start the server, and return once it answers."""
        program = _program("postgres")
        assert program is not None, "it is installed"
        settings = f"-c fsync={'on' if self.waits_for_disk else 'off'} -c max_connections=300"
        options = f"-D {self.folder} -p {self.port} -h 127.0.0.1 -k {self.folder} {settings}"
        silent = subprocess.DEVNULL
        self.process = subprocess.Popen([program, *options.split()], stdout=silent, stderr=silent, user=_user())
        ready = _program("pg_isready")
        assert ready is not None, "it comes with the server"
        for _ in range(600):
            if subprocess.run([ready, "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode == 0:
                return
            subprocess.run(["sleep", "0.05"], check=True)
        raise AssertionError("the server does not answer")

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT ends it at once and in order, SIGQUIT as a crash does."""
        assert self.process is not None, "it runs"
        self.process.send_signal(number)
        self.process.wait()

    def sql(self, *statements: str) -> None:
        """Execute statements as the server's owner."""
        url = make_url(self.url).set(drivername="postgresql+psycopg")
        engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)


@contextmanager
def running_postgres(folder: Path, *, waits_for_disk: bool = False) -> Iterator[Postgres]:
    """Create a server in a folder that does not exist, and run it; it may lose what it has committed at a power cut,
    unless it waits for the disk.
    """
    folder.mkdir()
    if os.getuid() == 0:
        shutil.chown(folder, "nobody")
        for parent in folder.parents:
            if parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
    password = folder.with_name(f"{folder.name}.password")
    password.write_text(PASSWORD)
    program = _program("initdb")
    assert program is not None, "it is installed"
    options = f"-D {folder} -U {USER} --pwfile {password} -A scram-sha-256 -E UTF8 --no-sync"
    subprocess.run([program, *options.split()], check=True, stdout=subprocess.DEVNULL, user=_user())
    server = Postgres(folder, _free_port(), waits_for_disk)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _user() -> str | None:
    """Return the user that the server runs as; None for this one. PostgreSQL refuses root."""
    return "nobody" if os.getuid() == 0 else None


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
