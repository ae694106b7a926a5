"""Model of a study's learning curves: predicts final scores, and proposes the values to try next.

Legend: F features of a configuration, M configurations to judge.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from types import MappingProxyType

import numpy as np
from optuna.distributions import BaseDistribution

from .configurations import Configuration
from .expected_gain import WIDER_BY, WiderRange, expected_gain, gain_beyond
from .interfaces import Prediction, SharedFits
from .learning_curve_gp import LearningCurveGP, Scores
from .scores_to_fit import MAX_REFITTED, ScoreCollector
from .search_space_transform import Array, SearchSpaceTransform, Values

# Configurations before the process is used: those that were not enqueued are spread evenly over the space.
N_SPREAD = 3
# kappa of the lower confidence bound.
_KAPPA = 1.0
# Candidates of one minimisation: drawn uniformly, and normally around each of the best known configurations; then
# around the best candidate so far, within ever smaller radii (standard deviations in the unit cube).
_N_UNIFORM, _N_AROUND, _N_BEST = 800, 60, 5
_FIRST_RADII, _LAST_RADII = (0.05, 0.15), (0.1, 0.05, 0.02)
# Known configurations, the best ones, and new ones among which a further search is imagined to choose.
_N_KNOWN, _N_NEW_UNIFORM, _N_NEW_AROUND = 50, 200, 30


# Changes with the process's kernel and priors: hyperparameters of another version do not fit.
_FITS = b"1"


class LearningCurveModel:
    """Model of a study's configurations, whose learning curves have `n_steps` points.

    A proposal minimises the lower confidence bound of the final score (Srinivas et al. 2010)

        a(x) = mu(x) - kappa sigma(x)

    where mu and sigma are the mean and standard deviation that `LearningCurveGP` predicts for a configuration x at the
    end of its training, on the standardised scale.
    """

    def __init__(
        self,
        space: Mapping[str, BaseDistribution],
        n_steps: int,
        n_startup: int,
        seed: int,
        other_configurations: Sequence[Configuration] = (),
        shared_fits: SharedFits | None = None,
        gap: float | None = None,
        bounds: Mapping[str, Mapping[str, float]] = MappingProxyType({}),
    ) -> None:
        """Create a model whose proposals follow from `seed`, the configurations and the trial number alone.

        Args:
            space: searched hyperparameters.
            n_steps: steps of a full training, the last one that is reported.
            n_startup: configurations spread evenly over the space, N_SPREAD at most.
            seed: of the study.
            other_configurations: configurations of another study whose scores compare with this one's.
            shared_fits: where processes share what one of them has fitted.
            gap: differences of scores are judged against this one, see `LearningCurveGP`.
            bounds: values that a hyperparameter may have at all, by its name: `ge` or `gt`, `le` or `lt`.
        """
        self._space = space
        self._transform = SearchSpaceTransform(space)
        self._scores = ScoreCollector(self._transform, n_steps)
        self._gap = gap
        self._bounds = bounds
        self._n_startup = min(n_startup, N_SPREAD)
        self._seed = seed
        self._other_configurations = other_configurations
        self._shared_fits = shared_fits
        self._fitted: tuple[bytes, LearningCurveGP, Scores] | None = None
        self._kept: tuple[bytes, Array] | None = None
        self._predicted: tuple[LearningCurveGP, bytes, Array] | None = None
        self._gain: tuple[tuple[object, ...], float] | None = None
        self._wider: tuple[tuple[LearningCurveGP, int], list[WiderRange]] | None = None

    def predict_final_scores(self, configurations: Sequence[Configuration]) -> dict[int, float]:
        """Predict the score at the end of training for each configuration that has a score, by its number."""
        configurations = self._within_space(configurations)
        scored = [configuration for configuration in configurations if configuration.scores]
        if not scored:
            return {}
        gp, _ = self._fit(configurations)
        final_scores = self._predict(gp, self._scores.features(scored))
        return {configuration.number: float(score) for configuration, score in zip(scored, final_scores, strict=True)}

    def predict_scores_at(self, configurations: Sequence[Configuration], share: float) -> dict[int, Prediction]:
        """Predict the score after `share` times the length of a training, by the numbers of those that have a score."""
        configurations = self._within_space(configurations)
        scored = [configuration for configuration in configurations if configuration.scores]
        if not scored:
            return {}
        gp, _ = self._fit(configurations)
        means, deviations = gp.predict_final(self._scores.features(scored), share)
        low, middle, high = (gp.unstandardize(means + side * deviations) for side in (-1, 0, 1))
        return {
            configuration.number: Prediction(float(score), float(spread))
            for configuration, score, spread in zip(scored, middle, (high - low) / 2, strict=True)
        }

    def predict_gain(self, configurations: Sequence[Configuration], n_new: int) -> float | None:
        """Predict by how much `n_new` further configurations lower the best finished score.

        It follows from the seed and the configurations alone.

        Returns: None before a configuration has finished.
        """
        configurations = self._within_space(configurations)
        finished = [configuration for configuration in configurations if configuration.value is not None]
        if not finished:
            return None
        gp, _ = self._fit(configurations)
        scored = [configuration for configuration in configurations if configuration.scores]
        best_F = self._scores.features([min(finished, key=lambda configuration: configuration.value or np.inf)])[0]
        key = gp, n_new, len(scored), tuple(best_F)
        if self._gain is None or self._gain[0] != key:
            self._gain = key, self._compute_gain(gp, self._scores.features(scored), best_F, n_new)
        return self._gain[1]

    def predict_wider(self, configurations: Sequence[Configuration], n_new: int) -> list[WiderRange]:
        """Predict what `n_new` configurations beyond each end of each range bring, once a configuration has finished.

        It follows from the seed and the configurations alone.
        """
        configurations = self._within_space(configurations)
        finished = [configuration for configuration in configurations if configuration.value is not None]
        if not finished:
            return []
        gp, _ = self._fit(configurations)
        if self._wider is None or self._wider[0] != (gp, n_new):
            best = min(finished, key=lambda configuration: configuration.value or np.inf)
            self._wider = (gp, n_new), self._compute_wider(gp, self._scores.features([best]), n_new)
        return self._wider[1]

    def _compute_wider(self, gp: LearningCurveGP, best_1F: Array, n_new: int) -> list[WiderRange]:
        generator = np.random.default_rng([self._seed, n_new])
        points_MF = self._features(self._draw_candidates(best_1F, _N_NEW_UNIFORM, _N_NEW_AROUND, generator))
        ends = self._transform.ends_of_ranges(WIDER_BY, self._bounds)
        return [gain_beyond(gp, self._transform, end, points_MF, best_1F[0], n_new, generator) for end in ends]

    def _compute_gain(self, gp: LearningCurveGP, scored_MF: Array, best_F: Array, n_new: int) -> float:
        """Compute `expected_gain` with the best known configurations and new ones, some of them near the best."""
        scored_MF = np.unique(scored_MF, axis=0)
        known_MF = scored_MF[np.argsort(gp.predict_final_means(scored_MF))[:_N_KNOWN]]
        generator = np.random.default_rng([self._seed, len(scored_MF)])
        new_MF = self._features(self._draw_candidates(known_MF[:_N_BEST], _N_NEW_UNIFORM, _N_NEW_AROUND, generator))
        return expected_gain(gp, np.vstack([best_F, known_MF, new_MF]), 0, n_new, generator)

    def propose(self, configurations: Sequence[Configuration], number: int) -> Values | None:
        """Propose values for a new configuration, which trial `number` will train.

        Returns: every other time None, where the process expects nothing new from its proposal: another sampler, which
            believes less in smooth scores, may then find what this one does not.
        """
        own_configurations = self._within_space(configurations)
        configurations = [*self._other_configurations, *own_configurations]
        n_configurations = len(configurations)
        if n_configurations < self._n_startup or not any(configuration.scores for configuration in configurations):
            return self._transform.values(_spread_point(n_configurations, self._transform.n_features, self._seed))
        gp, scores = self._fit(own_configurations)
        running = [
            configuration for configuration in configurations if not configuration.scores and configuration.is_running
        ]
        if running:
            fantasies = _with_fantasies(scores, self._scores.features(running), gp)
            gp = LearningCurveGP(fantasies, gp.hyperparameters, gp.gap)
        tried = {tuple(features) for features in self._scores.features(configurations)}
        # Of a large study those whose scores are fitted, the best among them: all others would only cost time.
        known_MF = np.array(sorted(tried)) if len(tried) <= MAX_REFITTED else np.unique(scores.features, axis=0)
        generator = np.random.default_rng([self._seed, number])
        point, deviation = self._minimize_bound(gp, tried, known_MF, generator)
        is_well_known = deviation < gp.noise
        return None if is_well_known and n_configurations % 2 == 0 else self._transform.values(point)

    def _minimize_bound(
        self,
        gp: LearningCurveGP,
        tried: set[tuple[float, ...]],
        known_MF: Array,
        generator: np.random.Generator,
    ) -> tuple[Array, float]:
        """Minimise a(x) by random search; configurations in `tried` are excluded.

        The first candidates are uniform, or near the configurations of the lowest predicted scores among `known_MF`;
        the next ones are ever nearer to the best candidate.

        Returns: the point in the unit cube (F,), and sigma there.
        """

        def evaluate(points_MF: Array) -> tuple[Array, Array, Array]:
            features = self._features(points_MF)
            mean, deviation = gp.predict_final(features)
            are_tried = [tuple(row) in tried for row in features]
            return np.where(are_tried, np.inf, mean - _KAPPA * deviation), deviation, points_MF

        best = known_MF[np.argsort(gp.predict_final_means(known_MF))[:_N_BEST]]
        bound, deviation, points = evaluate(self._draw_candidates(best, _N_UNIFORM, _N_AROUND, generator))
        for radius in _LAST_RADII:
            center = points[bound.argmin()]
            bound, deviation, points = evaluate(np.vstack([center, _draw_around(center, radius, _N_AROUND, generator)]))
        chosen = bound.argmin()
        return points[chosen], float(deviation[chosen])

    def _draw_candidates(
        self, centers_MF: Array, n_uniform: int, n_around: int, generator: np.random.Generator
    ) -> Array:
        """Draw points of the unit cube: uniform ones, and some around each center, at both of _FIRST_RADII."""
        uniform = generator.random((n_uniform, self._transform.n_features))
        around = [_draw_around(center, radius, n_around, generator) for center in centers_MF for radius in _FIRST_RADII]
        return np.vstack([uniform, *around])

    def _features(self, points_MF: Array) -> Array:
        """Return the features of the values nearest to each point."""
        return np.array([self._transform.features(self._transform.values(point)) for point in points_MF])

    def _fit(self, configurations: Sequence[Configuration]) -> tuple[LearningCurveGP, Scores]:
        """Fit a process to the scores of a study, or return the last one if scores and hyperparameters are the same."""
        scores = self._scores.collect([*self._other_configurations, *configurations])
        hyperparameters = self._kept_hyperparameters(configurations)
        key = _bytes_of(scores) + (b"" if hyperparameters is None else hyperparameters.tobytes())
        if self._fitted is None or self._fitted[0] != key:
            self._fitted = key, LearningCurveGP(scores, hyperparameters, self._gap), scores
        return self._fitted[1:]

    def _kept_hyperparameters(self, configurations: Sequence[Configuration]) -> Array | None:
        """Return the hyperparameters that fit the first part of a large study; None if all scores decide."""
        scores = self._scores.collect_for_hyperparameters(configurations, self._other_configurations)
        if scores is None:
            return None
        key = _bytes_of(scores)
        if self._kept is None or self._kept[0] != key:
            self._kept = key, self._shared_or_fitted(scores, sha256(_FITS + key).hexdigest())
        return self._kept[1]

    def _shared_or_fitted(self, scores: Scores, key: str) -> Array:
        def fit() -> list[float]:
            hyperparameters: list[float] = LearningCurveGP(scores, gap=self._gap).hyperparameters.tolist()
            return hyperparameters

        return np.array(self._shared_fits.get_or_fit(key, fit) if self._shared_fits else fit())

    def _predict(self, gp: LearningCurveGP, features_MF: Array) -> Array:
        """Return predicted final scores (M,), or the last ones if process and configurations are the same."""
        key = features_MF.tobytes()
        if self._predicted is None or self._predicted[0] is not gp or self._predicted[1] != key:
            self._predicted = gp, key, gp.unstandardize(gp.predict_final_means(features_MF))
        return self._predicted[2]

    def _within_space(self, configurations: Sequence[Configuration]) -> list[Configuration]:
        """Leave out configurations without values yet, and those that lack one of the searched hyperparameters."""
        return [configuration for configuration in configurations if configuration.params.keys() >= self._space.keys()]


def _draw_around(center_F: Array, radius: float, n_points: int, generator: np.random.Generator) -> Array:
    """Draw points of the unit cube, (n_points, F), normally around a center; `radius` is the standard deviation."""
    return np.asarray(center_F + generator.normal(0, radius, (n_points, len(center_F)))).clip(0, 1)


def _bytes_of(scores: Scores) -> bytes:
    return b"".join(part.tobytes() for part in (scores.features, scores.shares, scores.values))


def _with_fantasies(scores: Scores, running_MF: Array, gp: LearningCurveGP) -> Scores:
    """Add fantasies for running configurations without a score: their predicted final scores, as if observed.

    This is the kriging believer (Ginsbourger, Le Riche & Carraro 2010): it keeps workers from proposing the values that
    another worker is just training.
    """
    fantasies = gp.unstandardize(gp.predict_final(running_MF)[0])
    shares = np.concatenate([scores.shares, np.ones(len(fantasies))])
    return Scores(np.vstack([scores.features, running_MF]), shares, np.concatenate([scores.values, fantasies]))


def _spread_point(index: int, n_features: int, seed: int) -> Array:
    """Return a point of a scrambled Sobol sequence in the unit cube, shape (F,)."""
    # Imported late: only the first proposals need it, and it takes half a second.
    from scipy.stats.qmc import Sobol

    return np.asarray(Sobol(n_features, rng=seed).random_base2(index.bit_length())[index])
