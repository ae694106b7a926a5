"""Which trial is the best, and by what: as figures, tables and texts tell it."""

from dataclasses import dataclass
from statistics import mean


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
