"""The sampler `curves`: new values where the best end can be hoped for, and what is expected of those that paused.

F features of a configuration, M configurations to be judged.
"""

from collections.abc import Sequence
from math import inf

import numpy as np
import torch
from optuna.distributions import BaseDistribution

from hpo.search.configurations import Configuration
from hpo.search.learning_curve_gp import LearningCurveGP, Scores
from hpo.search.search_space_transform import Array, SearchSpaceTransform, Values

# Spread evenly over the space before the model is asked.
N_SPREAD = 3
# A candidate is judged by its expected end less so many standard deviations (Srinivas et al. 2010). Where that leads to
# a place that is known already, every other proposal hopes for more.
_KAPPA, _EXPLORING_KAPPA = 1.0, 3.0
_N_ANYWHERE, _N_NEAR, _N_BEST = 800, 60, 5
_FIRST_RADII, _LAST_RADII = (0.05, 0.15), (0.1, 0.05, 0.02)
# More scores make a proposal take seconds: of curves every second, third, ... score is looked at, and the last; of very
# many configurations the best, and some of the others.
_MOST_SCORES_A_CURVE, _MOST_SCORES = 8, 600


class LearningCurveSampler:
    """Decides from a study's configurations, whose curves have `n_reports` points. Repeatable from `seed`."""

    def __init__(
        self,
        space: dict[str, BaseDistribution],
        n_reports: int,
        n_startup: int,
        seed: int,
        elsewhere: Sequence[Configuration] = (),
    ) -> None:
        """`elsewhere`: configurations of another study that compare with this one's."""
        self._space = space
        self._cube = SearchSpaceTransform(space)
        self._n_reports = n_reports
        self._n_startup = min(n_startup, N_SPREAD)
        self._seed = seed
        self._elsewhere = elsewhere
        self._fitted: tuple[bytes, LearningCurveGP] | None = None

    def expected_ends(self, known: Sequence[Configuration]) -> dict[int, float]:
        """val_bpd that each configuration with a score is expected to end with, by its number."""
        known = self._in_space(known)
        scored = [one for one in known if one.scores]
        if not scored:
            return {}
        model = self._model(self._scores([*self._elsewhere, *known]))
        ends = model.val_bpd(model.ends(np.array([self._cube.features(one.params) for one in scored]))[0])
        return {one.number: float(end) for one, end in zip(scored, ends, strict=True)}

    def propose(self, known: Sequence[Configuration], number: int) -> Values:
        """Values for a new configuration, trial `number`."""
        known = [*self._elsewhere, *self._in_space(known)]
        place = len(known)
        if place < self._n_startup or not any(one.scores for one in known):
            spread = torch.quasirandom.SobolEngine(self._cube.n_features, scramble=True, seed=self._seed)
            return self._cube.values(spread.draw(place + 1)[-1].double().numpy())
        scores = self._scores(known)
        model = self._model(scores)
        # What others have begun is taken to end as expected: so they are not followed to the same place.
        begun = [self._cube.features(one.params) for one in known if not one.scores and one.is_under_way]
        if begun:
            model = LearningCurveGP(_with_ends(scores, np.array(begun), model), model.hyperparameters)
        taken = {tuple(self._cube.features(one.params)) for one in known}
        generator = np.random.default_rng([self._seed, number])
        point, deviation = self._most_hopeful(model, taken, _KAPPA, generator)
        if deviation < model.noise and len(known) % 2 == 0:
            point, _ = self._most_hopeful(model, taken, _EXPLORING_KAPPA, generator)
        return self._cube.values(point)

    def _most_hopeful(
        self, model: LearningCurveGP, taken: set[tuple[float, ...]], hope: float, generator: np.random.Generator
    ) -> tuple[Array, float]:
        """The best of points anywhere and near the best known ones, then of ever nearer ones to that; with the standard
        deviation of its end, as `CurveModel.level` has it.
        """

        def judged(points_MF: Array) -> tuple[Array, Array, Array]:
            features = np.array([self._cube.features(self._cube.values(point)) for point in points_MF])
            mean, deviation = model.ends(features)
            are_taken = [tuple(one) in taken for one in features]
            return np.where(are_taken, np.inf, mean - hope * deviation), deviation, points_MF

        def near(center: Array, radius: float) -> Array:
            return np.asarray(center + generator.normal(0, radius, (_N_NEAR, len(center)))).clip(0, 1)

        known = np.array(sorted(taken))
        best = known[np.argsort(model.ends(known)[0])[:_N_BEST]]
        anywhere = generator.random((_N_ANYWHERE, self._cube.n_features))
        first = np.vstack([anywhere, *(near(center, radius) for center in best for radius in _FIRST_RADII)])
        judgement, deviation, points = judged(first)
        for radius in _LAST_RADII:
            center = points[judgement.argmin()]
            judgement, deviation, points = judged(np.vstack([center, near(center, radius)]))
        chosen = judgement.argmin()
        return points[chosen], float(deviation[chosen])

    def _model(self, scores: Scores) -> LearningCurveGP:
        """Fitted once for the same scores."""
        key = b"".join(part.tobytes() for part in (scores.features, scores.shares, scores.val_bpd))
        if self._fitted is None or self._fitted[0] != key:
            self._fitted = key, LearningCurveGP(scores)
        return self._fitted[1]

    def _in_space(self, known: Sequence[Configuration]) -> list[Configuration]:
        """Without those that have no values yet, or that another program has added with others."""
        return [one for one in known if one.params.keys() == self._space.keys()]

    def _scores(self, known: Sequence[Configuration]) -> Scores:
        """Of all curves; one that cannot be trained ends as badly as any, be it before its first score."""
        telling = _thinned([one for one in known if one.scores or one.is_infeasible])
        worst = max(score for one in telling for score in one.scores.values())
        stride = -(-self._n_reports // _MOST_SCORES_A_CURVE)
        while stride < self._n_reports and sum(len(_kept(one, stride)) for one in telling) > _MOST_SCORES:
            stride += 1
        rows = []
        for one in telling:
            features = self._cube.features(one.params)
            rows += [(features, step / self._n_reports, one.scores[step]) for step in _kept(one, stride)]
            if one.is_infeasible:
                rows.append((features, 1.0, worst))
        features, shares, val_bpd = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
        return Scores(features, shares, val_bpd)


def _thinned(telling: list[Configuration]) -> list[Configuration]:
    """At most as many as scores are fitted: half of them the best so far, the others evenly from the rest."""
    if len(telling) <= _MOST_SCORES:
        return telling
    half = _MOST_SCORES // 2
    ranked = sorted(telling, key=lambda one: one.scores[max(one.scores)] if one.scores else inf)
    places = np.linspace(half, len(ranked) - 1, half).astype(int)
    return [*ranked[:half], *(ranked[place] for place in places)]


def _kept(one: Configuration, stride: int) -> list[int]:
    steps = sorted(one.scores)
    return [step for step in steps if step % stride == 0 or step == steps[-1]]


def _with_ends(scores: Scores, begun_MF: Array, model: LearningCurveGP) -> Scores:
    ends = model.val_bpd(model.ends(begun_MF)[0])
    shares = np.concatenate([scores.shares, np.ones(len(ends))])
    return Scores(np.vstack([scores.features, begun_MF]), shares, np.concatenate([scores.val_bpd, ends]))
