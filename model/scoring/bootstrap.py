"""Bootstrap (Efron 1979): the interval in which a score would lie with other images."""

from collections.abc import Sequence

import numpy as np

_CONFIDENCE = 0.95
_N_RESAMPLES, _AT_ONCE, _SEED = 2000, 100, 0


def bootstrap_interval(scores: Sequence[float]) -> tuple[float, float]:
    """Return the interval of the mean over images that were drawn anew, with repetition, at 95% confidence.

    Args:
        scores: the score of each image, of at least two.
    """
    from scipy import stats

    resampled = stats.bootstrap(
        (scores,),
        np.mean,
        n_resamples=_N_RESAMPLES,
        batch=_AT_ONCE,
        confidence_level=_CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(_SEED),
    )
    return float(resampled.confidence_interval.low), float(resampled.confidence_interval.high)
