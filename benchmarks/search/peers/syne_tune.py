"""Syne Tune's asynchronous successive halving, with a model of the scores at each rung (Salinas et al. 2022)."""

import datetime
import logging
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from syne_tune import config_space
from syne_tune.backend.trial_status import Trial
from syne_tune.optimizer.scheduler import SchedulerDecision
from syne_tune.optimizer.schedulers.asha import AsynchronousSuccessiveHalving

from benchmarks.search.optuna_search import Best
from benchmarks.search.peers import FIRST_RUNG, REDUCTION_FACTOR, plain
from benchmarks.search.protocol import Job, Space, Values
from benchmarks.search.table import N_EPOCHS
from hpo.config.hyperparameters import TUTORIAL

_SCORE, _EPOCH = "val_bpd", "epoch"
_NO_TIME = datetime.datetime(2026, 1, 1)


class SyneTune:
    """ASHA that stops trials, with one of the package's searchers: `bore`, or `kde` (BOHB's)."""

    def __init__(self, space: Space, seed: int, searcher: str) -> None:
        # It warns of arguments that its own classes pass on.
        logging.getLogger("syne_tune").setLevel(logging.ERROR)
        # BORE and the densities also draw from NumPy's common generator.
        np.random.seed(seed)
        self._space = {name: _domain(entry) for name, entry in space.items()}
        self._scheduler = AsynchronousSuccessiveHalving(
            self._space,
            metric=_SCORE,
            time_attr=_EPOCH,
            searcher=searcher,
            max_t=N_EPOCHS,
            grace_period=FIRST_RUNG,
            reduction_factor=REDUCTION_FACTOR,
            random_seed=seed,
            searcher_kwargs={"points_to_evaluate": [{name: getattr(TUTORIAL, name) for name in space}]},
        )
        self._trials: dict[int, Trial] = {}
        self._best = Best()

    def next(self) -> Job | None:
        """A new trial, always."""
        suggestion = self._scheduler.suggest()
        assert suggestion is not None and suggestion.config is not None
        key = len(self._trials)
        self._trials[key] = Trial(key, suggestion.config, _NO_TIME)
        self._scheduler.on_trial_add(self._trials[key])
        return Job(key, plain(suggestion.config))

    def report(self, job: Job, epoch: int, val_bpd: float) -> bool:
        """Stop where the scheduler does."""
        result = {_SCORE: val_bpd, _EPOCH: epoch}
        if epoch == N_EPOCHS:
            self._scheduler.on_trial_complete(self._trials[job.key], result)
            self._best.hear(job.values, val_bpd)
            return False
        stops: bool = self._scheduler.on_trial_result(self._trials[job.key], result) != SchedulerDecision.CONTINUE
        if stops:
            self._scheduler.on_trial_remove(self._trials[job.key])
        return stops

    def incumbent(self) -> Values | None:
        """The best full-length run's."""
        return self._best.values


def _domain(entry: BaseDistribution) -> Any:
    if isinstance(entry, CategoricalDistribution):
        return config_space.choice(list(entry.choices))
    assert isinstance(entry, FloatDistribution | IntDistribution)
    if isinstance(entry, IntDistribution):
        return (config_space.lograndint if entry.log else config_space.randint)(entry.low, entry.high)
    return (config_space.loguniform if entry.log else config_space.uniform)(entry.low, entry.high)
