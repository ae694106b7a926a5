"""Search space: from a study file to the configuration of a trial."""

from hpo.config.schema import StudyConfig
from hpo.config.search_space import trial_config


def test_a_studys_model_section_reaches_its_trials() -> None:
    study = StudyConfig.model_validate(
        {
            "name": "s",
            "model": {"architecture": "plain", "linear_path": True},
            "hyperparameters": {"beta": {"low": 0.5, "high": 2.0}},
            "budget": {"trials": 1},
        }
    )
    config = trial_config(study, {"beta": 1.0}, 0)
    assert (config.architecture, config.linear_path) == ("plain", True)
