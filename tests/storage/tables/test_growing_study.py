"""A study whose file names a wider search space, or longer trials, than it was created with."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Literal

import optuna
import pytest
from optuna.trial import TrialState

from hpo.analysis.trial_table import trial_rows
from hpo.config.hyperparameters import Choices, Hyperparameters, Range
from hpo.config.schema import Confirmation, Pruner, StudyConfig
from hpo.config.search_space import distributions, trial_config
from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES, as_single_trial
from hpo.search.configurations import CONFIRMS, RESTARTED, configurations_of
from hpo.storage.backend import existing_study
from hpo.storage.database import StudyError
from hpo.storage.fingerprint import (
    check_unchanged,
    fingerprint,
    settings_fingerprint,
    stored_fingerprint,
    wider_entries,
)
from hpo.storage.tables.growing_study import adopt_growth
from hpo.workers.pictures.trial_frames import TrialFrameRecorder
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialEnded, TrialReported
from model.training.train_state import TrainState
from model.training.training_loop import train
from tests.tools.small_study import CONFIG, SPACE, reopen, run_until


def with_space(**entries: Any) -> StudyConfig:
    return CONFIG.model_copy(update={"hyperparameters": Hyperparameters(**{**SPACE.entries(), **entries})})


def grown(**entries: Any) -> list[str]:
    return wider_entries(settings_fingerprint(CONFIG), settings_fingerprint(with_space(**entries)))


def log_range(low: float, high: float) -> Range[float]:
    return Range[float](low=low, high=high, log=True)


@pytest.mark.parametrize(
    ("entries", "names"),
    [
        ({}, []),
        ({"beta": log_range(0.01, 10.0)}, ["beta"]),
        ({"beta": log_range(0.1, 20.0), "latent_dim": Choices[int](choices=(4, 2, 128, 8))}, ["beta", "latent_dim"]),
        ({"latent_dim": Choices[int](choices=(128, 4, 2))}, ["latent_dim"]),
        ({"beta": log_range(0.2, 20.0)}, []),
        ({"beta": log_range(0.1, 5.0)}, []),
        ({"beta": Range[float](low=0.1, high=20.0)}, []),
        ({"beta": 1.0}, []),
        ({"batch_size": Choices[int](choices=(32, 64))}, []),
        ({"latent_dim": Choices[int](choices=(2, 4))}, []),
        ({"latent_dim": Range[int](low=2, high=128)}, []),
    ],
)
def test_a_space_has_grown_where_the_new_entry_contains_the_old_one(entries: dict[str, Any], names: list[str]) -> None:
    assert grown(**entries) == names


def test_every_command_accepts_a_wider_space_and_refuses_one_that_is_narrower_elsewhere(context: TrialContext) -> None:
    wider = with_space(beta=log_range(0.01, 100.0))
    check_unchanged(context.study, fingerprint(wider, context.data), context.paths)
    mixed = with_space(beta=log_range(0.01, 100.0), learning_rate=log_range(1e-3, 1e-2))
    with pytest.raises(StudyError, match=r"different settings: hyperparameters\.learning_rate was [^;]*\. Change"):
        check_unchanged(context.study, fingerprint(mixed, context.data), context.paths)


WIDER = {"beta": log_range(0.01, 100.0), "latent_dim": Choices[int](choices=(1, 2, 4, 8, 128))}


def test_trials_keep_their_values_and_new_ones_have_the_wider_space(context: TrialContext) -> None:
    run_until(context, TrialEnded, n_events=2, n_total=2)
    before = [trial.params for trial in context.study.trials]
    config = with_space(**WIDER)
    (line,) = adopt_growth(context.study, config, context.paths)
    assert line == (
        "The study goes on with the wider search space of its file: beta from 0.01 to 100, before from 0.1 to 10; "
        "latent_dim [1, 2, 4, 8, 128], before [2, 4, 128]"
    )
    assert wider_entries(stored_fingerprint(context.study), settings_fingerprint(config)) == []
    with pytest.raises(StudyError, match=r"beta was .*100.* is now .*10\.0"):
        check_unchanged(context.study, fingerprint(CONFIG, context.data), context.paths)
    wider = reopen(TrialContext(config, context.paths, context.study, context.data, context.runtime))
    assert [trial.params for trial in wider.study.trials] == before
    wider.study.enqueue_trial({"latent_dim": 8, "beta": 0.02})
    run_until(wider, TrialEnded, n_total=3)
    values = [trial.params for trial in wider.study.trials]
    assert values[:2] == before and values[2]["latent_dim"] == 8 and values[2]["beta"] == 0.02
    assert {trial.distributions["beta"] for trial in wider.study.trials} == {
        optuna.distributions.FloatDistribution(0.01, 100.0, log=True)
    }


def test_values_and_fingerprint_change_together_or_not_at_all(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_until(context, TrialEnded)
    before = context.study.trials[0]

    def fail(_: object) -> str:
        raise sqlite3.OperationalError("disk I/O error")

    # The last thing that is computed before the last write.
    monkeypatch.setattr("hpo.storage.tables.growing_study.json", SimpleNamespace(dumps=fail))
    with pytest.raises(StudyError, match="disk I/O error"):
        adopt_growth(context.study, with_space(**WIDER), context.paths)
    monkeypatch.undo()
    study = existing_study(CONFIG.name, context.paths)
    assert study is not None and study.trials[0].distributions == before.distributions
    check_unchanged(study, fingerprint(CONFIG, context.data), context.paths)


def test_an_interrupted_trial_and_words_as_choices_go_on(context: TrialContext) -> None:
    words = {"schedule": Choices[Literal["constant", "cosine"]](choices=("constant",))}
    config = with_space(**words)
    context.study.set_user_attr("identity", fingerprint(config, context.data))
    interrupted = replace(context, config=config)
    run_until(interrupted, TrialReported)
    wider = with_space(**WIDER, schedule=Choices[Literal["constant", "cosine"]](choices=("cosine", "constant")))
    adopt_growth(context.study, wider, context.paths)
    resumed = reopen(replace(context, config=wider))
    values = resumed.study.trials[0].params
    assert values["schedule"] == "constant"
    run_until(resumed, TrialEnded)
    trial = resumed.study.trials[0]
    assert trial.state == TrialState.COMPLETE and trial.params == values and len(trial.intermediate_values) == 3


def with_epochs(n_epochs: int, **changes: Any) -> StudyConfig:
    training = CONFIG.training.model_copy(update={"epochs": n_epochs})
    pruner = Pruner(name="halving", warmup_epochs=1, reduction_factor=2)
    return CONFIG.model_copy(update={"training": training, "pruner": pruner} | changes)


def begin_with(context: TrialContext, config: StudyConfig) -> TrialContext:
    """Let the new study have this configuration."""
    context.study.set_user_attr("identity", fingerprint(config, context.data))
    return reopen(replace(context, config=config))


def test_finished_trials_of_a_study_whose_trials_become_longer_are_paused_and_go_on(context: TrialContext) -> None:
    begun = begin_with(context, with_epochs(2, confirmation=Confirmation(top=1, seeds=1)))
    run_until(begun, TrialEnded, n_events=4, n_total=2)
    before = configurations_of(begun.study)
    finished = [configuration for configuration in before if configuration.value is not None]
    assert finished and sum(len(configuration.confirmations) for configuration in before) == 1
    config = with_epochs(4, confirmation=Confirmation(top=1, seeds=1))
    check_unchanged(begun.study, fingerprint(config, context.data), context.paths, config)
    line = "Trials have 4 epochs from now on, before 2: those that may become the best are continued"
    assert adopt_growth(begun.study, config, context.paths) == [line]
    grown = reopen(replace(begun, config=config))
    assert adopt_growth(grown.study, config, context.paths) == []
    paused = [c for c in configurations_of(grown.study) if c.number in {c.number for c in finished}]
    assert all(configuration.is_paused and configuration.value is None for configuration in paused)
    assert all(not c.confirmation_scores and c.n_confirmations == 0 for c in paused)
    assert {as_single_trial(configuration).state for configuration in paused} == {TrialState.PRUNED}
    run_until(grown, TrialEnded, n_events=100, n_total=2)
    trials = grown.study.trials
    (best,) = [configuration for configuration in configurations_of(grown.study) if configuration.value is not None]
    assert best.number in {configuration.number for configuration in finished}
    assert best.n_confirmations == 1 and len(best.confirmation_scores) == 1
    assert CONTINUES in best.last_trial.user_attrs and RESTARTED not in best.last_trial.user_attrs
    training = trial_config(config, config.hyperparameters.fixed() | best.params, best.number)
    planned = [metrics.val_bpd for metrics in train(TrainState(training, context.runtime), context.data)]
    assert [best.scores[step] for step in sorted(best.scores)] == planned
    # Untrained, and after each report, of which the first half is inherited.
    frames = TrialFrameRecorder(context.data.validation, context.paths.trial(best.last_trial.number)).frames(4)
    assert [frame.report for frame in frames] == [0, 1, 2, 3, 4]
    kinds = {row.number: row.kind for row in trial_rows(grown.study, config)}
    assert [kinds[trial.number] for trial in trials if CONFIRMS in trial.user_attrs] == ["confirmation"] * 2


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pruner": Pruner(name="median")}, "with pruner median"),
        ({"hyperparameters": SPACE.model_copy(update={"schedule": "cosine"})}, "with schedule cosine"),
        ({"hyperparameters": SPACE.model_copy(update={"warmup_epochs": 3.0})}, "since their warm-up"),
    ],
)
def test_a_study_whose_trials_cannot_become_longer_says_why(
    context: TrialContext, changes: dict[str, Any], reason: str
) -> None:
    begun, config = begin_with(context, with_epochs(2, **changes)), with_epochs(4, **changes)
    with pytest.raises(StudyError, match=rf"training\.epochs was 2, is now 4 \(trials cannot become longer {reason}"):
        check_unchanged(begun.study, fingerprint(config, context.data), context.paths, config)


def test_new_values_come_from_the_wider_space(context: TrialContext) -> None:
    run_until(context, TrialEnded)
    config = with_space(latent_dim=Choices[int](choices=(2, 4, 128, 8, 16, 32, 64)))
    adopt_growth(context.study, config, context.paths)
    wider = reopen(replace(context, config=config))
    drawn = {wider.study.ask(distributions(config.hyperparameters)).params["latent_dim"] for _ in range(12)}
    assert drawn - {2, 4, 128}


def test_a_database_that_cannot_be_written_is_one_line(context: TrialContext, monkeypatch: pytest.MonkeyPatch) -> None:
    run_until(context, TrialEnded)
    monkeypatch.setattr("hpo.storage.local.sqlite_database.BUSY_TIMEOUT_S", 0)
    study = reopen(context).study
    with closing(sqlite3.connect(context.paths.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StudyError, match=r"its database cannot be written \(database is locked\)"):
            adopt_growth(study, with_space(**WIDER), context.paths)
    assert wider_entries(stored_fingerprint(context.study), settings_fingerprint(with_space(**WIDER))) == list(WIDER)
