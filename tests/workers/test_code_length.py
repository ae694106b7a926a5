"""A new study whose code is longer than what it is computed from is refused before anything is written."""

from pathlib import Path

import pytest

from hpo.config.hyperparameters import Hyperparameters, Range
from hpo.config.schema import Budget, Data, Model, StudyConfig
from hpo.config.study_file import ConfigError
from hpo.workers.study_setup import check_code_length
from hpo.workers.tuning_session import open_tuning_session


def config(largest: int, **model: object) -> StudyConfig:
    searched = Hyperparameters(latent_dim=Range[int](low=8, high=largest))
    return StudyConfig(
        name="long",
        model=Model.model_validate(model),
        hyperparameters=searched,
        budget=Budget(trials=1),
        data=Data(source="sample"),
    )


def test_a_longer_code_is_refused_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    message = r"latent_dim: must be at most 192, the number of features that model.channels \[2, 3\] compute.* 193$"
    with pytest.raises(ConfigError, match=message), open_tuning_session(config(193, channels=(2, 3))):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("largest", "model"),
    [
        (192, {"channels": (2, 3)}),
        (3072, {}),
        (1024, {"architecture": "norm_free"}),
        (64, {"architecture": "plain", "channels": (8, 16, 16, 16)}),
    ],
)
def test_a_code_as_long_as_the_features_is_not(largest: int, model: dict[str, object]) -> None:
    check_code_length(config(largest, **model))
