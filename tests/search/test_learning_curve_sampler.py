"""The sampler `curves`: what it makes of learning curves, and what it proposes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from scipy.stats import spearmanr

from benchmarks.search.table import N_EPOCHS
from hpo.config.hyperparameters import Hyperparameters, Range
from hpo.config.schema import Budget, Sampler, StudyConfig
from hpo.search.configurations import CONSTRAINT, Configuration, as_single_trial, configurations
from hpo.search.learning_curve_gp import LearningCurveGP, Scores
from hpo.search.learning_curve_sampler import N_SPREAD, LearningCurveSampler
from hpo.search.pruners import HalvingPruner
from hpo.search.samplers import ConfigurationSampler
from hpo.search.search_space_transform import SearchSpaceTransform
from hpo.search.successive_halving import Halving
from hpo.search.warm_start import WarmStart, _to_plain_values
from tests.tools.synthetic_curves import SPACE, true_curve
from tests.tools.synthetic_curves import configurations as sobol

ENDS = {
    "finished": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "diverged": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}
MIXED = {
    "beta": FloatDistribution(0.1, 10.0, log=True),
    "latent_dim": IntDistribution(16, 256, log=True),
    "warmup_epochs": FloatDistribution(0.0, 2.0),
    "batch_size": CategoricalDistribution((64, 16, 32)),
    "schedule": CategoricalDistribution(("constant", "cosine")),
}


def trial(number: int, values: Mapping[str, Any], scores: Sequence[float], end: str, space: Any = SPACE) -> FrozenTrial:
    made = create_trial(
        state=ENDS.get(end, TrialState.RUNNING),
        value=scores[-1] if end == "finished" else None,
        params=dict(values),
        distributions=space,
        intermediate_values=dict(enumerate(scores, start=1)),
        user_attrs={"end": end},
        constraints={CONSTRAINT: float(end in ("diverged", "failed"))},
    )
    made.number = number
    return made


def paused(n: int, n_epochs: int, n_finished: int) -> list[Configuration]:
    """Configurations of known curves, the first ones finished, the others paused after so many epochs."""
    return configurations(
        trial(
            number,
            values,
            list(true_curve(values)[: N_EPOCHS if number < n_finished else n_epochs]),
            "finished" if number < n_finished else "pruned",
        )
        for number, values in enumerate(sobol(n))
    )


def search(space: Any = SPACE, seed: int = 0) -> LearningCurveSampler:
    return LearningCurveSampler(space, N_EPOCHS, n_startup=10, seed=seed)


def test_a_configuration_is_a_point_of_the_unit_cube_and_back() -> None:
    cube = SearchSpaceTransform(MIXED)
    values = {"beta": 1.0, "latent_dim": 64, "warmup_epochs": 0.5, "batch_size": 32, "schedule": "cosine"}
    features = cube.features(values)
    # Half way on a log scale; 16 < 32 < 64, whatever their order in the file; words stand side by side.
    assert features == pytest.approx([0.5, 0.5, 0.25, 0.5, 0.0, 1.0])
    assert cube.values(features) == pytest.approx(values)
    corner = cube.values(np.array([-1.0, 2.0, 1.0, 0.7, 0.9, 0.2]))
    assert corner == pytest.approx(
        {"beta": 0.1, "latent_dim": 256, "warmup_epochs": 2.0, "batch_size": 32, "schedule": "constant"}
    )


def test_a_few_finished_curves_tell_where_the_paused_ones_would_end() -> None:
    known = paused(24, n_epochs=2, n_finished=4)
    expected = search().expected_ends(known)
    ends = {one.number: true_curve(one.params)[-1] for one in known}
    others = [one.number for one in known[4:]]
    errors = [abs(expected[number] - ends[number]) for number in others]
    assert np.median(errors) < np.std(list(ends.values())) / 3
    assert spearmanr([expected[number] for number in others], [ends[number] for number in others]).statistic > 0.8


def test_what_is_finished_is_expected_to_end_where_it_did() -> None:
    known = paused(12, n_epochs=2, n_finished=4)
    expected = search().expected_ends(known)
    for one in known[:4]:
        assert expected[one.number] == pytest.approx(one.value, abs=0.02)


def test_one_that_diverged_is_expected_to_end_badly() -> None:
    known = paused(12, n_epochs=2, n_finished=4)
    fast = known[0].params | {"learning_rate": 1e-2}
    expected = {}
    for end in ("pruned", "diverged"):
        (one,) = configurations([trial(12, fast, [true_curve(fast)[0]], end)])
        expected[end] = search().expected_ends([*known, one])[12]
    assert expected["diverged"] > expected["pruned"] + 0.1


def test_where_one_diverged_before_its_first_score_nothing_is_hoped_for() -> None:
    known = paused(12, n_epochs=2, n_finished=4)
    hoped = search().propose(known, number=12)
    (lost,) = configurations([trial(12, hoped, [], "diverged")])
    # Its cause may be mended.
    (failed,) = configurations([trial(12, hoped, [], "failed")])
    cube = SearchSpaceTransform(SPACE)
    distances = [
        np.abs(cube.features(hoped) - cube.features(search().propose([*known, one], number=12))).max()
        for one in (failed, lost)
    ]
    assert distances[0] < 0.05 < 0.2 < distances[1]


def test_what_another_program_has_added_is_passed_over() -> None:
    known = paused(12, n_epochs=2, n_finished=4)
    made = create_trial(state=TrialState.PRUNED, intermediate_values={1: 7.0})
    made.number = 12
    begun = create_trial(state=TrialState.RUNNING)
    begun.number = 13
    strange = [*known, *configurations([made, begun])]
    assert search().expected_ends(strange) == search().expected_ends(known)
    assert search().propose(strange, number=14) == search().propose(known, number=14)


def test_of_very_many_configurations_the_best_and_some_of_the_others_are_fitted() -> None:
    tried = sobol(100)
    many = configurations(
        trial(number, tried[number % 100], [7.0 + number / 1000] * (8 if number < 200 else 1), "pruned")
        for number in range(900)
    )
    scores = search()._scores(many)
    assert 500 < len(scores.val_bpd) <= 600
    # Of finished curves the last score alone: all of them are among the best.
    assert (scores.shares == 1.0).sum() == 200
    assert (scores.val_bpd < 7.3).sum() == 300
    assert scores.val_bpd.max() == pytest.approx(7.899)


def test_another_study_s_curves_count_as_its_own_do() -> None:
    known = paused(12, n_epochs=2, n_finished=4)
    given = WarmStart("other", [], [_to_plain_values(as_single_trial(one)) for one in known]).trials(SPACE)
    warm = ConfigurationSampler("curves", SPACE, 0, 10, N_EPOCHS, given)
    (mine,) = configurations([trial(12, sobol(13)[12], list(true_curve(sobol(13)[12])[:1]), "pruned")])
    assert warm.expected_ends([mine])[12] == pytest.approx(search().expected_ends([*known, mine])[12])
    study = optuna.create_study(sampler=warm)
    assert study.ask(SPACE).params == search().propose(known, number=0)


def test_nothing_is_expected_of_what_has_no_score() -> None:
    (begun,) = configurations([trial(0, sobol(1)[0], [], "running")])
    assert search().expected_ends([begun]) == {}


def test_the_first_are_spread_and_all_follow_from_the_seed() -> None:
    few, known = paused(N_SPREAD - 1, n_epochs=2, n_finished=0), paused(8, n_epochs=2, n_finished=2)
    for configurations_so_far in (few, known):
        proposed = [search(seed=seed).propose(configurations_so_far, number=9) for seed in (0, 0, 1)]
        assert proposed[0] == proposed[1] != proposed[2]
    firsts = [search().propose(known[:n], number=n) for n in range(N_SPREAD)]
    assert len({tuple(one.values()) for one in firsts}) == N_SPREAD


def test_it_finds_a_good_configuration_sooner_than_chance() -> None:
    values = sobol(3)
    known = list(values)
    for number in range(3, 16):
        found = configurations(trial(n, one, list(true_curve(one)[:3]), "pruned") for n, one in enumerate(known))
        known.append(search().propose(found, number))
    best = min(true_curve(one)[-1] for one in known)
    by_chance = sorted(true_curve(one)[-1] for one in sobol(256))
    # Better than one in fifty; sixteen draws come so far in one of four searches.
    assert best < by_chance[256 // 50]


def test_where_the_best_place_is_known_every_other_proposal_looks_further() -> None:
    cube = SearchSpaceTransform(SPACE)
    known = paused(20, n_epochs=N_EPOCHS, n_finished=20)
    best = min(known, key=lambda one: one.value or 0.0)

    def distances(n: int) -> list[float]:
        """Of proposals to the best place, of which ever more is known."""
        found, all_of_it = [], list(known)
        for number in range(20, 20 + n):
            values = search().propose(all_of_it, number)
            all_of_it += configurations([trial(number, values, list(true_curve(values)), "finished")])
            found.append(float(np.abs(cube.features(values) - cube.features(best.params)).max()))
        return found

    late = distances(30)[-10:]
    near, far = sorted(late)[:5], sorted(late)[5:]
    assert max(near) < 0.15 < np.median(far)


def test_a_configuration_is_not_proposed_twice_and_workers_do_not_follow_each_other() -> None:
    known = paused(10, n_epochs=2, n_finished=2)
    first = search().propose(known, number=10)
    (begun,) = configurations([trial(10, first, [], "running")])
    cube = SearchSpaceTransform(SPACE)
    # The same number, so that chance is the same.
    second = search().propose([*known, begun], number=10)
    assert np.abs(cube.features(first) - cube.features(second)).max() > 0.02


def test_a_space_that_was_searched_to_the_end_still_yields_values() -> None:
    space = {"batch_size": CategoricalDistribution((16, 32))}
    known = configurations(
        trial(number, {"batch_size": size}, [7.0, 6.9], "pruned", space) for number, size in enumerate((16, 32, 16))
    )
    assert search(space).propose(known, number=3)["batch_size"] in (16, 32)


def test_the_model_s_scale_keeps_order_and_leads_back() -> None:
    model = LearningCurveGP(Scores(np.array([[0.1], [0.5], [0.9]]), np.ones(3), np.array([6.5, 6.2, 8.0])))
    scores = np.array([6.1, 6.2, 7.0, 9.0])
    assert (np.diff(model.level(scores)) > 0).all()
    assert model.val_bpd(model.level(scores)) == pytest.approx(scores)


def test_at_a_rung_those_go_on_that_are_expected_to_end_best(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = ConfigurationSampler("curves", SPACE, seed=0, n_startup_trials=4, n_reports=N_EPOCHS)
    monkeypatch.setattr(sampler, "expected_ends", lambda known: {0: 6.3, 1: 6.2, 2: 6.1})
    study = optuna.create_study(sampler=sampler, pruner=HalvingPruner(Halving((1,), 3)))
    for number, (values, score) in enumerate(zip(sobol(3), (6.5, 6.6, 6.7), strict=True)):
        study.enqueue_trial(values)
        asked = study.ask(SPACE)
        asked.report(score, 1)
        stops = asked.should_prune()
        assert stops is (number < 2), "worst by its score, best by what is expected"
        if stops:
            asked.set_user_attr("end", "pruned")
            study.tell(asked, state=TrialState.PRUNED)
    assert isinstance(study.pruner, HalvingPruner)
    assert study.pruner.verdict(study, 2, 1).startswith("expected to end at 6.1000: place 1 of 3")


def test_with_two_objectives_curves_are_no_guide() -> None:
    space = Hyperparameters(latent_dim=Range[int](low=8, high=64))
    two = StudyConfig(
        name="two",
        hyperparameters=space,
        objectives=("val_bpd", "latent_dim"),
        budget=Budget(trials=1),
        sampler=Sampler(name="curves"),
    )
    assert two.sampler.name == "tpe"
    assert StudyConfig(name="one", hyperparameters=space, budget=Budget(trials=1)).sampler.name == "curves"
