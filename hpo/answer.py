"""What a study found, what that is to be held against, and what it cost: for the terminal and the page alike."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optuna.study import Study

from hpo.config import StudyConfig
from hpo.configurations import chosen, configurations_of
from hpo.search_space import at_edge, searched, tutorial_values
from hpo.trial_table import TrialRow, trial_rows

# Trials so near to the best, in bits per dimension, might as well have won.
NEAR_BPD = 0.01


@dataclass(frozen=True)
class Answer:
    """The best finished trial: of lowest val_bpd or, where some are confirmed, of the lowest mean over new seeds.

    `confirmed` are its scores with new seeds; `luckier` is a trial that scored lower itself, which new seeds have not
    confirmed. `near`
    are the scores of all finished trials within NEAR_BPD of it, ascending, its own among them; `runner_up` is the best
    other score; `first` is the study's first trial, which had the tutorial's values of all that is searched where
    `first_is_tutorial`; `ppca_bpd` is the yardstick of the best trial's latent dimension, where known; `at_edge`
    names its values that lie at the end of their range.
    """

    best: TrialRow
    best_bpd: float
    n_finished: int
    near: tuple[float, ...]
    runner_up: float | None
    first: TrialRow
    first_is_tutorial: bool
    ppca_bpd: float | None
    at_edge: tuple[str, ...]
    confirmed: tuple[float, ...]
    luckier: TrialRow | None

    @property
    def first_is_best(self) -> bool:
        """Whether nothing sampled since has beaten the first trial."""
        return self.first.number == self.best.number

    @property
    def ahead_of_first(self) -> float | None:
        """By how much the best beats the first trial; None where that is the best itself, or did not finish."""
        if self.first_is_best or self.first.kind != "finished" or self.first.val_bpd is None:
            return None
        return self.first.val_bpd - self.best_bpd


@dataclass(frozen=True)
class Cost:
    """What a study's trials took. Those under way count towards epochs alone.

    `elapsed_s` adds up the trials', trained side by side or not; `images_per_second` is the median trial's;
    `seconds_per_epoch` includes scoring. Both are None where no trial has told. What was saved is told of the search,
    without trials that confirm.
    """

    n_ended: int
    n_continued: int
    n_confirmations: int
    n_finished: int
    n_pruned: int
    n_faulty: int
    n_under_way: int
    epochs_trained: float
    epochs_saved: float
    saved_share: float
    elapsed_s: float
    images_per_second: float | None
    seconds_per_epoch: float | None


def find_answer(study: Study, config: StudyConfig, ppca_bpd: Mapping[int, float]) -> Answer | None:
    """The best of a study's trials, or None where none has finished."""
    rows, best_one = trial_rows(study, config), chosen(configurations_of(study))
    scores = {row.number: row.val_bpd for row in rows if row.kind == "finished" and row.val_bpd is not None}
    if best_one is None:
        return None
    lowest, _ = min(scores.items(), key=lambda score: (score[1], score[0]))
    number = best_one.last.number
    best_bpd, ascending = scores[number], sorted(scores.values())
    by_number = {row.number: row for row in rows}
    best = by_number[number]
    spaces = searched(config.hyperparameters)
    return Answer(
        best=best,
        best_bpd=best_bpd,
        n_finished=len(scores),
        near=tuple(score for score in ascending if abs(score - best_bpd) <= NEAR_BPD),
        runner_up=min((score for other, score in scores.items() if other != number), default=None),
        first=_first(rows),
        first_is_tutorial=tutorial_values(config.hyperparameters).keys() == spaces.keys(),
        ppca_bpd=ppca_bpd.get(int(best.values["latent_dim"])),
        at_edge=tuple(name for name, entry in spaces.items() if at_edge(entry, best.values[name])),
        confirmed=best_one.confirmed,
        luckier=by_number[lowest] if lowest != number else None,
    )


def _first(rows: Sequence[TrialRow]) -> TrialRow:
    """The study's first trial, or the one that has gone on with it."""
    first = rows[0]
    for row in rows:
        if row.continues == first.number:
            first = row
    return first


def count_cost(rows: Sequence[TrialRow], n_epochs: int) -> Cost:
    """Add up what the trials took; `n_epochs` is the length of a whole one."""
    ended = [row for row in rows if row.kind != "running"]
    pruned = [row for row in ended if row.kind == "pruned"]
    n_finished, n_continued = (sum(row.kind == kind for row in ended) for kind in ("finished", "continued"))
    n_confirmations = sum(row.confirms is not None for row in ended)
    n_faulty = len(ended) - n_finished - len(pruned) - n_continued - n_confirmations
    n_searched = len(ended) - n_continued - n_confirmations
    saved = sum(n_epochs - row.epoch for row in pruned)
    timed = [row for row in ended if row.own_elapsed_s is not None]
    elapsed_s = sum(row.own_elapsed_s or 0.0 for row in timed)
    timed_epochs = sum(row.own_epochs for row in timed)
    speeds = [row.images_per_second for row in ended if row.images_per_second is not None]
    return Cost(
        n_ended=len(ended),
        n_continued=n_continued,
        n_confirmations=n_confirmations,
        n_finished=n_finished,
        n_pruned=len(pruned),
        n_faulty=n_faulty,
        n_under_way=len(rows) - len(ended),
        epochs_trained=sum(row.own_epochs for row in rows),
        epochs_saved=saved,
        saved_share=saved / (n_epochs * n_searched) if n_searched else 0.0,
        elapsed_s=elapsed_s,
        images_per_second=statistics.median(speeds) if speeds else None,
        seconds_per_epoch=elapsed_s / timed_epochs if timed_epochs else None,
    )
