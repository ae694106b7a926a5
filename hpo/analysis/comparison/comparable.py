"""Groups of studies whose scores compare, and notes for the reader of a comparison."""

from collections.abc import Sequence
from itertools import groupby
from math import inf

from hpo.analysis.comparison.compared_study import ComparedStudy
from hpo.analysis.formatting import counted
from hpo.analysis.results import NEAR_BPD

Group = tuple[ComparedStudy, ...]


def groups_of(studies: Sequence[ComparedStudy]) -> tuple[Group, ...]:
    """Split studies into groups whose scores compare, those of one set of images; each with its lowest score first.

    A score depends on the images and their splits alone: model, length and search may differ.
    """
    keys = list(dict.fromkeys(map(_images_key, studies)))
    grouped = groupby(sorted(studies, key=lambda study: keys.index(_images_key(study))), _images_key)
    return tuple(tuple(sorted(group, key=_rank)) for _, group in grouped)


def winner(group: Group) -> ComparedStudy | None:
    """Return the study of the lowest score of a group; None unless two have a score."""
    return group[0] if sum(study.score is not None for study in group) > 1 else None


def notes_on(studies: Sequence[ComparedStudy]) -> list[str]:
    """Return sentences on what keeps the studies from being compared, or is open yet."""
    groups = groups_of(studies)
    notes = [_not_comparable(groups)] if len(groups) > 1 else []
    for group in groups:
        notes += [_near(group), _lengths(group)]
    return [note for note in notes if note] + [note for study in studies for note in _notes_on_study(study)]


def _images_key(study: ComparedStudy) -> tuple[object, ...]:
    return study.images.source, study.digest, study.images.image_shape


def _rank(study: ComparedStudy) -> float:
    return inf if study.score is None else study.score


def _not_comparable(groups: Sequence[Group]) -> str:
    parts = [f"{', '.join(study.name for study in group)} ({group[0].images_name})" for group in groups]
    return f"Scores do not compare, since the images differ, and are not ranked together: {'; '.join(parts)}"


def _near(group: Group) -> str:
    first = winner(group)
    near = [study.name for study in group if first and abs(_rank(study) - _rank(first)) <= NEAR_BPD]
    if len(near) < 2:
        return ""
    return f"The best of {' and '.join(near)} differ by at most {NEAR_BPD:g} bits per dimension, which may be luck"


def _lengths(group: Group) -> str:
    lengths = {study.name: study.config.training.n_epochs for study in group}
    if len(set(lengths.values())) == 1:
        return ""
    listed = ", ".join(f"{name} {n}" for name, n in lengths.items())
    return f"Trials differ in length ({listed} epochs): longer ones score lower with the same values"


def _notes_on_study(study: ComparedStudy) -> list[str]:
    notes = []
    if study.best is None:
        notes.append(f"In study {study.name}, no trial has finished yet")
    if study.n_running:
        is_open = "is running or was interrupted" if study.n_running == 1 else "are running or were interrupted"
        notes.append(f"In study {study.name}, {counted(study.n_running, 'trial')} {is_open}: the best may change")
    if len(study.config.objectives) > 1:
        objectives = " and ".join(study.config.objectives)
        notes.append(f"Study {study.name} has the objectives {objectives}, and is compared by val_bpd alone")
    return notes
