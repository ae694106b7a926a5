"""An object store, or a folder that machines share, by its URL."""

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.config.call_arguments import shown_url
from hpo.storage.cluster.connection import INSTALL, OUTAGE_S
from hpo.storage.interface import StoredFile
from model.errors import UserError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_SCHEMES = ("file", "s3", "gs", "az")
_CLOCK = ".clock"
# Between two attempts, beside the store's own retries of some seconds.
_PAUSES_S = (1.0, 3.0, 10.0)
# A folder may vanish between its creation and a write into it, since empty ones are removed.
_FOLDER_S = 3.0


class FilesError(UserError):
    """The object store cannot be used."""


@dataclass(frozen=True)
class Objects:
    """The objects below a URL. Its address never shows user or password."""

    url: str

    @property
    def shown(self) -> str:
        """The URL without password and query."""
        return shown_url(self.url)

    def check(self) -> None:
        """Raise FilesError if the store cannot be read."""
        if self.url.partition("://")[0] not in _SCHEMES:
            raise FilesError(
                f"--files {self.shown}: must be a URL such as s3://bucket/folder, gs://bucket/folder, "
                "az://container/folder or file:///folder"
            )
        if find_spec("obstore") is None:
            raise FilesError(f"--files {self.shown}: the package obstore is not installed; {INSTALL}")
        # A folder is made by the first write into it.
        if not self._is_folder or Path(self.url.removeprefix("file://")).exists():
            self._files("checkpoints", None, wait_s=0)

    def put(self, key: str, content: bytes) -> None:
        """Write an object, all of it or none; an object of this key is replaced."""
        self._call("written", lambda store: store.put(key, content))

    def get(self, key: str) -> bytes | None:
        """Read an object; None if there is none of this key."""
        from obstore.exceptions import NotFoundError

        def read(store: Any) -> bytes | None:
            try:
                return bytes(store.get(key).bytes())
            except (NotFoundError, FileNotFoundError):
                return None

        content: bytes | None = self._call("read", read)
        return content

    def files(self, folder: str, now: datetime.datetime | None = None) -> list[StoredFile]:
        """Return the objects below a folder; a name is the part of the key after it.

        Their ages count from `now`, see `clock`; without it, from this machine's clock.
        """
        return self._files(folder, now, OUTAGE_S)

    def clock(self) -> datetime.datetime:
        """Return the time on the store's own clock, from which the objects' times are."""
        self.put(_CLOCK, b"")
        modified: datetime.datetime = self._call("read", lambda store: store.head(_CLOCK)["last_modified"])
        return modified

    def _files(self, folder: str, now: datetime.datetime | None, wait_s: float) -> list[StoredFile]:

        def found(store: Any) -> list[StoredFile]:
            at = now or datetime.datetime.now(datetime.UTC)
            return [
                StoredFile(
                    entry["path"].removeprefix(f"{folder}/"),
                    (at - entry["last_modified"]).total_seconds(),
                    entry["size"],
                )
                for entry in store.list(folder).collect()
            ]

        files: list[StoredFile] = self._call("listed", found, wait_s)
        return files

    def delete(self, keys: list[str]) -> None:
        """Delete objects; those that are gone are no error."""
        from obstore.exceptions import NotFoundError

        def remove(store: Any) -> None:
            for key in keys:
                try:
                    store.delete(key)
                except (NotFoundError, FileNotFoundError):
                    continue

        self._call("changed", remove)

    @property
    def _is_folder(self) -> bool:
        return self.url.startswith("file://")

    @cached_property
    def _store(self) -> "ObjectStore":
        from obstore.store import from_url

        retries: Any = {"max_retries": 8, "retry_timeout": datetime.timedelta(seconds=120)}
        if self._is_folder:
            # Folders of deleted checkpoints would be listed again and again.
            return from_url(self.url, mkdir=True, automatic_cleanup=True)
        return from_url(self.url, retry_config=retries)

    def _call(self, done: str, function: Callable[[Any], Any], wait_s: float = OUTAGE_S) -> Any:
        """Call a function of the store, again and again while it cannot be reached, for up to `wait_s`.

        Raises: FilesError: it could not be reached for that long, or refuses.
        """
        from obstore.exceptions import BaseError, GenericError

        # A folder that cannot be written is no outage: its disk is full, say.
        wait_s = min(wait_s, _FOLDER_S) if self._is_folder else wait_s
        began = time.monotonic()
        for pause_s in chain(_PAUSES_S, repeat(_PAUSES_S[-1])):
            try:
                return function(self._store)
            except (BaseError, OSError, ValueError) as error:
                if not isinstance(error, GenericError | OSError) or time.monotonic() - began >= wait_s:
                    reason = " ".join(str(error).partition("Debug source")[0].split())[:200]
                    raise FilesError(
                        f"--files {self.shown}: cannot be {done} ({reason}); check the URL, and credentials in the "
                        "environment"
                    ) from error
            time.sleep(pause_s)
        raise AssertionError("the pauses never end")
