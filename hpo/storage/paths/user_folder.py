"""Folders that a user names in an option."""

import os
from pathlib import Path

from hpo.config.study_file import ConfigError


def expanded(path: Path) -> Path:
    """Replace a leading `~` with the home folder; a shell leaves the `~` of VARIABLE=~/folder as it is."""
    return Path(os.path.expanduser(path))


def results_folder(option: str, path: Path) -> Path:
    """Return the folder that results are written to, with `~` expanded.

    An earlier folder of this name is renamed, so it must be neither the current folder nor one that contains it.

    Raises: ConfigError: it cannot be that folder.
    """
    folder = expanded(path)
    if str(folder).startswith("~"):
        raise ConfigError(f"{option}: must name a folder, but there is no such user, got {path}")
    if Path.cwd().is_relative_to(folder.resolve()):
        raise ConfigError(f"{option}: must not contain the current folder, got {path}")
    check_is_no_file(option, folder)
    return folder


def check_is_no_file(option: str, folder: Path) -> None:
    """Raise ConfigError if the path, or a part of it, is a file."""
    for part in (folder, *folder.parents):
        if part.is_file():
            raise ConfigError(f"{option}: must be a folder, but {part} is a file")
