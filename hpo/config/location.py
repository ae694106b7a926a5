"""Where a study is that several machines share: options and environment of a command, never a study's file."""

from dataclasses import dataclass

from hpo.config.study_file import ConfigError

STORAGE_VARIABLE, FILES_VARIABLE = "HPO_STORAGE", "HPO_FILES"


@dataclass(frozen=True)
class Location:
    """URLs of a PostgreSQL database (`storage`), and of an object store or shared folder (`files`)."""

    storage: str
    files: str


def location_of(storage: str | None, files: str | None) -> Location | None:
    """Return the location that both options name; None if neither does, for a study in `results/`.

    Raises: ConfigError: only one of them is given.
    """
    if storage and files:
        return Location(storage, files)
    if storage or files:
        missing, variable = ("--files", FILES_VARIABLE) if storage else ("--storage", STORAGE_VARIABLE)
        raise ConfigError(f"{missing} ({variable}): must be given, too: machines share a study's trials and its files")
    return None
