"""Optuna sampler that proposes values by a Gaussian process over learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.search_space import intersection_search_space
from optuna.study import Study
from optuna.trial import FrozenTrial

from .configurations import Configuration, GroupTrials, as_single_trial, group_trials, sign_of
from .in_memory_studies import in_memory_study
from .interfaces import Prediction, SharedFits

if TYPE_CHECKING:
    from .expected_gain import WiderRange
    from .learning_curve_model import LearningCurveModel


class LearningCurveSampler(BaseSampler):
    """Sampler that learns from the whole learning curves of trials, also of those that were paused early.

    A Gaussian process over learning curves predicts where each configuration ends, and which new values are the most
    promising. Where it expects nothing new, TPE proposes in its place. Parameters that are not part of every trial are
    sampled at random.

    The values of a trial follow from the seed, the trial's number and the other trials: a study proposes the same
    whether it runs in one call or in several.

    Example:
        >>> sampler = LearningCurveSampler(n_steps=20, seed=0)
        >>> study = optuna.create_study(sampler=sampler, pruner=PausingPruner(n_steps=20))
    """

    def __init__(
        self,
        n_steps: int = 1,
        *,
        search_space: Mapping[str, BaseDistribution] | None = None,
        n_startup_trials: int = 3,
        seed: int | None = None,
        other_trials: Sequence[FrozenTrial] = (),
        gap: float | None = None,
        bounds: Mapping[str, Mapping[str, float]] = MappingProxyType({}),
        group: GroupTrials = group_trials,
        shared_fits: SharedFits | None = None,
    ) -> None:
        """Create a sampler.

        Args:
            n_steps: steps of a full training: trials report at steps 1, 2, ..., `n_steps`.
            search_space: the parameters; by default those that all trials so far have in common.
            n_startup_trials: trials that are spread evenly before scores decide; at most 3 are.
            seed: of all proposals; None draws one.
            other_trials: trials of another study whose scores compare with this one's.
            gap: differences of scores much smaller than this, among the best, matter as much as larger ones among the
                worse; by default the interquartile range of the scores.
            bounds: values that a parameter may have at all, by its name: `ge` or `gt`, `le` or `lt`. They are used
                where it is predicted what wider ranges bring.
            group: function that tells which trials train one configuration.
            shared_fits: where processes share what one of them has fitted.

        Raises: ValueError: a number of steps below 1, or a negative seed.
        """
        if n_steps < 1:
            raise ValueError(f"`n_steps` must be at least 1, but got {n_steps}.")
        if seed is not None and seed < 0:
            raise ValueError(f"`seed` must be at least 0, but got {seed}.")
        self._n_steps = n_steps
        self._space = search_space
        self._n_startup_trials = n_startup_trials
        self._seed = int(np.random.SeedSequence(seed).generate_state(1)[0]) if seed is None else seed
        self._other_trials = other_trials
        self._gap = gap
        self._bounds = bounds
        self._group = group
        self._shared_fits = shared_fits
        self._last_model: tuple[dict[str, BaseDistribution], LearningCurveModel] | None = None

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the search space; an empty one for a trial whose values are given."""
        space = self._space_of(study.get_trials(deepcopy=False))
        return {} if space.keys() <= trial.system_attrs.get("fixed_params", {}).keys() else space

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Sample values given all trials of the study but this one.

        Raises: ValueError: the study has several objectives.
        """
        self._raise_error_if_multi_objective(study)
        if not search_space:
            return {}
        values = self._model(search_space, sign_of(study)).propose(self._others(study, trial), trial.number)
        if values is not None:
            return values
        return self.sample_by(TPESampler(seed=self._seed_of(trial.number)), study, trial, search_space)

    def sample_independent(self, study: Study, trial: FrozenTrial, name: str, distribution: BaseDistribution) -> Any:
        """Sample at random a parameter that is not in the search space.

        Raises: ValueError: the study has several objectives.
        """
        self._raise_error_if_multi_objective(study)
        return RandomSampler(seed=self._seed_of(trial.number, name)).sample_independent(
            study, trial, name, distribution
        )

    def sample_by(
        self, sampler: BaseSampler, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Sample values by another sampler, which sees each configuration of the study as one trial."""
        view = in_memory_study(directions=study.directions, sampler=sampler)
        samples = list(self._other_trials)
        for configuration in self._others(study, trial):
            # A value outside of its range, which users can enqueue, has no place in a study of its own.
            with suppress(ValueError):
                if configuration.params.keys() >= search_space.keys():
                    samples.append(as_single_trial(configuration))
        if len(study.directions) > 1:
            for sample in samples:
                # TPE ranks pruned trials by these, and fails with several objectives.
                sample.intermediate_values = {}
        view.add_trials(samples)
        return view.ask(search_space).params

    def predict_final_scores(self, configurations: Sequence[Configuration]) -> dict[int, float]:
        """Predict the score at the end of training for each configuration that has a score, by its number.

        In a study that maximises, scores have the other sign.
        """
        model = self._model_of(configurations)
        return model.predict_final_scores(configurations) if model else {}

    def predict_scores_at(self, configurations: Sequence[Configuration], share: float) -> dict[int, Prediction]:
        """Predict the score after `share` times the length of a training, by number."""
        model = self._model_of(configurations)
        return model.predict_scores_at(configurations, share) if model else {}

    def predict_gain(self, configurations: Sequence[Configuration], n_new: int) -> float | None:
        """Predict by how much `n_new` further configurations lower the best finished score.

        Returns: None before a configuration has finished.
        """
        model = self._model_of(configurations) if _has_finished(configurations) else None
        return model.predict_gain(configurations, n_new) if model else None

    def predict_wider(self, configurations: Sequence[Configuration], n_new: int) -> list[WiderRange]:
        """Predict what `n_new` configurations beyond each end of each range bring.

        Returns: nothing before a configuration has finished.
        """
        model = self._model_of(configurations) if _has_finished(configurations) else None
        return model.predict_wider(configurations, n_new) if model else []

    def _space_of(self, trials: Sequence[FrozenTrial]) -> dict[str, BaseDistribution]:
        """Return the parameters to model: those that were given, or those that all trials have in common."""
        if self._space is not None:
            return dict(self._space)
        common = intersection_search_space(list(trials), include_pruned=True)
        return {name: distribution for name, distribution in common.items() if not distribution.single()}

    def _model_of(self, configurations: Sequence[Configuration]) -> LearningCurveModel | None:
        """Return the model of configurations; None if none of them has a score, or they have nothing in common."""
        if not any(configuration.scores for configuration in configurations):
            return None
        trials = [trial for configuration in configurations for trial in configuration.trials]
        space = self._space_of(trials)
        return self._model(space, configurations[0].sign) if space else None

    def _model(self, space: dict[str, BaseDistribution], sign: int) -> LearningCurveModel:
        """Return the model of a search space; the last one if that is the same, with what it has fitted."""
        # Imported late: without scores, no SciPy is needed.
        from .learning_curve_model import LearningCurveModel

        if self._last_model is None or self._last_model[0] != space:
            model = LearningCurveModel(
                space,
                self._n_steps,
                self._n_startup_trials,
                self._seed,
                other_configurations=self._group(self._other_trials, sign),
                shared_fits=self._shared_fits,
                gap=self._gap,
                bounds=self._bounds,
            )
            self._last_model = space, model
        return self._last_model[1]

    def _others(self, study: Study, trial: FrozenTrial) -> Sequence[Configuration]:
        """Return the configurations of all trials but this one."""
        others = [other for other in study.get_trials(deepcopy=False) if other.number != trial.number]
        return self._group(others, sign_of(study))

    def _seed_of(self, number: int, name: str = "") -> int:
        entropy = [self._seed, number, *name.encode()]
        return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def _has_finished(configurations: Sequence[Configuration]) -> bool:
    return any(configuration.value is not None for configuration in configurations)
