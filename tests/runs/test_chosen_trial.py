"""Choice of the trial to retrain, also while none has finished."""

from collections.abc import Sequence
from pathlib import Path

import optuna
import pytest

from hpo.config.schema import Sampler
from hpo.config.search_space import distributions
from hpo.config.study_file import find_config, read_config
from hpo.optunahub.samplers.learning_curves.configurations import Configuration
from hpo.optunahub.samplers.learning_curves.interfaces import Prediction
from hpo.runs.retrain import choose_trial, expected_score, open_retraining
from hpo.search.samplers import ConfigurationSampler
from hpo.storage.database import StudyError
from tests.search.trial_lists import SPACE, Description, make_trials, small_config
from tests.tools import synthetic

PAUSED: list[Description] = [("pruned", [7.0], {}), ("pruned", [6.9], {}), ("pruned", [7.2, 6.95], {})]


class _Predictions(ConfigurationSampler):
    def __init__(self, *scores: float) -> None:
        super().__init__("tpe", distributions(SPACE), seed=0, n_startup_trials=1, n_reports=9)
        self._scores = scores

    def predict_final_scores(self, configurations: Sequence[Configuration]) -> dict[int, float]:
        return {configuration.number: self._scores[configuration.number] for configuration in configurations}

    def predict_scores_at(self, configurations: Sequence[Configuration], share: float) -> dict[int, Prediction]:
        """Those of odd numbers gain from a longer training, the others do not."""
        return {
            number: Prediction(score - (share - 1) * (number % 2), 0.05 if number != 5 else 0.3)
            for number, score in self.predict_final_scores(configurations).items()
        }


def chosen(
    *descriptions: Description,
    sampler: ConfigurationSampler | None = None,
    number: int | None = None,
    n_epochs: int | None = None,
) -> tuple[int, list[str]]:
    study = optuna.create_study(sampler=sampler)
    study.set_user_attr("startup_trials", 1)
    study.add_trials(make_trials(*descriptions))
    notices: list[str] = []
    config = small_config().model_copy(update={"sampler": Sampler(name="tpe")})
    return choose_trial(study, config, number, "mine", notices.append, n_epochs).number, notices


def test_a_trial_that_has_finished_comes_before_any_that_is_expected_to_end_better() -> None:
    assert chosen(*PAUSED, ("finished", [7.5], {}), sampler=_Predictions(6.0, 6.0, 6.0, 7.5)) == (3, [])


def test_while_none_has_finished_the_one_that_is_expected_to_end_best_is_retrained() -> None:
    number, notices = chosen(*PAUSED, sampler=_Predictions(6.2, 6.3, 6.4))
    assert number == 0
    expected = "Trial 0 is expected to end best, at 6.2000 bits per dimension."
    assert notices == [f"No trial has finished. {expected}"]


def test_the_score_that_is_expected_of_an_unfinished_trial_is_kept_for_comparison() -> None:
    continued: list[Description] = [
        ("pruned", [7.0, 6.8], {"continues": 0}),
        ("finished", [6.9, 6.4], {"continues": 1}),
    ]
    study = optuna.create_study(sampler=_Predictions(6.2, 6.3, 6.4))
    study.add_trials(make_trials(*PAUSED, *continued))
    length = small_config().training.n_epochs

    def scores(n_epochs: int) -> list[float | None]:
        found = [expected_score(study, small_config(), trial, n_epochs) for trial in study.trials]
        return [prediction.score if prediction else None for prediction in found]

    assert scores(length) == [6.2, None, 6.4, 6.2, None], "trial 4 has finished what trial 1 began"
    assert scores(2 * length) == [6.2, pytest.approx(5.3), 6.4, 6.2, pytest.approx(5.3)]
    assert scores(length - 1) == [None] * 5


def test_for_a_longer_retraining_it_is_the_one_with_the_lowest_upper_bound_of_the_score_then() -> None:
    length = small_config().training.n_epochs
    uncertain: Description = ("pruned", [6.8], {})
    trials: list[Description] = [*PAUSED, ("finished", [7.5], {}), ("diverged", [5.0], {}), uncertain]
    sampler = _Predictions(6.0, 6.5, 6.1, 6.3, 5.0, 6.1)
    number, notices = chosen(*trials, sampler=sampler, n_epochs=2 * length)
    assert number == 3 and notices == [
        f"After {2 * length} epochs, trial 3 is expected to score 5.3000 ± 0.0500 bits per dimension, the lowest with "
        f"its standard deviation added. Of trials of {length} epochs, the best is 3."
    ]
    assert chosen(*trials, sampler=sampler, n_epochs=length) == (3, [])
    (much_longer,) = chosen(*trials, sampler=sampler, n_epochs=20 * length)[1]
    assert f"After {20 * length} epochs, trial 3 is expected to score 5.3000" in much_longer, (
        "as after twice the length"
    )
    assert chosen(*PAUSED, sampler=sampler, n_epochs=2 * length)[0] == 1
    assert chosen(*PAUSED, sampler=sampler, number=0, n_epochs=2 * length) == (0, [])
    assert chosen(*PAUSED, n_epochs=2 * length)[0] == 2, "a sampler that predicts nothing"


def test_without_predictions_it_is_the_best_of_those_that_were_trained_furthest() -> None:
    number, notices = chosen(*PAUSED)
    reason = "is the best of those trained furthest, at 6.9500 bits per dimension so far."
    assert number == 2 and notices == [f"No trial has finished. Trial 2 {reason}"]
    assert chosen(*PAUSED[:2])[0] == 1


def test_of_a_continued_configuration_it_is_the_last_trial_that_was_trained() -> None:
    continued: list[Description] = [PAUSED[0], ("pruned", [7.0, 6.8], {"continues": 0})]
    assert chosen(*continued)[0] == 1
    assert chosen(*continued, ("waiting", [], {"continues": 1}))[0] == 1


def test_it_may_be_an_interrupted_one_but_not_one_that_diverged() -> None:
    assert chosen(*PAUSED, ("running", [7.0, 6.9, 6.8], {}))[0] == 3
    assert chosen(*PAUSED, ("diverged", [6.0, 5.9, 5.8], {}))[0] == 2


def test_without_any_score_there_is_nothing_to_retrain() -> None:
    with pytest.raises(StudyError, match=r"^no trial has been trained yet; run make tune STUDY=mine$"):
        chosen(("failed", [], {}))


def test_any_trial_that_has_a_score_and_no_fault_can_be_named() -> None:
    trials: list[Description] = [*PAUSED, ("running", [7.0], {}), ("finished", [6.9], {})]
    assert [chosen(*trials, number=number)[0] for number in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(StudyError, match=r"^--trial 0: has no score yet; choose another$"):
        chosen(("running", [], {}), number=0)
    with pytest.raises(StudyError, match=r"^--trial 0: is diverged; choose one that finished or was pruned$"):
        chosen(("diverged", [7.0], {}), number=0)


def test_the_expected_score_is_kept_for_a_retraining_as_long_as_a_trial_and_for_a_longer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    opened = synthetic.create(tmp_path, file={"data": {"source": "sample"}, "training": {"epochs": 3}})
    for score in (7.0, 6.9):
        synthetic.add_trial(opened, score, end="pruned at epoch 1")
    # The synthetic study is not of these images.
    monkeypatch.setattr("hpo.runs.retrain.check_unchanged", lambda *_: None)
    config = read_config(find_config("small"))
    as_long, longer = (open_retraining(config, epochs=epochs)._run().origin for epochs in (3, 4))
    assert as_long is not None and longer is not None
    assert (as_long.trial, as_long.val_bpd, as_long.epochs) == (1, 6.9, 1.0)
    for origin in (as_long, longer):
        assert origin.expected_bpd is not None and origin.expected_bpd < 7.0
        assert origin.expected_deviation is not None and origin.expected_deviation > 0
