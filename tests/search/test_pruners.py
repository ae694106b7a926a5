"""The median pruner: when it compares a trial, and with which other trials."""

import optuna
import pytest
from optuna.trial import create_trial

from hpo.config.schema import Pruner, Training
from hpo.search.configurations import CONFIRMS
from hpo.search.pruners import make_pruner, pruning_reason


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
    assert pruning_reason(study, 5, 2.0, [7.2, 7.1]).endswith("7.1000 against the median 7.0000")
