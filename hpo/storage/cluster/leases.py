"""Leases on trials: which worker trains a trial, until when, and the token that each of its writes must show.

A lease lives LIFE_S on the database's clock, and its worker renews it. Whoever takes a lease that has expired, or was
let go of, draws a higher token; a write with an older one is refused in its own transaction.
"""

import os
import socket
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from threading import Event, Lock, Thread

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from hpo.storage.interface import Fenced, Loss

LIFE_S, RENEWAL_S = 30.0, 10.0
_PAUSE_S = 1.0
# No schema of Optuna's knows these tables; its own migrations leave them alone.
_CREATION = (
    """
    CREATE TABLE IF NOT EXISTS hpo_leases (
        trial_id integer PRIMARY KEY REFERENCES trials ON DELETE CASCADE,
        token bigint NOT NULL,
        worker text NOT NULL,
        expires timestamptz NOT NULL,
        let_go boolean NOT NULL DEFAULT false,
        loss text
    )
    """,
    "CREATE SEQUENCE IF NOT EXISTS hpo_tokens",
)
# Token, worker and end of a new lease.
NEW_LEASE = "nextval('hpo_tokens'), CAST(:worker AS text), clock_timestamp() + :life * interval '1 second'"
# Another worker may have taken it since it was found free.
_TAKEN_OVER = text(f"""
    INSERT INTO hpo_leases (trial_id, token, worker, expires) VALUES (:trial_id, {NEW_LEASE})
    ON CONFLICT (trial_id) DO UPDATE
    SET token = excluded.token, worker = excluded.worker, expires = excluded.expires, let_go = false, loss = NULL
    WHERE hpo_leases.let_go OR hpo_leases.expires < clock_timestamp()
    RETURNING token
""")
_FOUND = text("""
    SELECT let_go, loss, expires < clock_timestamp() AS has_expired FROM hpo_leases
    WHERE trial_id = :trial_id FOR UPDATE
""")
_STILL_RUNS = text("SELECT 1 FROM trials WHERE trial_id = :trial_id AND state = 'RUNNING' FOR SHARE")
_HELD = text("""
    SELECT trial_id FROM hpo_leases WHERE NOT let_go AND expires > clock_timestamp() AND trial_id = ANY(:trial_ids)
""")
_FREE = text("""
    SELECT trial_id FROM trials LEFT JOIN hpo_leases USING (trial_id)
    WHERE study_id = :study_id AND state = 'RUNNING'
    AND (hpo_leases.trial_id IS NULL OR let_go OR expires < clock_timestamp())
    ORDER BY trial_id
""")
_RENEWED = text("""
    UPDATE hpo_leases SET expires = clock_timestamp() + :life * interval '1 second'
    WHERE trial_id = :trial_id AND token = :token AND NOT let_go
""")
_SHOWN = text("SELECT 1 FROM hpo_leases WHERE trial_id = :trial_id AND token = :token AND NOT let_go FOR SHARE")
_RETURNED = text("DELETE FROM hpo_leases WHERE trial_id = :trial_id AND token = :token")
_LET_GO = text("UPDATE hpo_leases SET let_go = true, loss = :loss WHERE worker = ANY(:workers) AND NOT let_go")
_UPTIME = text("SELECT extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())")


def create_tables(connection: Connection) -> None:
    """Create the table of leases, and the sequence of their tokens, where they are missing."""
    for statement in _CREATION:
        connection.execute(text(statement))


def take_over(connection: Connection, trial_id: int) -> tuple[int, Loss | None] | None:
    """Take the lease of a running trial that no live worker holds; return its token and how that was lost.

    None if a live worker holds it, another has taken it meanwhile, or it has ended meanwhile.
    """
    if connection.execute(_STILL_RUNS, {"trial_id": trial_id}).first() is None:
        return None
    found = connection.execute(_FOUND, {"trial_id": trial_id}).one_or_none()
    if found is not None and not (found.let_go or found.has_expired):
        return None
    token = connection.execute(_TAKEN_OVER, holder() | {"trial_id": trial_id}).scalar_one_or_none()
    if token is None:
        return None
    loss: Loss | None = None if found is None else found.loss if found.let_go else "lost"
    return int(token), loss


def held(connection: Connection, trial_ids: Collection[int]) -> set[int]:
    """Return those of these trials whose leases live."""
    return set(connection.scalars(_HELD, {"trial_ids": list(trial_ids)}))


def free(connection: Connection, study_id: int) -> list[int]:
    """Return the ids of a study's running trials that no live worker holds."""
    return list(connection.scalars(_FREE, {"study_id": study_id}))


def show(connection: Connection, trial_id: int, token: int) -> None:
    """Ensure that nobody takes the trial over before the connection's transaction ends.

    Raises: Fenced: somebody has taken it over.
    """
    if connection.execute(_SHOWN, {"trial_id": trial_id, "token": token}).first() is None:
        raise Fenced(f"trial_id {trial_id} has another worker")


def let_go(connection: Connection, workers: Iterable[str], loss: Loss | None) -> None:
    """Let others take the trials of these workers at once, which have stopped, or ended as `loss` says."""
    connection.execute(_LET_GO, {"workers": list(workers), "loss": loss})


def worker_name(pid: int) -> str:
    """Return the name by which leases know a process of this machine."""
    return f"{socket.gethostname()}/{pid}"


def holder() -> dict[str, object]:
    """Return the values that NEW_LEASE has for a lease of this process."""
    return {"worker": worker_name(os.getpid()), "life": LIFE_S}


@dataclass
class LeaseKeeper:
    """The leases of this process, which a thread renews.

    `engine` must have no pool: a signal handler may let go of the leases while the main thread holds any lock.
    """

    engine: Engine
    _tokens: dict[int, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _thread: Thread | None = None
    _last_contact: float = field(default_factory=time.monotonic)
    _quiet_until: float = 0.0

    def token(self, trial_id: int) -> int | None:
        """Return the token of a lease of this process; None if it holds none on the trial."""
        return self._tokens.get(trial_id)

    def keep(self, trial_id: int, token: int) -> None:
        """Renew a lease from now on."""
        with self._lock:
            self._tokens[trial_id] = token
            if self._thread is None:
                self._thread = Thread(target=self._renew_forever, name="leases", daemon=True)
                self._thread.start()

    def drop(self, trial_id: int) -> None:
        """Give a lease back: the trial has ended, or may be resumed by anyone."""
        with self._lock:
            token = self._tokens.pop(trial_id, None)
        if token is not None:
            with self.engine.begin() as connection:
                connection.execute(_RETURNED, {"trial_id": trial_id, "token": token})

    def let_go(self, workers: Collection[str] = (), loss: Loss | None = None) -> None:
        """Let go of the leases of this process, or of workers that have ended."""
        with self.engine.begin() as connection:
            let_go(connection, workers or [worker_name(os.getpid())], loss)

    def may_take_over(self, connection: Connection) -> bool:
        """Return False for one life of a lease after an outage, during which no worker could renew its own."""
        self._note_contact()
        has_settled = connection.execute(_UPTIME).scalar_one() > LIFE_S
        return bool(has_settled and time.monotonic() >= self._quiet_until)

    def _note_contact(self) -> None:
        now = time.monotonic()
        if now - self._last_contact > LIFE_S:
            self._quiet_until = now + LIFE_S
        self._last_contact = now

    def _renew_forever(self) -> None:
        wait = Event().wait
        while True:
            wait(RENEWAL_S)
            while not self._renew():
                wait(_PAUSE_S)

    def _renew(self) -> bool:
        """Renew all leases; return False if the database could not be reached. A lease that is lost stays lost."""
        with self._lock:
            tokens = dict(self._tokens)
        try:
            with self.engine.begin() as connection:
                for trial_id, token in sorted(tokens.items()):
                    connection.execute(_RENEWED, {"trial_id": trial_id, "token": token, "life": LIFE_S})
        except SQLAlchemyError:
            return False
        self._note_contact()
        return True
