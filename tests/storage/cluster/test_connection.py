"""Databases and object stores that cannot be used: one line, without a password."""

from pathlib import Path

import pytest

from hpo.config.call_arguments import Location
from hpo.storage.backend import backend_of
from hpo.storage.cluster.connection import checked_url, surviving_outages
from hpo.storage.cluster.objects.object_store import FilesError, Objects
from hpo.storage.database import StudyError
from hpo.storage.paths import StudyPaths
from model.errors import UserError


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ("nonsense", "must be a URL such as postgresql://"),
        ("postgresql://hpo:secret@host:port/x", "must be a URL such as postgresql://"),
        ("mysql://hpo:secret@host/x", "must be a URL of PostgreSQL"),
        ("postgresql://hpo:secret@127.0.0.1:1/x", "cannot be used (connection failed"),
        ("postgresql://hpo:secret@nowhere.invalid/x", "cannot be used (failed to resolve host"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_line(storage: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError) as error:
        backend_of(StudyPaths(tmp_path / "small", Location(storage, f"file://{tmp_path}/store")))
    text = str(error.value)
    assert message in text and "secret" not in text and "\n" not in text
    assert not list(tmp_path.iterdir()), "nothing is written"


@pytest.mark.parametrize("files", ["ftp://host/x", "file://[bad", "nonsense", "/a/folder"])
def test_files_that_cannot_be_used_are_one_line(files: str) -> None:
    with pytest.raises(UserError) as error:
        Objects(files).check()
        Objects(files).put("key", b"")
    assert str(error.value).startswith("--files ") and "\n" not in str(error.value)


def pass_time(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    """Let pauses pass at once."""
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr("time.sleep", lambda s: clock.__setitem__(0, clock[0] + s))


def test_a_call_waits_for_a_database_and_gives_up_after_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg

    clock = [0.0]
    pass_time(monkeypatch, clock)
    failures = [psycopg.OperationalError("gone"), psycopg.errors.ConnectionTimeout("expired")] * 3

    def answer() -> str:
        if failures:
            raise failures.pop()
        return "here"

    url = checked_url("postgresql://hpo:secret@host/x")
    assert surviving_outages(answer, url)() == "here" and clock[0] > 10

    def fail() -> None:
        raise psycopg.OperationalError("gone")

    with pytest.raises(StudyError, match=r"hpo:\*\*\*@host/x: could not be reached for 10 minutes \(gone\)"):
        surviving_outages(fail, url)()
    with pytest.raises(psycopg.errors.UniqueViolation):
        surviving_outages(lambda: (_ for _ in ()).throw(psycopg.errors.UniqueViolation("twice")), url)()


def test_an_object_store_is_waited_for_and_a_refusal_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    from obstore.exceptions import GenericError, PermissionDeniedError

    clock = [0.0]
    pass_time(monkeypatch, clock)
    failures: list[Exception] = [GenericError("503")] * 4

    class Store:
        def put(self, key: str, content: bytes) -> None:
            if failures:
                raise failures.pop()

    objects = Objects("s3://bucket/folder")
    monkeypatch.setitem(objects.__dict__, "_store", Store())
    objects.put("key", b"content")
    assert not failures and clock[0] > 10
    failures[:] = [GenericError("503")] * 1000
    with pytest.raises(FilesError, match=r"cannot be written \(503\)"):
        objects.put("key", b"content")
    assert 600 <= clock[0] < 700
    failures[:] = [PermissionDeniedError("no")]
    with pytest.raises(FilesError, match=r"cannot be written \(no\)"):
        objects.put("key", b"content")
    assert clock[0] < 700, "nobody waits for what is refused"
