"""Arguments of one call of `tune` or `retrain`."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hpo.config.call_arguments import retrain_arguments, tune_arguments
from hpo.config.schema import Budget, StudyConfig
from hpo.config.study_file import ConfigError
from hpo.runs.retrain import open_retraining
from hpo.workers.tuning_session import open_tuning_session

CONFIG = StudyConfig.model_construct(name="never-opened", budget=Budget(trials=3))


def tune(config: StudyConfig, **arguments: Any) -> None:
    with open_tuning_session(config, **arguments):
        raise AssertionError("an invalid argument was accepted")


@pytest.mark.parametrize(
    ("call", "arguments", "message"),
    [
        (tune, {"timeout_minutes": 0}, "timeout_minutes (--timeout): must be > 0.0, got 0"),
        (tune, {"timeout_minutes": float("nan")}, "timeout_minutes (--timeout): must be finite, got nan"),
        (tune, {"trials": 0}, "trials: must be >= 1, got 0"),
        (tune, {"trials": True}, "trials: must be a whole number, got True"),
        (tune, {"workers": 0, "trials": -1}, "trials: must be >= 1, got -1\nworkers: must be >= 1, got 0"),
        (tune, {"workers": 257}, "workers: must be <= 256, got 257"),
        (open_retraining, {"trial": -1}, "trial: must be >= 0, got -1"),
        (open_retraining, {"epochs": 0}, "epochs: must be >= 1, got 0"),
        (open_retraining, {"epochs": 2.5}, "epochs: must be a whole number, got 2.5"),
    ],
)
def test_an_argument_out_of_its_range_is_refused_before_anything_is_read(
    call: Callable[..., object], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        call(CONFIG, **arguments)
    assert str(refused.value) == message


def test_what_is_not_given_comes_from_the_file() -> None:
    arguments = tune_arguments(Budget(trials=3, timeout_minutes=5.0), timeout_minutes=1)
    assert (arguments.trials, arguments.timeout_minutes, arguments.workers) == (3, 1.0, 1)


def test_numbers_of_a_data_frame_are_accepted() -> None:
    number: Any = np.int64(2)
    assert retrain_arguments(trial=number).trial == 2
    assert tune_arguments(Budget(trials=3), trials=number).trials == 2
