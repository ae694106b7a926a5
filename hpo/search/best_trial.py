"""Which trial is the best, and by what: as figures, tables and texts tell it."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean

from optuna.study import Study
from optuna.trial import FrozenTrial

from hpo.search.configurations import Configuration, configurations_of


@dataclass(frozen=True)
class Best:
    """A finished trial and its own val_bpd; `confirmed` are those with new seeds, by whose mean it was chosen."""

    number: int
    val_bpd: float
    confirmed: tuple[float, ...] = ()

    @property
    def score(self) -> float:
        """What it was chosen by, in bits per dimension."""
        return mean(self.confirmed) if self.confirmed else self.val_bpd

    @property
    def label(self) -> str:
        """For whatever marks it."""
        if not self.confirmed:
            return f"best: trial {self.number}"
        n_seeds = len(self.confirmed)
        return f"best by {f'the mean of {n_seeds} new seeds' if n_seeds > 1 else 'a new seed'}: trial {self.number}"


def best_of(known: Iterable[Configuration]) -> Best | None:
    """The chosen one as its last trial, which has come to its end."""
    one = best_configuration(known)
    return Best(one.last.number, one.value, one.confirmed) if one and one.value is not None else None


def best_configuration(known: Iterable[Configuration]) -> Configuration | None:
    """The best by the mean over new seeds, of those confirmed by as many as any; where none is, the best finished one.

    None where none has finished.
    """
    finished = [one for one in known if one.value is not None]
    n_seeds = max((len(one.confirmed) for one in finished), default=0)
    scored = [(mean(one.confirmed or [one.value or 0.0]), one.number, one) for one in finished]
    return min((score for score in scored if len(score[2].confirmed) == n_seeds), default=(0, 0, None))[2]


def best_trial(study: Study) -> FrozenTrial | None:
    """The last trial of the chosen configuration, which has come to its end; None where none has."""
    best = best_configuration(configurations_of(study))
    return best.last if best else None
