"""Optuna's own tests of samplers, for `LearningCurveSampler`."""

from collections.abc import Callable

import pytest
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase

from hpo.optunahub.samplers.learning_curves import LearningCurveSampler


class TestLearningCurveSampler(BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: LearningCurveSampler(seed=0)
