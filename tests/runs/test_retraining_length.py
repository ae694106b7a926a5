"""Length of a retraining whose file leaves it open."""

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from hpo.config.schema import Retrain, Training
from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES
from hpo.runs.retrain import retraining_epochs
from hpo.search.configurations import END
from tests.search.trial_lists import small_config

CONFIG = small_config().model_copy(update={"training": Training(epochs=4, report_every=0.5), "retrain": Retrain()})


def study_of(*curves: dict[int, float], continued: bool = False, paused: bool = False) -> optuna.Study:
    study = optuna.create_study()
    for number, scores in enumerate(curves):
        attributes = {CONTINUES: number - 1} if continued and number else {}
        study.add_trial(
            create_trial(
                state=TrialState.PRUNED if paused else TrialState.COMPLETE,
                value=None if paused else list(scores.values())[-1],
                intermediate_values=scores,
                user_attrs={END: "pruned" if paused else "finished", **attributes},
            )
        )
    return study


@pytest.mark.parametrize(
    ("scores", "epochs"),
    [
        ({2: 7.0, 4: 6.5, 6: 6.4, 8: 6.3}, 4),
        # Worse at the end, but by no more than 0.01.
        ({2: 7.0, 4: 6.5, 6: 6.3, 8: 6.309}, 4),
        ({2: 7.0, 4: 6.2, 6: 6.3, 8: 6.4}, 2),
        # At 2.5 epochs and at half an epoch.
        ({4: 6.5, 5: 6.2, 8: 6.4}, 2),
        ({1: 6.2, 4: 6.5, 8: 6.4}, 1),
    ],
)
def test_it_is_the_trials_or_ends_where_the_trial_was_notably_better(scores: dict[int, float], epochs: int) -> None:
    study = study_of(scores)
    assert retraining_epochs(CONFIG, study, study.trials[0]) == epochs


def test_a_trial_that_continues_another_has_its_reports_too() -> None:
    study = study_of({2: 6.2}, {4: 6.5, 8: 6.4}, continued=True)
    assert retraining_epochs(CONFIG, study, study.trials[1]) == 1


def test_a_trial_that_has_not_finished_does_not_tell_that_shorter_is_better() -> None:
    study = study_of({2: 7.0, 4: 6.2, 6: 6.3}, paused=True)
    assert retraining_epochs(CONFIG, study, study.trials[0]) == 4


def test_a_number_in_the_file_counts() -> None:
    config = CONFIG.model_copy(update={"retrain": Retrain(epochs=9)})
    study = study_of({2: 6.0, 8: 7.0})
    assert retraining_epochs(config, study, study.trials[0]) == 9
