"""Ray Tune's ASHA with Optuna's TPE, as a search: no Ray in it, its rules alone.

Source: ray/tune/schedulers/async_hyperband.py (AsyncHyperBandScheduler, one bracket, its default) and
ray/tune/search/optuna/optuna_search.py; Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning".
"""

import math

import numpy as np
from optuna.samplers import TPESampler

from benchmarks.search.optuna_search import Asked, Best
from benchmarks.search.protocol import Job, Space, Values
from benchmarks.search.table import N_EPOCHS

_GRACE_PERIOD = 1


class RayAsha:
    """A trial stops at a rung where its score is not among the best 1 / reduction_factor of those recorded there.

    The first at a rung always passes. A stopped trial is recorded as well, and told to the sampler as complete with
    its last score.
    """

    def __init__(self, space: Space, seed: int, reduction_factor: int) -> None:
        self._asked, self._best = Asked.new(space, TPESampler(seed=seed)), Best()
        self._factor = reduction_factor
        # The lowest first; each with what was recorded there, higher being better as in Ray.
        n_rungs = int(math.log(N_EPOCHS / _GRACE_PERIOD) / math.log(reduction_factor) + 1)
        self._rungs: dict[int, list[float]] = {_GRACE_PERIOD * reduction_factor**rung: [] for rung in range(n_rungs)}

    def next(self) -> Job | None:
        """A new trial, always."""
        return self._asked.ask()

    def begin_with(self, values: Values) -> None:
        """Train these values next."""
        self._asked.study.enqueue_trial(values)

    def report(self, job: Job, epoch: int, val_bpd: float) -> bool:
        """Stop at a rung below its cutoff."""
        self._asked.trials[job.key].report(val_bpd, epoch)
        stops = epoch in self._rungs and self._falls_short(self._rungs[epoch], -val_bpd)
        if epoch == N_EPOCHS:
            self._best.hear(job.values, val_bpd)
        if stops or epoch == N_EPOCHS:
            self._asked.complete(job, val_bpd)
        return stops

    def incumbent(self) -> Values | None:
        """The best full-length run's."""
        return self._best.values

    def _falls_short(self, recorded: list[float], reward: float) -> bool:
        """Decide, then record: a trial is not measured against itself."""
        cutoff = np.nanpercentile(recorded, (1 - 1 / self._factor) * 100) if recorded else -math.inf
        recorded.append(reward)
        return bool(reward < cutoff)
