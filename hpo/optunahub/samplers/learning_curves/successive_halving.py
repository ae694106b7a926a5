"""Asynchronous successive halving with promotion (ASHA, Li et al. 2020): decides which configurations pause at a rung
and which paused ones are promoted later.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from optuna.samplers import BaseSampler

from .configurations import Configuration
from .interfaces import FinalScorePredictor


@dataclass(frozen=True)
class Candidate:
    """A configuration as successive halving sees it.

    `scores` are by step; `is_paused` is True if it waits at its last one for a promotion. `predicted_score` is
    the final score that the sampler predicts, None if it predicts none. `has_finished` is True after its full training.
    """

    number: int
    scores: Mapping[int, float]
    is_paused: bool
    predicted_score: float | None = None
    has_finished: bool = False

    def ranking_score(self, rung: int) -> float:
        """Return the score that it is ranked by at a rung: the predicted final one, else the one at the rung."""
        return self.scores[rung] if self.predicted_score is None else self.predicted_score

    def may_end_below(self, score: float) -> bool:
        """Return True if it is predicted to end below a score, or if nothing is predicted."""
        return self.predicted_score is None or self.predicted_score < score


@dataclass(frozen=True)
class Halving:
    """Rungs are steps below the last one; the best 1 in `factor` of all that came to a rung may continue.

    The best are those with the best predicted final scores; without predictions, those with the best scores at the
    rung. A paused configuration is not promoted if its predicted score is no better than that of a finished one.
    """

    rungs: tuple[int, ...]
    factor: int

    @classmethod
    def of(cls, first_rung: int, spacing: int, factor: int, n_steps: int) -> "Halving":
        """Create rungs at r, r s, r s^2, ... < `n_steps`, with r = max(1, `first_rung`) and s = `spacing`."""
        rungs = []
        rung = max(1, first_rung)
        while rung < n_steps:
            rungs.append(rung)
            rung *= spacing
        return cls(tuple(rungs), factor)

    def rank(self, number: int, rung: int, candidates: Iterable[Candidate]) -> tuple[int, int]:
        """Return the rank, from 1, of a configuration at a rung, and how many configurations have come to it."""
        ranked = _ranked(candidates, rung)
        return [candidate.number for candidate in ranked].index(number) + 1, len(ranked)

    def describe_rank(self, number: int, rung: int, candidates: Sequence[Candidate]) -> str:
        """Return the text that tells why a configuration pauses at a rung: what it was ranked by, and its rank."""
        rank, n_at_rung = self.rank(number, rung, candidates)
        (predicted,) = (candidate.predicted_score for candidate in candidates if candidate.number == number)
        reason = f"expected to end at {predicted:.4f}: " if predicted else ""
        return f"{reason}ranked {rank} of {n_at_rung} at this rung; {n_at_rung // self.factor} promoted so far"

    def passes(self, number: int, rung: int, candidates: Iterable[Candidate]) -> bool:
        """Return True if a configuration that has just come to a rung continues without a pause."""
        rank, n_at_rung = self.rank(number, rung, candidates)
        return rank <= n_at_rung // self.factor

    def next_promotion(self, candidates: Iterable[Candidate]) -> int | None:
        """Return the number of the paused configuration to promote: the best at the highest rung that has one.

        None if no configuration can be promoted.
        """
        candidates = list(candidates)
        best_finished = best_finished_prediction(candidates)
        for rung in reversed(self.rungs):
            ranked = _ranked(candidates, rung)
            for candidate in ranked[: len(ranked) // self.factor]:
                if candidate.is_paused and candidate.may_end_below(best_finished) and self._last(candidate) == rung:
                    return candidate.number
        return None

    def _last(self, candidate: Candidate) -> int | None:
        """Return the last rung that a candidate has come to: it may have been trained on, to a length of before."""
        return max((rung for rung in self.rungs if rung <= max(candidate.scores)), default=None)


def best_finished_prediction(candidates: Iterable[Candidate]) -> float:
    """Return the lowest predicted score of those that have finished; infinite if there is none."""
    finished = (candidate.predicted_score for candidate in candidates if candidate.has_finished)
    return min((score for score in finished if score is not None), default=inf)


def _ranked(candidates: Iterable[Candidate], rung: int) -> list[Candidate]:
    at_rung = [candidate for candidate in candidates if rung in candidate.scores]
    return sorted(at_rung, key=lambda candidate: (candidate.ranking_score(rung), candidate.number))


def candidates_of(configurations: Sequence[Configuration], sampler: BaseSampler | None) -> list[Candidate]:
    """Return configurations as successive halving sees them, with the predictions of the study's sampler, if any."""
    predicted: Mapping[int, float] = (
        sampler.predict_final_scores(configurations) if isinstance(sampler, FinalScorePredictor) else {}
    )
    return [
        Candidate(
            number=configuration.number,
            scores=configuration.scores,
            is_paused=configuration.is_paused,
            predicted_score=predicted.get(configuration.number),
            has_finished=configuration.value is not None,
        )
        for configuration in configurations
    ]
