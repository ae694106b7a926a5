"""Samplers of a study: each sees a study's configurations in place of its trials.

A configuration that was paused, continued and confirmed is several trials of the same values. A sampler that saw each
of them as an independent sample would be drawn to values that it has already tried.
"""

from collections.abc import Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from hpo.config.schema import StudyConfig
from hpo.config.search_space import distributions
from hpo.optunahub.samplers.learning_curves.configurations import Configuration as TrainedConfiguration
from hpo.optunahub.samplers.learning_curves.expected_gain import WiderRange
from hpo.optunahub.samplers.learning_curves.in_memory_studies import in_memory_study
from hpo.optunahub.samplers.learning_curves.interfaces import Prediction, SharedFits
from hpo.optunahub.samplers.learning_curves.sampler import LearningCurveSampler
from hpo.search.configurations import group_trials
from hpo.search.warm_start import warm_start_of
from model.config import SETTINGS

MAX_STARTUP_TRIALS = 10
# Bits per dimension: differences among good scores are judged against this one.
_GAP = 0.3


class ConfigurationSampler(LearningCurveSampler):
    """Sampler by name: curves, tpe, gp or random. The last three predict nothing.

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
        super().__init__(
            n_reports,
            search_space=space,
            n_startup_trials=n_startup_trials,
            seed=seed,
            other_trials=other_trials,
            gap=_GAP,
            bounds={name: setting.bounds for name, setting in SETTINGS.items()},
            group=group_trials,
            shared_fits=shared_fits,
        )
        self._name = name

    def predict_final_scores(self, configurations: Sequence[TrainedConfiguration]) -> dict[int, float]:
        """Predict val_bpd at the end of training, by the configurations' numbers; empty except for `curves`."""
        return super().predict_final_scores(configurations) if self._name == "curves" else {}

    def predict_scores_at(self, configurations: Sequence[TrainedConfiguration], share: float) -> dict[int, Prediction]:
        """Predict val_bpd after `share` times the length of a training, by number; empty except for `curves`."""
        return super().predict_scores_at(configurations, share) if self._name == "curves" else {}

    def predict_gain(self, configurations: Sequence[TrainedConfiguration], n_new: int) -> float | None:
        """Predict by how much `n_new` further configurations lower the best finished score, in bits per dimension.

        Returns: None except for `curves`, and before a configuration has finished.
        """
        return super().predict_gain(configurations, n_new) if self._name == "curves" else None

    def predict_wider(self, configurations: Sequence[TrainedConfiguration], n_new: int) -> list[WiderRange]:
        """Predict what `n_new` configurations beyond each end of each range bring, in bits per dimension.

        Returns: nothing except for `curves`, and before a configuration has finished.
        """
        return super().predict_wider(configurations, n_new) if self._name == "curves" else []

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Sample values as the named sampler does given the study's configurations, without this trial."""
        if not search_space:
            return {}
        if self._name == "curves":
            return super().sample_relative(study, trial, search_space)
        if self._name == "random":
            # It needs no trials, of which the copies below take 0.06 s at a thousand.
            return in_memory_study(sampler=self._sampler(trial.number)).ask(search_space).params
        return self.sample_by(self._sampler(trial.number), study, trial, search_space)

    def sample_independent(self, study: Study, trial: FrozenTrial, name: str, distribution: BaseDistribution) -> Any:
        """Sample at random a parameter that is not in the search space."""
        return RandomSampler(seed=self._seed_of(trial.number, name)).sample_independent(
            study, trial, name, distribution
        )

    def _sampler(self, number: int) -> BaseSampler:
        if self._name == "random":
            return RandomSampler(seed=self._seed_of(number))
        if self._name == "gp":
            return GPSampler(seed=self._seed_of(number), n_startup_trials=self._n_startup_trials)
        return TPESampler(seed=self._seed_of(number), n_startup_trials=self._n_startup_trials)


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
