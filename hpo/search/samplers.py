"""The search's sampler: one of Optuna's, shown a study's configurations in place of its trials.

A configuration that was paused and continued is several trials of the same values, and one that is confirmed even
more; a sampler that took each for a sample of its own would be drawn to what it knows already.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from hpo.config.schema import StudyConfig
from hpo.config.search_space import distributions
from hpo.search.configurations import Configuration, as_single_trial, configurations
from hpo.search.learning_curve_sampler import LearningCurveSampler
from hpo.search.warm_start import warm_start_of
from model.config import TrainConfig

MAX_STARTUP_TRIALS = 10


class ConfigurationSampler(BaseSampler):
    """Seeded anew from (study seed, trial number) for every trial.

    A study then suggests the same whether its trials are run in one go or in several.
    """

    def __init__(
        self,
        name: str,
        space: dict[str, BaseDistribution],
        seed: int,
        n_startup_trials: int,
        n_reports: int,
        known: Sequence[FrozenTrial] = (),
    ) -> None:
        """`n_reports` of a whole training; `known` are trials of another study that compare with this one's."""
        self._name = name
        self._space = space
        self._seed = seed
        self._n_startup_trials = n_startup_trials
        self._known = known
        elsewhere = [Configuration([trial]) for trial in known]
        self._curves = (
            LearningCurveSampler(space, n_reports, n_startup_trials, seed, elsewhere) if name == "curves" else None
        )

    def expected_ends(self, known: Sequence[Configuration]) -> dict[int, float]:
        """val_bpd that configurations are expected to end with, by their numbers; none but with `curves`."""
        return self._curves.expected_ends(known) if self._curves else {}

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All that is searched, but for a trial whose values are given."""
        return {} if self._space.keys() <= trial.system_attrs.get("fixed_params", {}).keys() else self._space

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the sampler does for the configurations that the study has beside this trial."""
        if not search_space:
            return {}
        others = [other for other in study.get_trials(deepcopy=False) if other.number != trial.number]
        if self._curves:
            return self._curves.propose(configurations(others), trial.number)
        view = optuna.create_study(directions=study.directions, sampler=self._sampler(trial.number))
        ours = [as_single_trial(one) for one in configurations(others) if one.params.keys() == search_space.keys()]
        every = [*self._known, *ours]
        if len(study.directions) > 1:
            for one in every:
                # By these TPE ranks pruned trials, which another program may have left, and fails with two objectives.
                one.intermediate_values = {}
        view.add_trials(every)
        return view.ask(search_space).params

    def sample_independent(self, study: Study, trial: FrozenTrial, name: str, distribution: BaseDistribution) -> Any:
        """At random what is not in the space."""
        return self._random(trial.number).sample_independent(study, trial, name, distribution)

    def _sampler(self, number: int) -> BaseSampler:
        if self._name == "random":
            return self._random(number)
        if self._name == "gp":
            n_startup_trials = self._n_startup_trials
            return GPSampler(seed=self._seed_of(number), n_startup_trials=n_startup_trials)
        return TPESampler(seed=self._seed_of(number), n_startup_trials=self._n_startup_trials)

    def _random(self, number: int) -> RandomSampler:
        return RandomSampler(seed=self._seed_of(number))

    def _seed_of(self, number: int) -> int:
        return int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])


def make_sampler(study: Study, config: StudyConfig) -> ConfigurationSampler:
    """The sampler as configured, which knows what the study was given of another one."""
    space, training = distributions(config.hyperparameters), config.training
    given = warm_start_of(study)
    return ConfigurationSampler(
        config.sampler.name,
        space,
        config.seed,
        study.user_attrs["startup_trials"],
        TrainConfig(epochs=training.epochs, report_every=training.report_every).n_reports,
        given.trials(space) if given else (),
    )


def startup_trials(affordable_trials: float) -> int:
    """How many trials are sampled at random before TPE is trusted: a third of the affordable ones, ten at most.

    The first trial always counts as one: there is nothing before it to be guided by.
    """
    return max(1, min(MAX_STARTUP_TRIALS, int(affordable_trials // 3)))
