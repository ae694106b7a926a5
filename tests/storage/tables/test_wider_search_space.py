"""A study whose file names a wider search space than it was created with."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Literal

import optuna
import pytest
from optuna.trial import TrialState

from hpo.config.hyperparameters import Choices, Hyperparameters, Range
from hpo.config.schema import StudyConfig
from hpo.config.search_space import distributions
from hpo.storage.backend import existing_study
from hpo.storage.database import StudyError
from hpo.storage.fingerprint import (
    check_unchanged,
    fingerprint,
    settings_fingerprint,
    stored_fingerprint,
    wider_entries,
)
from hpo.storage.tables.wider_search_space import adopt_wider_space
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialEnded, TrialReported
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
    line = adopt_wider_space(context.study, config, context.paths)
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
    monkeypatch.setattr("hpo.storage.tables.wider_search_space.json", SimpleNamespace(dumps=fail))
    with pytest.raises(StudyError, match="disk I/O error"):
        adopt_wider_space(context.study, with_space(**WIDER), context.paths)
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
    adopt_wider_space(context.study, wider, context.paths)
    resumed = reopen(replace(context, config=wider))
    values = resumed.study.trials[0].params
    assert values["schedule"] == "constant"
    run_until(resumed, TrialEnded)
    trial = resumed.study.trials[0]
    assert trial.state == TrialState.COMPLETE and trial.params == values and len(trial.intermediate_values) == 3


def test_new_values_come_from_the_wider_space(context: TrialContext) -> None:
    run_until(context, TrialEnded)
    config = with_space(latent_dim=Choices[int](choices=(2, 4, 128, 8, 16, 32, 64)))
    adopt_wider_space(context.study, config, context.paths)
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
            adopt_wider_space(study, with_space(**WIDER), context.paths)
    assert wider_entries(stored_fingerprint(context.study), settings_fingerprint(with_space(**WIDER))) == list(WIDER)
