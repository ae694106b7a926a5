"""Text for pages that are sent to others: no absolute path, since it names folders and users of this machine."""

import os
import re
from pathlib import Path

# Stands for a folder of images outside of the project's folder.
PATH_OF_IMAGES = "path/to/images"
_PATH = re.compile(
    r"""(?P<quote>['"])(?:file:/*)?/[^'"]*(?P=quote)"""  # In quotes it may contain spaces.
    r"""|(?:file:/*|(?<![\w./:]))/[^\s'":;,()\[\]<>]+"""
)


def shareable_path(path: Path | str, otherwise: str) -> str:
    """Return a path relative to the working folder, or `otherwise` for one that lies outside of it."""
    absolute, here = os.path.abspath(os.path.expanduser(path)), os.getcwd()
    is_inside = os.path.commonpath([absolute, here]) == here
    return Path(os.path.relpath(absolute, here)).as_posix() if is_inside else otherwise


def without_paths(text: str) -> str:
    """Replace the absolute paths in a message, such as that of an error, by an ellipsis."""
    return _PATH.sub("…", text)
