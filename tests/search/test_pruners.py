"""Pruners: when they compare a trial, and with which other trials."""

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from hpo.config.schema import Pruner, Training
from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES
from hpo.search.configurations import CONFIRMS
from hpo.search.pruners import HalvingPruner, make_pruner, pruning_reason
from tests.search.trial_lists import Description, make_trials


@pytest.fixture
def study() -> optuna.Study:
    return optuna.create_study()


def verdicts(study: optuna.Study, scores: list[float]) -> list[bool]:
    """Report scores in a new trial, ask the pruner after each of them, and finish the trial."""
    trial = study.ask()
    decisions = []
    for step, score in enumerate(scores, start=1):
        trial.report(score, step)
        decisions.append(trial.should_prune())
    study.tell(trial, scores[-1])
    return decisions


def test_the_median_pruner_waits_for_its_startup_trials_and_warmup_epochs(study: optuna.Study) -> None:
    training = Training(epochs=3, report_every=0.5)
    study.pruner = make_pruner(Pruner(name="median", startup_trials=2, warmup_epochs=1), training)
    assert verdicts(study, [7.0, 6.9, 6.8]) == [False] * 3
    assert verdicts(study, [7.1, 7.0, 6.9]) == [False] * 3
    assert verdicts(study, [8.0, 8.0, 8.0]) == [False, True, True], "not before the first epoch, which is two reports"
    assert verdicts(study, [6.9, 6.8, 6.7]) == [False] * 3


def test_confirmations_do_not_count_in_the_median(study: optuna.Study) -> None:
    study.pruner = make_pruner(Pruner(name="median", startup_trials=2), Training(epochs=3))

    def add(score: float, **attributes: int) -> None:
        scores = {1: score, 2: score}
        study.add_trial(create_trial(value=score, intermediate_values=scores, user_attrs=attributes))

    def is_pruned(score: float) -> bool:
        trial = study.ask()
        for step in (1, 2):
            trial.report(score, step)
        return trial.should_prune()

    add(7.0)
    for _ in range(2):
        add(6.5, **{CONFIRMS: 0})
    assert not is_pruned(8.0), "one trial of the search is fewer than two"
    add(7.0)
    assert is_pruned(7.1) and not is_pruned(6.9), "they are compared with 7.0, whatever the confirmations scored"
    for _ in range(3):
        study.add_trial(create_trial(state=TrialState.PRUNED, intermediate_values={1: 9.0, 2: 9.0}))
    # One that reported less often.
    study.add_trial(create_trial(value=6.0, intermediate_values={1: 6.0}))
    assert pruning_reason(study, 5, 1.5, [7.1, 7.2]) == "pruned at epoch 1.5: 7.1000 against the median 7.0000"


def test_without_warmup_epochs_the_median_pruner_compares_from_the_first_report_on(study: optuna.Study) -> None:
    pruner = Pruner(name="median", startup_trials=1, warmup_epochs=0)
    study.pruner = make_pruner(pruner, Training(epochs=3, report_every=0.5))
    assert verdicts(study, [7.0, 6.9, 6.8]) == [False] * 3
    assert verdicts(study, [8.0, 8.0, 8.0]) == [True] * 3


def test_the_pruner_none_stops_no_trial(study: optuna.Study) -> None:
    study.pruner = make_pruner(Pruner(name="none", startup_trials=1, warmup_epochs=0), Training(epochs=3))
    assert verdicts(study, [7.0, 6.9, 6.8]) == verdicts(study, [9.0] * 3) == [False] * 3


PAUSED: list[Description] = [("pruned", [7.0], {}), ("pruned", [6.9], {}), ("pruned", [6.8], {})]


@pytest.mark.parametrize(
    ("trial", "pauses"),
    [
        (("running", [7.1], {}), True),
        (("running", [6.7], {}), False),
        # Worst of all at the rung that it was promoted from, then on its way, then alone at the next rung.
        (("running", [7.0], {CONTINUES: 0}), False),
        (("running", [7.0, 6.9], {CONTINUES: 0}), False),
        (("running", [7.0, 6.9, 6.8], {CONTINUES: 0}), True),
    ],
)
def test_a_trial_pauses_at_a_rung_that_it_does_not_pass_except_for_the_one_it_was_promoted_from(
    trial: Description, pauses: bool, study: optuna.Study
) -> None:
    study.add_trials(make_trials(*PAUSED, trial))
    pruner = HalvingPruner(Pruner(warmup_epochs=1, rung_spacing=3, reduction_factor=3), Training(epochs=9))
    assert pruner.prune(study, study.trials[3]) is pauses


def test_the_reason_for_a_pause_names_the_last_score_and_the_configurations_rank(study: optuna.Study) -> None:
    study.pruner = make_pruner(Pruner(name="halving", warmup_epochs=1, reduction_factor=3), Training(epochs=9))
    study.add_trials(make_trials(*PAUSED, ("running", [7.1], {})))
    reason = pruning_reason(study, 3, 1.0, [7.1])
    assert reason == "pruned at epoch 1: 7.1000, ranked 4 of 4 at this rung; 1 promoted so far"
    study.add_trials(make_trials(("running", [7.0, 6.9, 6.85], {CONTINUES: 0})))
    reason = pruning_reason(study, 4, 3.0, [7.0, 6.9, 6.85])
    assert reason == "pruned at epoch 3: 6.8500, ranked 1 of 1 at this rung; 0 promoted so far"
