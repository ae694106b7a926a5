"""Interval of a score over other images."""

import numpy as np
import pytest

from model.scoring.bootstrap import bootstrap_interval


def test_of_many_images_the_interval_is_that_of_the_normal_distribution() -> None:
    scores = np.random.default_rng(1).normal(6.0, 0.5, 2000)
    low, high = bootstrap_interval(scores.tolist())
    half = 1.96 * scores.std() / 2000**0.5
    assert (low, high) == pytest.approx((scores.mean() - half, scores.mean() + half), abs=0.1 * half)


def test_of_few_images_the_interval_follows_their_skew_and_is_the_same_each_time() -> None:
    scores = [6.0] * 9 + [9.0]
    low, high = bootstrap_interval(scores)
    mean = 6.3
    assert 6.0 <= low < mean < high <= 9.0
    assert high - mean > mean - low
    assert (low, high) == bootstrap_interval(scores)
