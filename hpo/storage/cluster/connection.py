"""Connections to PostgreSQL: how they are made, which errors are an outage, and what a user reads about them."""

import functools
import math
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, ParamSpec, TypeVar

import sqlalchemy
from sqlalchemy import URL, Engine, event, make_url
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from hpo.config.call_arguments import shown_url
from hpo.storage.database import StudyError
from hpo.user_commands import how_to_install

_DRIVER = "psycopg"
INSTALL = how_to_install("cluster")
# A connection that has broken is noticed within half a minute. Prepared statements do not pass PgBouncer.
_CONNECT_ARGUMENTS: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "prepare_threshold": None,
    "application_name": "hpo",
}
ENGINE_ARGUMENTS: dict[str, Any] = {"connect_args": _CONNECT_ARGUMENTS}
# A worker that is frozen or cut off in a transaction holds its locks for so long: less than the life of a lease.
_IDLE_IN_TRANSACTION_S = 15
# A connection that has been idle for longer is asked whether it still works before it is used.
_IDLE_S = 1.0
# So long a worker waits for a database that does not answer, and so long between two attempts.
OUTAGE_S, _PAUSES_S = 600.0, (0.2, 1.0, 3.0, 5.0, 10.0)
_P = ParamSpec("_P")
_R = TypeVar("_R")
# PostgreSQL's codes of a server that stops or starts, classes 08 (connection) and 57P (operator intervention), and of a
# transaction that was idle for too long.
_OUTAGE_CODES = ("08", "57P", "25P03")


def checked_url(storage: str) -> URL:
    """Return the URL of a database with the driver that we use.

    Raises: StudyError: it is no URL of PostgreSQL, or the driver is not installed.
    """
    try:
        url = make_url(storage)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise StudyError("--storage: must be a URL such as postgresql://user@host/database") from None
    if url.get_backend_name() != "postgresql":
        raise StudyError(
            f"--storage {shown(url)}: must be a URL of PostgreSQL, such as postgresql://user@host/database; without "
            "--storage, a study is kept in results/"
        )
    if find_spec(_DRIVER) is None:
        raise StudyError(f"--storage {shown(url)}: the driver of PostgreSQL is not installed; {INSTALL}")
    return url.set(drivername=f"postgresql+{_DRIVER}")


def shown(url: URL) -> str:
    """Return a URL as a user gave it, without its password."""
    return shown_url(url.set(drivername=url.get_backend_name()).render_as_string(hide_password=False))


def unusable(url: URL, error: Exception) -> StudyError:
    """Return the error of a database that cannot be used, with its reason and remedy."""
    return StudyError(
        f"--storage {shown(url)}: cannot be used ({reason(error)}); check host, database, user and password "
        "(PGPASSFILE or PGPASSWORD)"
    )


def reason(error: BaseException) -> str:
    """Return the database's own message of an error, in one line."""
    cause = _driver_error(error) or error
    return " ".join(str(cause).split())[:300]


def limit_idle_transactions(engine: Engine) -> None:
    """Let the server end a transaction of this process that is idle for long, so that nobody waits for its locks.

    PgBouncer refuses it as a start-up parameter, so that it is a statement.
    """

    def limit(connection: Any, _: ConnectionPoolEntry) -> None:
        connection.execute(f"SET idle_in_transaction_session_timeout = '{_IDLE_IN_TRANSACTION_S}s'")
        connection.commit()

    event.listen(engine, "connect", limit)


def ask_idle_connections(engine: Engine) -> None:
    """Let an engine ask a connection that has been idle whether it still works, and replace one that does not.

    `pool_pre_ping` asks before every transaction, of which a worker makes several at a time.
    """

    def note(_: object, record: ConnectionPoolEntry) -> None:
        record.info["idle_since"] = time.monotonic()

    def ask(connection: Any, record: ConnectionPoolEntry, _: object) -> None:
        if time.monotonic() - record.info.get("idle_since", math.inf) <= _IDLE_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error

    event.listen(engine, "checkin", note)
    event.listen(engine, "checkout", ask)


def is_outage(error: BaseException) -> bool:
    """Return True if an error says that the database could not be reached, or has just stopped."""
    cause = _driver_error(error)
    code = getattr(cause, "sqlstate", None)
    if code is not None:
        return bool(code.startswith(_OUTAGE_CODES))
    # A connection that could not be made in time, or was lost, has no code.
    return any(kind.__name__ == "OperationalError" for kind in type(cause).__mro__)


def surviving_outages(function: Callable[_P, _R], url: URL) -> Callable[_P, _R]:
    """Return the function, called again while the database cannot be reached, for up to OUTAGE_S.

    Raises: StudyError: it could not be reached for that long.
    """

    @functools.wraps(function)
    def call(*arguments: _P.args, **keywords: _P.kwargs) -> _R:
        began, n_failures = time.monotonic(), 0
        while True:
            try:
                return function(*arguments, **keywords)
            except Exception as error:
                if not is_outage(error):
                    raise
                if time.monotonic() - began > OUTAGE_S:
                    raise StudyError(
                        f"--storage {shown(url)}: could not be reached for {OUTAGE_S / 60:.0f} minutes "
                        f"({reason(error)}); every report is kept, and the same command goes on"
                    ) from error
            time.sleep(_PAUSES_S[min(n_failures, len(_PAUSES_S) - 1)])
            n_failures += 1

    return call


def _driver_error(error: BaseException) -> BaseException | None:
    """Return the driver's error that an error of SQLAlchemy or Optuna stands for; None if there is none."""
    cause: BaseException | None = error
    while cause is not None and not type(cause).__module__.startswith(_DRIVER):
        cause = getattr(cause, "orig", None) or cause.__cause__
    return cause
