"""Warm start: a new study takes the best values and the comparable trials of another one."""

import json
from pathlib import Path

import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from hpo.config.hyperparameters import Range
from hpo.config.prepared_study import PreparedStudy
from hpo.config.schema import StudyConfig
from hpo.config.search_space import distributions
from hpo.search.configurations import CONFIRMS
from hpo.search.samplers import ConfigurationSampler
from hpo.search.warm_start import (
    WARM_START,
    WarmStart,
    WarmStartError,
    are_comparable,
    find_warm_start,
    warm_start_of,
)
from hpo.storage.create_study import attach_sampler_and_pruner
from hpo.storage.database import StudyError
from hpo.storage.open_study import OpenStudy
from hpo.workers.study_setup import plan_warm_start
from tests.search.trial_lists import SPACE as LIST_SPACE
from tests.search.trial_lists import Description, make_trials, small_config
from tests.tools import synthetic


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def other(root: Path) -> OpenStudy:
    """Five finished trials, the fourth of which is the best, a pruned one, and one that ended without values."""
    opened = synthetic.create(root, "other")
    for score, size in ((6.9, 64), (6.8, 65), (6.7, 66), (6.6, 200), (6.75, 68)):
        synthetic.add_trial(opened, *[7.0] * 5, score, values={"latent_dim": size})
    synthetic.add_trial(
        opened, 7.2, 7.1, end="pruned at epoch 1: 7.1 against the median 7.0", values={"latent_dim": 20}
    )
    opened.study.add_trial(create_trial(state=TrialState.FAIL))
    return opened


def fingerprint_of(opened: OpenStudy) -> dict[str, str]:
    fingerprint: dict[str, str] = opened.study.user_attrs["identity"]
    return fingerprint


def warm_start(config: StudyConfig, fingerprint: dict[str, str], other: OpenStudy) -> WarmStart:
    return find_warm_start(
        config, other.study, other.config, is_comparable=are_comparable(fingerprint, fingerprint_of(other))
    )


def with_latent_dim_up_to(config: StudyConfig, high: int) -> StudyConfig:
    space = config.hyperparameters.model_copy(update={"latent_dim": Range[int](low=16, high=high, log=True)})
    return config.model_copy(update={"hyperparameters": space})


def enqueued_sizes(study: optuna.Study) -> list[int]:
    """Return the latent dimensions of the waiting trials."""
    waiting = study.get_trials(states=(TrialState.WAITING,))
    return [trial.system_attrs["fixed_params"]["latent_dim"] for trial in waiting]


def test_a_comparable_study_gives_its_three_best_values_and_all_trials_that_have_values(other: OpenStudy) -> None:
    start = warm_start(other.config, fingerprint_of(other), other)
    assert [values["latent_dim"] for values in start.best] == [200, 66, 68]
    trials = start.trials(distributions(other.config.hyperparameters))
    assert [trial.params["latent_dim"] for trial in trials] == [64, 65, 66, 200, 68, 20]
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 5 + ["PRUNED"]
    assert trials[3].value == 6.6 and trials[5].intermediate_values == {1: 7.2, 2: 7.1}
    assert start.described().endswith("the sampler knows its 6 configurations.")


def test_values_outside_of_the_new_ranges_are_left_out_and_so_are_trials_that_do_not_compare(other: OpenStudy) -> None:
    changed = fingerprint_of(other) | {"hyperparameters.latent_dim": "another"}
    start = warm_start(with_latent_dim_up_to(other.config, 100), changed, other)
    assert [values["latent_dim"] for values in start.best] == [66, 68, 65]
    assert start.known == []
    with pytest.raises(WarmStartError, match=r"^no finished trial's values lie in this study's ranges$"):
        warm_start(with_latent_dim_up_to(other.config, 17), changed, other)


def test_a_study_without_a_finished_trial_has_nothing_to_give(tmp_path: Path) -> None:
    empty = synthetic.create(tmp_path, "empty")
    with pytest.raises(WarmStartError, match=r"^no trial has finished there$"):
        warm_start(empty.config, fingerprint_of(empty), empty)


def test_the_best_values_are_tried_once_each_after_the_tutorials_also_after_a_kill(
    other: OpenStudy, tmp_path: Path
) -> None:
    attribute = warm_start(other.config, fingerprint_of(other), other).as_attribute()
    new = synthetic.create(tmp_path, "new", **{WARM_START: attribute})
    for _ in range(2):
        attach_sampler_and_pruner(new.study, new.config)
        assert enqueued_sizes(new.study) == [128, 200, 66, 68]
    killed = synthetic.create(tmp_path, "killed", **{WARM_START: attribute})
    killed.study.enqueue_trial({"latent_dim": 128})
    attach_sampler_and_pruner(killed.study, killed.config)
    assert enqueued_sizes(killed.study) == [128, 200, 66, 68]


def test_no_more_of_the_best_values_are_tried_than_the_study_may_have_configurations(
    other: OpenStudy, tmp_path: Path
) -> None:
    attribute = warm_start(other.config, fingerprint_of(other), other).as_attribute()
    few = synthetic.create(tmp_path, "few", **{WARM_START: attribute})
    attach_sampler_and_pruner(few.study, few.config, 2)
    assert enqueued_sizes(few.study) == [128, 200]
    few.study.add_trial(create_trial(value=7.0, user_attrs={CONFIRMS: 0}))
    attach_sampler_and_pruner(few.study, few.config, 3)
    assert enqueued_sizes(few.study) == [128, 200, 66], "a trial that confirms another is no configuration"


def test_a_sampler_with_trials_of_another_study_is_guided_from_the_first_suggestion_on() -> None:
    space: dict[str, BaseDistribution] = {"x": FloatDistribution(0.0, 1.0)}

    def first_suggestions(start: WarmStart) -> list[float]:
        trials = start.trials(space)
        samplers = (ConfigurationSampler("tpe", space, seed, 10, 3, trials) for seed in range(20))
        return [optuna.create_study(sampler=sampler).ask(space).params["x"] for sampler in samplers]

    known = [
        {"state": "COMPLETE", "values": [abs(x - 0.9)], "params": {"x": x}, "scores": [], "constraints": {}}
        for x in (n / 30 for n in range(31))
    ]
    blind, guided = (first_suggestions(WarmStart("other", [], trials)) for trials in ([], known))
    assert sum(abs(x - 0.9) for x in guided) < 0.5 * sum(abs(x - 0.9) for x in blind)


def test_a_study_is_not_moved_aside_for_an_impossible_warm_start(
    other: OpenStudy, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty, existing = synthetic.create(root, "empty"), synthetic.create(root, "existing")
    monkeypatch.chdir(root)
    monkeypatch.setattr("hpo.workers.study_setup.fingerprint", lambda *_: fingerprint_of(other))
    prepared = PreparedStudy(existing.config, None, None, ())  # type: ignore[arg-type]
    with pytest.raises(WarmStartError, match="--from-study empty: no trial has finished there"):
        plan_warm_start(prepared, empty.config_name, fresh=True)
    with pytest.raises(StudyError, match="was created without it"):
        plan_warm_start(prepared, "other", fresh=False)
    assert existing.paths.folder.exists()
    planned = plan_warm_start(prepared, "other", fresh=True)
    assert planned is not None and "study other" in planned.described()


def list_study(*descriptions: Description, name: str = "other") -> optuna.Study:
    study = optuna.create_study(study_name=name)
    study.add_trials(make_trials(*descriptions))
    return study


def test_the_best_are_ranked_by_their_new_seeds_and_else_by_their_scores() -> None:
    finished: list[Description] = [("finished", [score], {}) for score in (6.5, 6.6, 6.7, 6.6)]
    seeds: list[Description] = [("finished", [score], {CONFIRMS: 0}) for score in (6.6, 6.7)]
    study = list_study(*finished, *seeds, ("running", [6.0], {}))
    start = find_warm_start(small_config(), study, small_config(), is_comparable=True)
    assert start.best == [{"beta": 2.0}, {"beta": 4.0}, {"beta": 1.0}], "at most three"
    assert [known["params"]["beta"] for known in start.known] == [1.0, 2.0, 3.0, 4.0], "not of those that still run"
    assert start.described() == "Starts with the best 3 of study other; the sampler knows its 4 configurations."
    foreign = find_warm_start(small_config(), study, small_config(), is_comparable=False)
    assert foreign.described() == (
        "Starts with the best 3 of study other; the sampler knows none of its trials, which do not compare."
    )


def test_a_trial_is_the_same_after_it_was_stored_as_json() -> None:
    study = list_study(("pruned", [7.0, 6.9], {}), ("diverged", [8.0], {}), ("finished", [6.5], {}))
    start = find_warm_start(small_config(), study, small_config(), is_comparable=True)
    stored = optuna.create_study()
    assert warm_start_of(stored) is None
    stored.set_user_attr(WARM_START, json.loads(json.dumps(start.as_attribute())))
    read = warm_start_of(stored)
    assert read is not None and (read.study, read.best) == ("other", [{"beta": 3.0}])
    for trial, original in zip(read.trials(distributions(LIST_SPACE)), study.trials, strict=True):
        for name in ("state", "values", "params", "distributions", "intermediate_values", "constraints"):
            assert getattr(trial, name) == getattr(original, name)


@pytest.mark.parametrize(
    ("key", "compare"),
    [
        ("data.digest", False),
        ("objectives", False),
        ("model", False),
        ("training.epochs", False),
        ("training.report_every", False),
        ("hyperparameters.beta", False),
        ("seed", True),
        ("data.source", True),
    ],
)
def test_scores_compare_if_images_model_lengths_and_ranges_are_equal(key: str, compare: bool, other: OpenStudy) -> None:
    fingerprint = fingerprint_of(other)
    assert key in fingerprint
    assert are_comparable(fingerprint, fingerprint | {key: "another"}) is compare


def test_values_that_the_other_study_did_not_search_are_its_fixed_ones() -> None:
    searches_both = small_config().model_copy(
        update={"hyperparameters": LIST_SPACE.model_copy(update={"latent_dim": Range[int](low=16, high=256)})}
    )
    study = list_study(("finished", [6.5], {}))
    start = find_warm_start(searches_both, study, small_config(), is_comparable=False)
    assert start.best == [{"beta": 1.0, "latent_dim": small_config().hyperparameters.fixed()["latent_dim"]}]
