"""Creating and resuming studies: repeatable however they are cut into calls, and readable by plain Optuna."""

import json
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
import optuna.cli
import pytest
from optuna.trial import TrialState

from hpo.config.call_arguments import N_BEST_KEPT
from hpo.config.hyperparameters import Range
from hpo.config.search_space import suggest
from hpo.optunahub.samplers.learning_curves.configurations import NEVER_PRUNED
from hpo.search.pruners import HalvingPruner
from hpo.search.samplers import ConfigurationSampler
from hpo.search.warm_start import WARM_START, WarmStart
from hpo.storage.backend import existing_study
from hpo.storage.checkpoints import unneeded_checkpoints
from hpo.storage.create_study import attach_sampler_and_pruner, create_study
from hpo.storage.paths import StudyPaths
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialReported
from hpo.workers.worker import run_trials
from model.config import TrainConfig
from model.data.images import ImageData
from model.device import Runtime
from tests.search.trial_lists import SPACE as LIST_SPACE
from tests.search.trial_lists import small_config
from tests.tools.small_study import CONFIG, SPACE, create_context, create_small_study, reopen, running

pytestmark = pytest.mark.usefixtures("undrawn")

# Two more than the study samples at random.
N_TRIALS = 5
OptunaCli = Callable[..., Any]


def test_an_interrupted_study_ends_as_one_that_was_not(tmp_path: Path, few_images: ImageData, runtime: Runtime) -> None:
    def finish(folder: Path, stops: tuple[int, ...]) -> list[tuple[object, ...]]:
        context = create_context(StudyPaths(folder / "small"), few_images, runtime)
        paths = context.paths
        for stop in (*stops, None):
            context = reopen(context)
            for index, _ in enumerate(run_trials(context, N_TRIALS, None), start=1):
                if index == stop:
                    break
        assert not running(context.study)
        assert list(paths.claims.iterdir()) == [paths.claiming_lock]
        assert unneeded_checkpoints(context.study, paths, N_BEST_KEPT, CONFIG.pruner) == []
        return [
            (t.number, t.state, t.params, t.value, t.intermediate_values, t.user_attrs["end"])
            for t in context.study.trials
        ]

    whole = finish(tmp_path / "whole", ())
    assert len(whole) == N_TRIALS
    # Stops after a trial has started, after its first report, and later.
    assert finish(tmp_path / "cut", (1, 2, 1, 5, 4)) == whole


def test_an_ended_trial_has_its_rate_distortion_sigma_speed_and_end_as_attributes(context: TrialContext) -> None:
    events = list(run_trials(context, 1, None))
    last = [event for event in events if isinstance(event, TrialReported)][-1].metrics
    trial = context.study.trials[0]
    assert trial.state == TrialState.COMPLETE
    assert trial.value == last.val_bpd
    attributes = trial.user_attrs
    for name in ("val_rate_nats", "val_distortion_nats", "val_mse", "sigma", "skipped_updates"):
        assert attributes[name] == asdict(last)[name]
    assert attributes["images_per_second"] > 0
    assert attributes["end"] == "finished"
    assert (attributes["device"], attributes["precision"]) == ("cpu", "float32")


def test_the_first_trials_have_the_tutorials_and_the_untuned_values_and_are_enqueued_once(
    context: TrialContext,
) -> None:
    attach_sampler_and_pruner(context.study, CONFIG)
    assert [trial.state for trial in context.study.trials] == [TrialState.WAITING] * 2
    assert [NEVER_PRUNED in trial.user_attrs for trial in context.study.trials] == [False, True]
    tutorial = asdict(TrainConfig())
    assert suggest(context.study.ask(), SPACE) == {name: tutorial[name] for name in SPACE.entries()} | {
        "batch_size": 32
    }


@pytest.mark.parametrize(
    ("best", "n_total", "enqueued"),
    [
        ([], None, [1.0]),
        ([{"beta": 2.0}, {"beta": 1.0}, {"beta": 3.0}], None, [1.0, 2.0, 3.0]),
        ([{"beta": 2.0}, {"beta": 3.0}], 2, [1.0, 2.0]),
    ],
)
def test_the_first_trials_are_the_tutorials_and_the_best_of_a_warm_start_each_once(
    best: list[dict[str, float]], n_total: int | None, enqueued: list[float]
) -> None:
    study = optuna.create_study()
    study.set_user_attr("startup_trials", 3)
    study.set_user_attr(WARM_START, WarmStart("other", best, []).as_attribute())
    for _ in range(2):
        attach_sampler_and_pruner(study, small_config(), n_total)
        assert [trial.system_attrs["fixed_params"]["beta"] for trial in study.trials] == enqueued
        assert not any(NEVER_PRUNED in trial.user_attrs for trial in study.trials)
    assert isinstance(study.sampler, ConfigurationSampler) and isinstance(study.pruner, HalvingPruner)


def test_tutorial_values_outside_of_the_ranges_are_not_tried_but_a_good_guess_within_them() -> None:
    study = optuna.create_study()
    study.set_user_attr("startup_trials", 3)
    space = LIST_SPACE.model_copy(update={"beta": Range[float](low=2.0, high=10.0)})
    attach_sampler_and_pruner(study, small_config().model_copy(update={"hyperparameters": space}))
    assert [trial.system_attrs["fixed_params"] for trial in study.trials] == [{"beta": 2.0}]


def test_a_study_whose_creation_was_interrupted_is_created_again(tmp_path: Path, few_images: ImageData) -> None:
    paths = StudyPaths(tmp_path / "small")
    two_objectives = CONFIG.model_copy(update={"objectives": ("val_bpd", "latent_dim")})
    interrupted = create_study(two_objectives, paths, {"startup_trials": 3})
    assert (len(interrupted.directions), interrupted.metric_names) == (2, ["val_bpd", "latent_dim"])
    assert existing_study("small", paths) is None
    study = create_small_study(paths, few_images)
    assert [direction.name for direction in study.directions] == ["MINIMIZE"]
    assert study.metric_names == ["val_bpd"] and study.user_attrs["startup_trials"] == 3
    with pytest.raises(AssertionError, match=r"^it has trials$"):
        create_study(CONFIG, paths, {})
    existing = existing_study("small", paths)
    assert existing is not None and len(existing.trials) == 1


def test_the_database_is_in_wal_mode(context: TrialContext) -> None:
    assert sqlite3.connect(context.paths.database).execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.fixture
def optuna_cli(context: TrialContext, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> OptunaCli:
    """Run Optuna's own command line on the study; returns its answer, from JSON."""

    def run(*arguments: str) -> Any:
        options = ("--storage", f"sqlite:///{context.paths.database}", "-f", "json")
        monkeypatch.setattr(sys, "argv", ["optuna", *arguments, *options])
        capsys.readouterr()
        assert optuna.cli.main() == 0
        return json.loads(capsys.readouterr().out)

    return run


def test_a_study_can_be_read_with_plain_optuna_and_its_command_line(
    context: TrialContext, optuna_cli: OptunaCli
) -> None:
    list(run_trials(context, 2, None))
    study = optuna.load_study(study_name="small", storage=f"sqlite:///{context.paths.database}")
    (listed,) = optuna_cli("studies")
    assert (listed["name"], listed["direction"], listed["n_trials"]) == ("small", ["MINIMIZE"], 2)
    trials = optuna_cli("trials", "--study-name", "small")
    assert [trial["number"] for trial in trials] == [0, 1]
    assert [trial["params"] for trial in trials] == [trial.params for trial in study.trials]
    best = optuna_cli("best-trial", "--study-name", "small")
    assert best["number"] == study.best_trial.number
    assert best["params"] == study.best_params
    assert best["value"] == {"val_bpd": study.best_value}
