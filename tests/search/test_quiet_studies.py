"""Studies that the search makes in memory leave Optuna's logging to the caller."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import create_trial

from hpo.analysis.importances import find_importances
from hpo.optunahub.samplers.learning_curves.in_memory_studies import in_memory_study
from hpo.search.pareto import ParetoTrial, pareto_front_data
from hpo.search.pruners import SearchMedianPruner
from hpo.search.samplers import ConfigurationSampler
from hpo.storage.create_study import create_study
from hpo.storage.paths import StudyPaths
from tests.tools.small_study import CONFIG

SPACE: dict[str, BaseDistribution] = {"x": FloatDistribution(0.0, 1.0), "y": FloatDistribution(0.0, 1.0)}


@pytest.fixture
def study() -> Iterator[optuna.Study]:
    """A study of 12 finished trials, with Optuna's messages on and handed to the root logger."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.INFO)
    optuna.logging.enable_propagation()
    study = optuna.create_study(sampler=ConfigurationSampler("tpe", SPACE, 0, 2, 3), pruner=SearchMedianPruner())
    for number in range(12):
        params = {"x": number / 12, "y": (number * 5 % 12) / 12}
        study.add_trial(create_trial(params=params, distributions=SPACE, value=number, intermediate_values={1: 1.0}))
    yield study
    optuna.logging.disable_propagation()
    optuna.logging.set_verbosity(level)


def prune(study: optuna.Study) -> None:
    trial = study.ask()
    trial.report(2.0, 1)
    trial.should_prune()


@pytest.mark.parametrize(
    "use",
    [
        lambda study: study.ask(SPACE),
        prune,
        lambda study: find_importances(study, 12),
        lambda _: pareto_front_data("latent_dim", [ParetoTrial(0, 7.0, 2.0)]),
    ],
    ids=["sampler", "pruner", "importances", "pareto front"],
)
def test_our_own_studies_in_memory_are_not_logged(
    use: Callable[[optuna.Study], object], study: optuna.Study, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.clear()
    use(study)
    assert caplog.messages == []


def test_the_callers_logging_stays_as_it_was(study: optuna.Study, caplog: pytest.LogCaptureFixture) -> None:
    caplog.clear()
    for level in (optuna.logging.INFO, optuna.logging.ERROR):
        optuna.logging.set_verbosity(level)
        in_memory_study()
        assert optuna.logging.get_verbosity() == level
    optuna.logging.set_verbosity(optuna.logging.INFO)
    optuna.create_study()
    assert len(caplog.messages) == 1 and "created in memory" in caplog.messages[0]


def test_creating_a_study_does_not_warn_of_features_that_only_we_use(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", optuna.exceptions.ExperimentalWarning)
        create_study(CONFIG, StudyPaths(tmp_path / "small"), {})
