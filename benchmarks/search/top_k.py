"""One epoch of many, then the best in full: what a ranking by the first epoch is worth."""

from optuna.samplers import RandomSampler

from benchmarks.search.optuna_search import Asked, Best
from benchmarks.search.protocol import Job, Space, Values
from benchmarks.search.table import N_EPOCHS


class OneEpochTopK:
    """Rounds of `n` random configurations for one epoch each, of which the best `k` go on from there to the end."""

    def __init__(self, space: Space, seed: int, n: int, k: int) -> None:
        self._n, self._k = n, k
        self._asked, self._best = Asked.new(space, RandomSampler(seed)), Best()
        self._n_asked = 0
        self._first: list[tuple[float, Job]] = []
        self._promoted: list[Job] = []

    def next(self) -> Job | None:
        """One to go on with; else a new one of the round; else None until the round's first epochs are all known."""
        if self._promoted:
            return self._promoted.pop(0)
        if self._n_asked == self._n:
            return None
        self._n_asked += 1
        return self._asked.ask()

    def begin_with(self, values: Values) -> None:
        """Train these values next."""
        self._asked.study.enqueue_trial(values)

    def report(self, job: Job, epoch: int, val_bpd: float) -> bool:
        """Pause after the first epoch; the round's last such report decides who goes on."""
        self._asked.trials[job.key].report(val_bpd, epoch)
        if epoch == 1:
            self._first.append((val_bpd, job))
            if len(self._first) == self._n:
                self._promote()
            return True
        if epoch == N_EPOCHS:
            self._asked.complete(job, val_bpd)
            self._best.hear(job.values, val_bpd)
        return False

    def incumbent(self) -> Values | None:
        """The best full-length run's."""
        return self._best.values

    def _promote(self) -> None:
        ranked = [job for _, job in sorted(self._first, key=lambda pair: pair[0])]
        self._promoted = ranked[: self._k]
        for job in ranked[self._k :]:
            self._asked.prune(job)
        # The next round begins while these run: no worker waits for them.
        self._n_asked, self._first = 0, []
