"""The trials of a study as cards: a thumbnail each, full-size pictures of the best, links to the files of the rest."""

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import UnidentifiedImageError

from hpo.analysis.trial_table import TrialRow
from hpo.report.embedded_pictures import Picture, embedded, thumbnail
from hpo.storage.artifacts import artifact_names, trial_artifact_files
from hpo.storage.open_study import OpenStudy
from hpo.storage.paths import RunPaths

# Number of trials whose pictures are on the page at full size.
N_FULL_SIZE = 20
# More cards than this would take longer than all else on the page: each thumbnail takes 10 to 20 ms.
MAX_CARDS = 300
_BYTES_PER_CARD = 3000
_THUMBNAIL_SHARE = 0.6
_ORDER_OF_KINDS = {"finished": 0, "pruned": 1}


@dataclass(frozen=True)
class TrialCard:
    """A trial. `rank` orders by score: finished trials, then pruned ones, then the rest.

    `pictures` are (title, picture); `links` are (file name, address relative to the page) of files not on the page.
    """

    row: TrialRow
    rank: int
    thumbnail: Picture | None
    pictures: tuple[tuple[str, Picture], ...]
    links: tuple[tuple[str, str], ...]


@dataclass
class _ByteBudget:
    """Number of bytes of a page that may still be used."""

    n_left: float

    def take(self, picture: Picture) -> bool:
        """Subtract a picture's size; return False, and subtract nothing, if the picture is too large."""
        if picture.n_bytes > self.n_left:
            return False
        self.n_left -= picture.n_bytes
        return True


@dataclass
class _CardDraft:
    row: TrialRow
    files: dict[str, Path]
    thumbnail: Picture | None = None
    pictures: dict[str, Picture] = field(default_factory=dict)


def rank_trials(rows: Iterable[TrialRow]) -> list[TrialRow]:
    """Sort: finished trials by score, then pruned ones by the score of their last report, then all others."""
    return sorted(rows, key=lambda row: (_ORDER_OF_KINDS.get(row.kind, 2), _score(row), row.number))


def trial_cards(rows: Iterable[TrialRow], opened: OpenStudy, n_bytes: int) -> tuple[TrialCard, ...]:
    """Make cards in the order of their ranks, of at most `n_bytes` together; unreadable pictures are left out."""
    trials = opened.study.get_trials(deepcopy=False)
    shown = rank_trials(rows)[:MAX_CARDS]
    existing = artifact_names(opened.paths)
    drafts = [_CardDraft(row, trial_artifact_files(trials[row.number], opened.paths, existing)) for row in shown]
    budget = _ByteBudget(n_bytes - _BYTES_PER_CARD * len(drafts))
    thumbnail_budget = _ByteBudget(_THUMBNAIL_SHARE * budget.n_left)
    for draft in drafts:
        draft.thumbnail = _thumbnail(draft, thumbnail_budget)
        budget.n_left -= draft.thumbnail.n_bytes if draft.thumbnail else 0
    for draft in drafts[:N_FULL_SIZE]:
        draft.pictures = _pictures(draft, budget)
    return tuple(_card(draft, rank, opened.paths.report.parent) for rank, draft in enumerate(drafts))


def _score(row: TrialRow) -> float:
    return row.val_bpd if row.val_bpd is not None and math.isfinite(row.val_bpd) else math.inf


def _thumbnail(draft: _CardDraft, budget: _ByteBudget) -> Picture | None:
    path = draft.files.get(RunPaths(Path()).reconstructions.name)
    picture = _read_picture(path, small=True) if path else None
    return picture if picture and budget.take(picture) else None


def _pictures(draft: _CardDraft, budget: _ByteBudget) -> dict[str, Picture]:
    """Read still pictures by their file names; animations would be too heavy."""
    first = (RunPaths(Path()).reconstructions.name, RunPaths(Path()).samples.name)
    names = sorted((name for name in draft.files if name.endswith(".png")), key=lambda name: (name not in first, name))
    pictures = {name: _read_picture(draft.files[name]) for name in names}
    return {name: picture for name, picture in pictures.items() if picture and budget.take(picture)}


def _read_picture(path: Path, small: bool = False) -> Picture | None:
    try:
        return thumbnail(path) if small else embedded(path)
    except (UnidentifiedImageError, OSError):
        # Truncated by a kill, or not a picture: the card links to the file.
        return None


def _card(draft: _CardDraft, rank: int, page_folder: Path) -> TrialCard:
    return TrialCard(
        row=draft.row,
        rank=rank,
        thumbnail=draft.thumbnail,
        pictures=tuple((_title(name), picture) for name, picture in draft.pictures.items()),
        links=tuple(
            (name, Path(os.path.relpath(path, page_folder)).as_posix())
            for name, path in sorted(draft.files.items())
            if name not in draft.pictures
        ),
    )


def _title(file_name: str) -> str:
    return Path(file_name).stem.replace("_", " ").capitalize()
