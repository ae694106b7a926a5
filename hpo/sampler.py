"""The search's sampler: TPE that suggests the same however a study is cut into calls."""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState


class PerTrialSeededSampler(optuna.samplers.BaseSampler):
    """TPE (Bergstra et al. 2011), seeded anew from (study seed, trial number) for every trial.

    A study then suggests the same whether its trials are run in one go or in several.
    """

    def __init__(self, seed: int, n_startup_trials: int) -> None:
        self._seed = seed
        self._n_startup_trials = n_startup_trials
        self._tpe = self._for_trial(0)

    def _for_trial(self, number: int, *more: int) -> optuna.samplers.TPESampler:
        seed = int(np.random.SeedSequence([self._seed, number, *more]).generate_state(1)[0])
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=self._n_startup_trials)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Seed for this trial, also for one that is taken up again; then as TPE does."""
        self._tpe = self._for_trial(trial.number)
        return self._tpe.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As TPE does."""
        return self._tpe.sample_relative(study, trial, search_space)

    def sample_independent(self, study: Study, trial: FrozenTrial, name: str, distribution: BaseDistribution) -> Any:
        """As TPE does, each value from a seed of its own: those that an interrupted trial has already are not asked."""
        sampler = self._for_trial(trial.number, zlib.crc32(name.encode()))
        return sampler.sample_independent(study, trial, name, distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """As TPE does."""
        self._tpe.after_trial(study, trial, state, values)
