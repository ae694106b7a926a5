"""Samplers of a study: each sees a study's configurations in place of its trials.

A configuration that was paused, continued and confirmed is several trials of the same values. A sampler that saw each
of them as an independent sample would be drawn to values that it has already tried.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from hpo.config.schema import StudyConfig
from hpo.config.search_space import distributions
from hpo.optuna_logging import in_memory_study
from hpo.search.best_trial import Prediction
from hpo.search.configurations import Configuration, as_single_trial, group_trials
from hpo.search.learning_curves.shared_fits import SharedFits
from hpo.search.learning_curves.wider_ranges import WiderRange
from hpo.search.warm_start import warm_start_of

if TYPE_CHECKING:
    from hpo.search.learning_curve_sampler import LearningCurveSampler

MAX_STARTUP_TRIALS = 10


class ConfigurationSampler(BaseSampler):
    """Sampler by name: curves, tpe, gp or random.

    Its seed for each trial follows from (study seed, trial number), so that a study suggests the same values whether
    its trials run in one call or in several.
    """

    def __init__(
        self,
        name: str,
        space: dict[str, BaseDistribution],
        seed: int,
        n_startup_trials: int,
        n_reports: int,
        other_trials: Sequence[FrozenTrial] = (),
        shared_fits: SharedFits | None = None,
    ) -> None:
        """Create a sampler.

        Args:
            name: curves, tpe, gp or random.
            space: searched hyperparameters.
            seed: of the study.
            n_startup_trials: trials that are sampled at random, or evenly, before the sampler is guided by scores.
            n_reports: report points of a full training.
            other_trials: trials of another study whose scores compare with this one's.
            shared_fits: where processes share what one of them has fitted.
        """
        self._name = name
        self._space = space
        self._seed = seed
        self._n_startup_trials = n_startup_trials
        self._other_trials = other_trials
        self._n_reports = n_reports
        self._shared_fits = shared_fits

    @cached_property
    def _curves(self) -> "LearningCurveSampler":
        # Imported late: `status` of a study without scores needs no SciPy.
        from hpo.search.learning_curve_sampler import LearningCurveSampler

        other_configurations = [Configuration([trial]) for trial in self._other_trials]
        arguments = self._n_reports, self._n_startup_trials, self._seed, other_configurations, self._shared_fits
        return LearningCurveSampler(self._space, *arguments)

    def predict_final_scores(self, configurations: Sequence[Configuration]) -> dict[int, float]:
        """Predict val_bpd at the end of training, by the configurations' numbers; empty except for `curves`."""
        if self._name != "curves" or not any(configuration.scores for configuration in configurations):
            return {}
        return self._curves.predict_final_scores(configurations)

    def predict_scores_at(self, configurations: Sequence[Configuration], share: float) -> dict[int, Prediction]:
        """Predict val_bpd after `share` times the length of a training, by number; empty except for `curves`."""
        return self._curves.predict_scores_at(configurations, share) if self._name == "curves" else {}

    def predict_gain(self, configurations: Sequence[Configuration], n_new: int) -> float | None:
        """Predict by how much `n_new` further configurations lower the best finished score, in bits per dimension.

        Returns: None except for `curves`, and before a configuration has finished.
        """
        if self._name != "curves" or all(configuration.value is None for configuration in configurations):
            return None
        return self._curves.predict_gain(configurations, n_new)

    def predict_wider(self, configurations: Sequence[Configuration], n_new: int) -> list[WiderRange]:
        """Predict what `n_new` configurations beyond each end of each range bring, in bits per dimension.

        Returns: nothing except for `curves`, and before a configuration has finished.
        """
        if self._name != "curves" or all(configuration.value is None for configuration in configurations):
            return []
        return self._curves.predict_wider(configurations, n_new)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the whole search space; an empty one for a trial whose values are given."""
        return {} if self._space.keys() <= trial.system_attrs.get("fixed_params", {}).keys() else self._space

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Sample values as the sampler does given the study's configurations, without this trial.

        Where `curves` expects nothing new, TPE takes its place.
        """
        if not search_space:
            return {}
        if self._name == "random":
            # It needs no trials, of which the copies below take 0.06 s at a thousand.
            return in_memory_study(sampler=self._random(trial.number)).ask(search_space).params
        others = [other for other in study.get_trials(deepcopy=False) if other.number != trial.number]
        if self._name == "curves" and (values := self._curves.propose(group_trials(others), trial.number)) is not None:
            return values
        view = in_memory_study(directions=study.directions, sampler=self._sampler(trial.number))
        own_trials = [
            as_single_trial(configuration)
            for configuration in group_trials(others)
            if configuration.params.keys() == search_space.keys()
        ]
        samples = [*self._other_trials, *own_trials]
        if len(study.directions) > 1:
            for sample in samples:
                # TPE ranks pruned trials, which another program may have left, by these, and fails with two objectives.
                sample.intermediate_values = {}
        view.add_trials(samples)
        return view.ask(search_space).params

    def sample_independent(self, study: Study, trial: FrozenTrial, name: str, distribution: BaseDistribution) -> Any:
        """Sample at random a parameter that is not in the search space."""
        return self._random(trial.number).sample_independent(study, trial, name, distribution)

    def _sampler(self, number: int) -> BaseSampler:
        if self._name == "random":
            return self._random(number)
        if self._name == "gp":
            return GPSampler(seed=self._seed_of(number), n_startup_trials=self._n_startup_trials)
        return TPESampler(seed=self._seed_of(number), n_startup_trials=self._n_startup_trials)

    def _random(self, number: int) -> RandomSampler:
        return RandomSampler(seed=self._seed_of(number))

    def _seed_of(self, number: int) -> int:
        return int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])


def make_sampler(study: Study, config: StudyConfig, shared_fits: SharedFits | None = None) -> ConfigurationSampler:
    """Create the sampler that a study's file names, with the trials of another study that it was created with."""
    space = distributions(config.hyperparameters)
    warm_start = warm_start_of(study)
    return ConfigurationSampler(
        config.sampler.name,
        space,
        config.seed,
        study.user_attrs["startup_trials"],
        config.training.n_reports,
        warm_start.trials(space) if warm_start else (),
        shared_fits,
    )


def sampler_of(study: Study, config: StudyConfig) -> ConfigurationSampler:
    """Return the sampler that a study has been given, with what it has computed so far; otherwise a new one."""
    return study.sampler if isinstance(study.sampler, ConfigurationSampler) else make_sampler(study, config)


def startup_trials(affordable_trials: float) -> int:
    """Return how many trials are sampled at random before TPE is used: a third of the affordable ones, 1 to 10.

    The first trial is always one of them: there are no scores before it.
    """
    return max(1, min(MAX_STARTUP_TRIALS, int(affordable_trials / 3)))
