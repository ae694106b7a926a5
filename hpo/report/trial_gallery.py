"""The trials of a study as cards: a thumbnail each, full pictures of the best, links to the files of the rest."""

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import UnidentifiedImageError

from hpo.analysis.trial_table import TrialRow
from hpo.report.embedded_pictures import Picture, embedded, thumbnail
from hpo.storage.artifacts import files_of
from hpo.storage.open_study import OpenStudy
from hpo.storage.paths import RunPaths

# Trials whose pictures are on the page at full size.
N_FULL = 20
# Beyond so many a page would be heavy by its text alone.
MAX_CARDS = 1000
THUMBNAIL_WIDTH = 300
_BYTES_A_CARD = 3000
_SHARE_OF_THUMBNAILS = 0.6
_ORDER = {"finished": 0, "pruned": 1}


@dataclass(frozen=True)
class Card:
    """A trial. `rank` orders by score: finished trials, then pruned ones, then the rest.

    `pictures` are (title, picture); `links` are (title, address from the page) of files that are not on it.
    """

    row: TrialRow
    rank: int
    thumbnail: Picture | None
    pictures: tuple[tuple[str, Picture], ...]
    links: tuple[tuple[str, str], ...]


@dataclass
class _Purse:
    """How many bytes of a page may still be spent."""

    left: float

    def affords(self, picture: Picture) -> bool:
        """Pay for a picture, if there is enough left."""
        if picture.n_bytes > self.left:
            return False
        self.left -= picture.n_bytes
        return True


@dataclass
class _Draft:
    row: TrialRow
    files: dict[str, Path]
    thumbnail: Picture | None = None
    pictures: dict[str, Picture] = field(default_factory=dict)


def ranked(rows: Iterable[TrialRow]) -> list[TrialRow]:
    """Finished trials by score, then pruned ones by the score at their last report, then all others."""
    return sorted(rows, key=lambda row: (_ORDER.get(row.kind, 2), _score(row), row.number))


def gallery(rows: Iterable[TrialRow], at_hand: OpenStudy, n_bytes: int) -> tuple[Card, ...]:
    """Cards by rank, which together take `n_bytes` of a page at most. A picture that cannot be read is left out."""
    trials = at_hand.study.get_trials(deepcopy=False)
    shown = ranked(rows)[:MAX_CARDS]
    drafts = [_Draft(row, files_of(trials[row.number], at_hand.study, at_hand.paths)) for row in shown]
    purse = _Purse(n_bytes - _BYTES_A_CARD * len(drafts))
    thumbnails = _Purse(_SHARE_OF_THUMBNAILS * purse.left)
    for draft in drafts:
        draft.thumbnail = _thumbnail(draft, at_hand, thumbnails)
        purse.left -= draft.thumbnail.n_bytes if draft.thumbnail else 0
    for draft in drafts[:N_FULL]:
        draft.pictures = _pictures(draft, purse)
    return tuple(_card(draft, rank, at_hand.paths.report.parent) for rank, draft in enumerate(drafts))


def _score(row: TrialRow) -> float:
    known = row.val_bpd is not None and math.isfinite(row.val_bpd)
    return row.val_bpd if known and row.val_bpd is not None else math.inf


def _thumbnail(draft: _Draft, at_hand: OpenStudy, purse: _Purse) -> Picture | None:
    place = draft.files.get(RunPaths(at_hand.paths.folder).reconstructions.name)
    picture = _readable(place, small=True) if place else None
    return picture if picture and purse.affords(picture) else None


def _pictures(draft: _Draft, purse: _Purse) -> dict[str, Picture]:
    """Still pictures by their files' names; films would be too heavy."""
    first = (RunPaths(Path()).reconstructions.name, RunPaths(Path()).samples.name)
    names = sorted((name for name in draft.files if name.endswith(".png")), key=lambda name: (name not in first, name))
    read = {name: _readable(draft.files[name]) for name in names}
    return {name: picture for name, picture in read.items() if picture and purse.affords(picture)}


def _readable(place: Path, small: bool = False) -> Picture | None:
    try:
        return thumbnail(place, THUMBNAIL_WIDTH) if small else embedded(place)
    except (UnidentifiedImageError, OSError):
        # Torn by a kill, or no picture at all: whoever follows its link will see.
        return None


def _card(draft: _Draft, rank: int, folder: Path) -> Card:
    return Card(
        row=draft.row,
        rank=rank,
        thumbnail=draft.thumbnail,
        pictures=tuple((_title(name), picture) for name, picture in draft.pictures.items()),
        links=tuple(
            (name, Path(os.path.relpath(place, folder)).as_posix())
            for name, place in sorted(draft.files.items())
            if name not in draft.pictures
        ),
    )


def _title(file_name: str) -> str:
    return Path(file_name).stem.replace("_", " ").capitalize()
