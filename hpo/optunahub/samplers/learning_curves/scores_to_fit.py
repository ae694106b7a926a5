"""Scores that the Gaussian process of learning curves is fitted to: of large studies some hundred.

Legend: F features of a configuration, M configurations.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import inf

import numpy as np

from .configurations import Configuration
from .learning_curve_gp import Scores
from .search_space_transform import Array, SearchSpaceTransform

# With more scores, a proposal would take seconds. From long curves only every second, third, ... score is used, and the
# last; from very many configurations only the best ones and some of the others.
_MAX_SCORES_PER_CURVE, _MAX_SCORES = 8, 600
# Up to so many configurations, the process's hyperparameters are fitted to all scores at each decision, which takes up
# to 4 s with 600 scores. Later scores hardly change them.
MAX_REFITTED = 100
# Beyond, they are fitted to so many configurations of the trials before trial 100, 110, 121, ...
_FIRST_PREFIX, _PREFIX_GROWTH, _N_FITTED = 100, 0.1, 80


class ScoreCollector:
    """Collector of the scores of curves of `n_steps` points."""

    def __init__(self, transform: SearchSpaceTransform, n_steps: int) -> None:
        self._transform = transform
        self._n_steps = n_steps
        self._points: dict[tuple[object, ...], Array] = {}

    def features(self, configurations: Iterable[Configuration]) -> Array:
        """Return features, shape (M, F)."""
        return np.array([self._features(configuration) for configuration in configurations])

    def collect(self, configurations: Sequence[Configuration], n_configurations: int = _MAX_SCORES) -> Scores:
        """Collect the scores of all curves, of at most `n_configurations`.

        An infeasible configuration gets the worst score of all as its final score, even if it has no score of its own.
        """
        informative = _subsample(
            [configuration for configuration in configurations if configuration.scores or configuration.is_infeasible],
            n_configurations,
        )
        worst = max((score for configuration in informative for score in configuration.scores.values()), default=0.0)
        stride = -(-self._n_steps // _MAX_SCORES_PER_CURVE)
        while stride < self._n_steps and _count_scores(informative, stride) > _MAX_SCORES:
            stride += 1
        rows = []
        for configuration in informative:
            features, curve = self._features(configuration), configuration.scores
            if configuration.value is not None and not configuration.has_reports:
                rows.append((features, 1.0, configuration.value))
                continue
            rows += [(features, step / self._n_steps, curve[step]) for step in _used_steps(configuration, stride)]
            if configuration.is_infeasible:
                rows.append((features, 1.0, worst))
        features, shares, values = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
        return Scores(features, shares, values)

    def collect_for_hyperparameters(
        self, configurations: Sequence[Configuration], others: Sequence[Configuration]
    ) -> Scores | None:
        """Collect the scores that the process's hyperparameters are fitted to, if these are not all scores.

        They are those of the study's first m trials and of `others`, from another study. m is the largest of 100, 110,
        121, ... of which each trial has ended: the scores, and so the hyperparameters, stay the same until the study
        has grown by a tenth, and follow from the study alone.

        Returns: None for a study of at most 100 configurations.
        """
        n_ended = _count_leading_ended(configurations) if len(configurations) > MAX_REFITTED else 0
        if n_ended < _FIRST_PREFIX:
            return None
        first = [*others, *_before(_prefix_size(n_ended), configurations)]
        return self.collect(first, _N_FITTED) if any(configuration.scores for configuration in first) else None

    def _features(self, configuration: Configuration) -> Array:
        # Encoding takes ten microseconds for each of a study's configurations, at each decision.
        values = tuple(configuration.params.items())
        if values not in self._points:
            self._points[values] = self._transform.features(configuration.params)
        return self._points[values]


def _count_leading_ended(configurations: Sequence[Configuration]) -> int:
    """Return the number of a study's first trial that has not ended; one more than the last number if all have."""
    trials = [trial for configuration in configurations for trial in configuration.all_trials]
    unfinished = [trial.number for trial in trials if not trial.state.is_finished()]
    return min(unfinished, default=1 + max(trial.number for trial in trials))


def _prefix_size(n_trials: int) -> int:
    """Return the largest of 100, 110, 121, 133, ... that is not above `n_trials`."""
    size = _FIRST_PREFIX
    while (larger := size + int(size * _PREFIX_GROWTH)) <= n_trials:
        size = larger
    return size


def _before(number: int, configurations: Sequence[Configuration]) -> list[Configuration]:
    """Return the configurations as they were before a trial."""
    earlier = [[trial for trial in configuration.trials if trial.number < number] for configuration in configurations]
    return [
        replace(configuration, trials=trials)
        for configuration, trials in zip(configurations, earlier, strict=True)
        if trials
    ]


def _subsample(configurations: Sequence[Configuration], n_kept: int) -> Sequence[Configuration]:
    """Keep at most `n_kept` configurations: half of them the best so far, the others evenly from the rest."""
    if len(configurations) <= n_kept:
        return configurations
    half = n_kept // 2
    ranked = sorted(configurations, key=_last_score)
    indices = np.linspace(half, len(ranked) - 1, half).astype(int)
    return [*ranked[:half], *(ranked[index] for index in indices)]


def _last_score(configuration: Configuration) -> float:
    scores = configuration.scores
    return scores[max(scores)] if scores else inf


def _used_steps(configuration: Configuration, stride: int) -> list[int]:
    """Return the report points that are multiples of `stride`, and the last one."""
    steps = sorted(configuration.scores)
    return [step for step in steps if step % stride == 0 or step == steps[-1]]


def _count_scores(configurations: Sequence[Configuration], stride: int) -> int:
    return sum(len(_used_steps(configuration, stride)) for configuration in configurations)
