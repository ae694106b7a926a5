"""A new study that begins with what another has found."""

from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution

from hpo.config.hyperparameters import Range
from hpo.config.machine import PreparedStudy
from hpo.config.schema import StudyConfig
from hpo.config.search_space import distributions
from hpo.search.configurations import CONFIRMS
from hpo.search.samplers import ConfigurationSampler
from hpo.search.warm_start import WARM_START, WarmStart, WarmStartError, are_comparable, find_warm_start
from hpo.storage.create_study import attach_sampler_and_pruner
from hpo.storage.database import StudyError
from hpo.storage.open_study import OpenStudy
from hpo.workers.study_setup import plan_warm_start
from tests.tools import synthetic


@pytest.fixture
def other(tmp_path: Path) -> OpenStudy:
    """Five finished trials, the fourth the best, and one that was pruned."""
    at_hand = synthetic.begin(tmp_path, "other")
    for score, size in ((6.9, 64), (6.8, 65), (6.7, 66), (6.6, 200), (6.75, 68)):
        synthetic.add(at_hand, *[7.0] * 5, score, values={"latent_dim": size})
    synthetic.add(at_hand, 7.2, 7.1, end="pruned at epoch 1: 7.1 against the median 7.0", values={"latent_dim": 20})
    return at_hand


def identity_of(at_hand: OpenStudy) -> dict[str, str]:
    identity: dict[str, str] = at_hand.study.user_attrs["identity"]
    return identity


def warm_start(config: StudyConfig, identity: dict[str, str], other: OpenStudy) -> WarmStart:
    return find_warm_start(
        config, other.study, other.config, is_comparable=are_comparable(identity, identity_of(other))
    )


def with_sizes_below(config: StudyConfig, high: int) -> StudyConfig:
    space = config.hyperparameters.model_copy(update={"latent_dim": Range[int](low=16, high=high, log=True)})
    return config.model_copy(update={"hyperparameters": space})


def test_a_study_alike_takes_the_three_best_and_all_trials(other: OpenStudy) -> None:
    found = warm_start(other.config, identity_of(other), other)
    assert [values["latent_dim"] for values in found.best] == [200, 66, 68]
    known = found.trials(distributions(other.config.hyperparameters))
    assert [trial.params["latent_dim"] for trial in known] == [64, 65, 66, 200, 68, 20]
    assert [trial.state.name for trial in known] == ["COMPLETE"] * 5 + ["PRUNED"]
    assert known[3].value == 6.6 and known[5].intermediate_values == {1: 7.2, 2: 7.1}
    assert found.described().endswith("the sampler knows its 6 configurations.")


def test_what_the_new_ranges_do_not_admit_is_left_out_and_trials_that_do_not_compare_are_not_known(
    other: OpenStudy,
) -> None:
    narrower = with_sizes_below(other.config, 100)
    changed = identity_of(other) | {"hyperparameters.latent_dim": "another"}
    found = warm_start(narrower, changed, other)
    assert [values["latent_dim"] for values in found.best] == [66, 68, 65]
    assert found.known == []
    with pytest.raises(WarmStartError, match="no finished trial's values lie in this study's ranges"):
        warm_start(with_sizes_below(other.config, 17), changed, other)


def test_a_trial_that_was_ended_before_it_had_its_values_is_left_out(other: OpenStudy) -> None:
    other.study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.FAIL))
    found = warm_start(other.config, identity_of(other), other)
    assert len(found.trials(distributions(other.config.hyperparameters))) == 6


def test_a_study_without_a_finished_trial_has_nothing_to_give(tmp_path: Path) -> None:
    empty = synthetic.begin(tmp_path, "empty")
    with pytest.raises(WarmStartError, match="no trial has finished there"):
        warm_start(empty.config, identity_of(empty), empty)


def test_the_best_are_tried_after_the_tutorials_values_once_each_also_after_a_kill(
    other: OpenStudy, tmp_path: Path
) -> None:
    found = warm_start(other.config, identity_of(other), other)
    new = synthetic.begin(tmp_path, "new", **{WARM_START: found.as_attribute()})
    attach_sampler_and_pruner(new.study, new.config)
    queued = [trial.system_attrs["fixed_params"]["latent_dim"] for trial in new.study.trials]
    assert queued == [128, 200, 66, 68]
    attach_sampler_and_pruner(new.study, new.config)
    assert len(new.study.trials) == 4
    few = synthetic.begin(tmp_path, "few", **{WARM_START: found.as_attribute()})
    attach_sampler_and_pruner(few.study, few.config, 2)
    assert len(few.study.trials) == 2, "no more than are asked for"
    few.study.add_trial(optuna.trial.create_trial(value=7.0, user_attrs={CONFIRMS: 0}))
    attach_sampler_and_pruner(few.study, few.config, 3)
    waiting = [trial for trial in few.study.trials if trial.state == optuna.trial.TrialState.WAITING]
    assert [trial.system_attrs["fixed_params"]["latent_dim"] for trial in waiting] == [128, 200, 66]
    killed = synthetic.begin(tmp_path, "killed", **{WARM_START: found.as_attribute()})
    killed.study.enqueue_trial({"latent_dim": 128})
    attach_sampler_and_pruner(killed.study, killed.config)
    assert [trial.system_attrs["fixed_params"]["latent_dim"] for trial in killed.study.trials] == queued


def test_a_sampler_that_knows_other_trials_is_guided_from_the_first_suggestion_on() -> None:
    space: dict[str, BaseDistribution] = {"x": FloatDistribution(0.0, 1.0)}

    def suggested(known: WarmStart) -> list[float]:
        values = []
        for seed in range(20):
            sampler = ConfigurationSampler(
                "tpe", space, seed, n_startup_trials=10, n_reports=3, other_trials=known.trials(space)
            )
            values.append(optuna.create_study(sampler=sampler).ask(space).params["x"])
        return values

    trials = [
        {"state": "COMPLETE", "values": [abs(x - 0.9)], "params": {"x": x}, "scores": [], "constraints": {}}
        for x in (n / 30 for n in range(31))
    ]
    blind, guided = suggested(WarmStart("none", [], [])), suggested(WarmStart("other", [], trials))
    assert sum(abs(x - 0.9) for x in guided) < 0.5 * sum(abs(x - 0.9) for x in blind)


def test_a_study_is_not_moved_aside_for_a_start_that_cannot_be_had(
    other: OpenStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = synthetic.begin(tmp_path, "empty")
    new = synthetic.begin(tmp_path, "new")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hpo.workers.study_setup.fingerprint", lambda *_: identity_of(other))
    prepared = PreparedStudy(other.config, None, None, ())  # type: ignore[arg-type]
    mine = replace(prepared, config=new.config)
    with pytest.raises(WarmStartError, match="--from-study empty: no trial has finished there"):
        plan_warm_start(mine, empty.config_name, fresh=True)
    with pytest.raises(StudyError, match="was created without it"):
        plan_warm_start(mine, "other", fresh=False)
    assert new.paths.folder.exists()
    planned = plan_warm_start(mine, "other", fresh=True)
    assert planned is not None and "study other" in planned.described()
