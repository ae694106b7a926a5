"""Lists the image files of a folder, in an order that depends on their names alone, and what is left out and why."""

import os
import stat
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from model.data.image_file import decoder_of, readable_suffixes
from model.data.output_folders import is_output_folder
from model.errors import DataError
from model.printable import printable

_N_NAMED, _N_REASONS = 3, 8
Identity = tuple[int, int]
# Path of a folder, and the identities of all folders that hold its entries.
_Folder = tuple[Path, frozenset[Identity]]


@dataclass
class FolderListing:
    """Image files below `root`, sorted by name, and the paths that are left out, by reason."""

    root: Path
    images: list[Path] = field(default_factory=list)
    left_out: dict[str, list[Path]] = field(default_factory=dict)

    def leave_out(self, path: Path, reason: str) -> None:
        """Record a path that is not read."""
        self.left_out.setdefault(reason, []).append(path)

    def class_of(self, image: Path) -> str:
        """Return the name of the subfolder of the first level that holds the image; `images` without subfolders."""
        parts = image.relative_to(self.root).parts
        return _normalized(parts[0]) if len(parts) > 1 else "images"

    def describe_left_out(self) -> str:
        """Return what was left out, most frequent reasons first: `left out: 2 hidden (.a.png, .b.png)`."""
        if not self.left_out:
            return "nothing left out"
        by_count = sorted(self.left_out.items(), key=lambda entry: (-len(entry[1]), entry[0]))
        parts = [self._described(reason, paths) for reason, paths in by_count[:_N_REASONS]]
        if n_more := sum(len(paths) for _, paths in by_count[_N_REASONS:]):
            parts.append(f"{n_more} of other types")
        return f"left out: {', '.join(parts)}"

    def _described(self, reason: str, paths: list[Path]) -> str:
        names = [printable(path.relative_to(self.root)) for path in in_order(self.root, paths)[:_N_NAMED]]
        more = f" and {len(paths) - _N_NAMED} more" if len(paths) > _N_NAMED else ""
        package = decoder_of(reason)
        remedy = f"; install {package} to read them" if package else ""
        return f"{len(paths)} {reason} ({', '.join(names)}{more}{remedy})"


def list_images(root: Path) -> FolderListing:
    """List a folder's images. Links to files and folders are followed; each folder is read once.

    Folders themselves come before links to them, so that a link to a folder of the same tree adds nothing.

    Raises: DataError: the folder cannot be listed.
    """
    listing = FolderListing(root)
    start = root.resolve()
    chain = frozenset(map(_identity, (start, *start.parents)))
    seen = {_identity(start)}
    folders: list[_Folder] = [(root, chain)]
    links: list[_Folder] = []
    while folders or links:
        if not folders:
            links.sort(key=lambda entry: _order(root, entry[0]), reverse=True)
            folders = _followed(links.pop(), seen, listing)
            continue
        folder, chain = folders.pop()
        for entry in _entries(folder, listing):
            path = folder / entry.name
            if not entry.is_dir():
                _take_or_leave(path, listing)
            elif entry.name.startswith("."):
                listing.leave_out(path, "hidden")
            elif is_output_folder(path):
                listing.leave_out(path, "with results of this program")
            elif entry.is_symlink():
                links.append((path, chain))
            else:
                folders += _unseen((path, chain), seen, listing)
    listing.images = in_order(root, listing.images)
    return listing


def in_order(root: Path, paths: Iterable[Path]) -> list[Path]:
    """Sort paths below `root` by the parts of their names in Unicode's composed form, whatever a file system stores."""
    return sorted(paths, key=lambda path: _order(root, path))


def _order(root: Path, path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    parts = path.relative_to(root).parts
    return tuple(map(_normalized, parts)), parts


def _normalized(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _identity(folder: Path) -> Identity:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _entries(folder: Path, listing: FolderListing) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        if folder == listing.root:
            raise DataError(f"{printable(folder)}: cannot be listed ({error.strerror})") from None
        listing.leave_out(folder, "folders that cannot be listed")
        return []


def _take_or_leave(path: Path, listing: FolderListing) -> None:
    suffix = path.suffix.lower()
    try:
        is_regular = stat.S_ISREG(path.stat().st_mode)
    except OSError:
        listing.leave_out(path, "broken links")
        return
    if path.name.startswith("."):
        listing.leave_out(path, "hidden")
    elif not is_regular:
        listing.leave_out(path, "neither files nor folders")
    elif suffix in readable_suffixes():
        listing.images.append(path)
    else:
        listing.leave_out(path, printable(suffix)[:12] or "without a suffix")


def _unseen(folder: _Folder, seen: set[Identity], listing: FolderListing) -> list[_Folder]:
    """Return the folder, with itself among the folders that hold its entries, unless it is read by another path."""
    path, chain = folder
    identity = _identity(path)
    if identity in seen or identity in chain:
        listing.leave_out(path, f"folders that {'hold themselves' if identity in chain else 'are read already'}")
        return []
    seen.add(identity)
    return [(path, chain | {identity})]


def _followed(link: _Folder, seen: set[Identity], listing: FolderListing) -> list[_Folder]:
    """Return the folder behind a link, unless it is read by another path or holds the link."""
    parents = frozenset(map(_identity, link[0].resolve().parents))
    return [(path, chain | parents) for path, chain in _unseen(link, seen, listing)]
