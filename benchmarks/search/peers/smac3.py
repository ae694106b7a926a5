"""SMAC3's multi-fidelity search: Hyperband with a random forest (Lindauer et al. 2022, JMLR 23)."""

import tempfile
from pathlib import Path
from typing import Any

from ConfigSpace import CategoricalHyperparameter, ConfigurationSpace, Float, Integer
from ConfigSpace import Configuration as SmacConfiguration
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from smac import MultiFidelityFacade, Scenario
from smac.runhistory import TrialInfo, TrialValue

from benchmarks.search.optuna_search import Best
from benchmarks.search.peers import FIRST_RUNG, REDUCTION_FACTOR, plain
from benchmarks.search.protocol import Job, Space, Values
from benchmarks.search.table import N_EPOCHS
from hpo.config.hyperparameters import TUTORIAL

# Random configurations after the tutorial's, as many as Optuna's TPE draws. By default SMAC3 draws ten for each
# hyperparameter, but at most a quarter of the trials.
_N_RANDOM = 10
# More than any search here has time for.
_MOST_TRIALS = 100_000


class Smac:
    """The facade's own intensifier and model. A configuration that is promoted goes on from where it was stopped."""

    def __init__(self, space: Space, seed: int) -> None:
        self._space = ConfigurationSpace({name: _hyperparameter(name, entry) for name, entry in space.items()}, seed)
        with tempfile.TemporaryDirectory() as folder:
            scenario = Scenario(
                self._space,
                output_directory=Path(folder),
                deterministic=True,
                n_trials=_MOST_TRIALS,
                min_budget=FIRST_RUNG,
                max_budget=N_EPOCHS,
                seed=seed,
            )
            tutorial = SmacConfiguration(self._space, {name: getattr(TUTORIAL, name) for name in space})
            # The design's own random ones would come before those that are given.
            first = [tutorial, *self._space.sample_configuration(_N_RANDOM)]
            design = MultiFidelityFacade.get_initial_design(scenario, n_configs=0, additional_configs=first)
            intensifier = MultiFidelityFacade.get_intensifier(scenario, eta=REDUCTION_FACTOR)
            self._facade = MultiFidelityFacade(
                scenario, _never_called, initial_design=design, intensifier=intensifier, logging_level=False
            )
        self._names = tuple(space)
        self._keys: dict[SmacConfiguration, int] = {}
        self._running: dict[int, TrialInfo] = {}
        self._best = Best()

    def next(self) -> Job | None:
        """The next configuration at the next budget, which SMAC names."""
        trial = self._facade.ask()
        key = self._keys.setdefault(trial.config, len(self._keys))
        self._running[key] = trial
        return Job(key, plain({name: trial.config[name] for name in self._names}))

    def report(self, job: Job, epoch: int, val_bpd: float) -> bool:
        """Stop at the budget."""
        trial = self._running[job.key]
        assert trial.budget is not None, "this facade has budgets"
        if epoch < round(trial.budget):
            return False
        self._facade.tell(self._running.pop(job.key), TrialValue(cost=val_bpd), save=False)
        if epoch == N_EPOCHS:
            self._best.hear(job.values, val_bpd)
        return True

    def incumbent(self) -> Values | None:
        """The best full-length run's."""
        return self._best.values


def _hyperparameter(name: str, entry: BaseDistribution) -> Any:
    if isinstance(entry, CategoricalDistribution):
        return CategoricalHyperparameter(name, list(entry.choices))
    assert isinstance(entry, FloatDistribution | IntDistribution)
    kind = Integer if isinstance(entry, IntDistribution) else Float
    return kind(name, (entry.low, entry.high), log=entry.log)


def _never_called(config: SmacConfiguration, seed: int = 0, budget: float = 0) -> float:
    raise AssertionError("trials are asked for and told")
