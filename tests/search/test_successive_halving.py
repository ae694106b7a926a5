"""Successive halving with promotion: rungs, pauses and promotions."""

from collections.abc import Sequence

import pytest

from hpo.config.schema import Pruner, Training
from hpo.config.search_space import distributions
from hpo.optunahub.samplers.learning_curves.successive_halving import Candidate, Halving, candidates_of
from hpo.search.pruners import halving_of
from hpo.search.samplers import ConfigurationSampler
from tests.search.trial_lists import SPACE, make_configurations


def paused(*scores: Sequence[float]) -> list[Candidate]:
    """Create paused candidates 0, 1, ... with these scores."""
    return [Candidate(number, dict(enumerate(curve, start=1)), is_paused=True) for number, curve in enumerate(scores)]


@pytest.mark.parametrize(
    ("first", "spacing", "n_reports", "rungs"),
    [(1, 3, 10, (1, 3, 9)), (1, 3, 9, (1, 3)), (2, 2, 10, (2, 4, 8)), (0, 4, 3, (1,)), (5, 3, 4, ())],
)
def test_rungs_are_multiples_by_powers_of_the_spacing_below_the_last_report(
    first: int, spacing: int, n_reports: int, rungs: tuple[int, ...]
) -> None:
    assert Halving.of(first, spacing, 3, n_reports).rungs == rungs


def test_the_rungs_of_a_study_follow_from_its_file() -> None:
    pruner = Pruner(name="halving", warmup_epochs=1, rung_spacing=2, reduction_factor=4)
    assert halving_of(pruner, Training(epochs=4, report_every=0.5)) == Halving((2, 4), 4), "8 is the last report"
    assert halving_of(pruner, Training(epochs=5, report_every=0.5)) == Halving((2, 4, 8), 4)
    assert halving_of(Pruner(name="median"), Training(epochs=4)) is None


@pytest.mark.parametrize(("epochs", "report_every", "rungs"), [(3, 0.5, (2, 4)), (3, 1, (1, 2)), (20, 1, (5, 10))])
def test_the_first_rung_is_at_a_quarter_of_a_trial_unless_the_file_has_another(
    epochs: int, report_every: float, rungs: tuple[int, ...]
) -> None:
    halving = halving_of(Pruner(), Training(epochs=epochs, report_every=report_every))
    assert halving is not None and halving.rungs == rungs


def test_a_rank_is_by_predictions_where_there_are_some_and_then_by_number() -> None:
    candidates = paused([7.0], [6.9], [7.0, 6.0], [6.9])
    halving = Halving((1, 3), 2)
    assert [halving.rank(number, 1, candidates) for number in range(4)] == [(3, 4), (1, 4), (4, 4), (2, 4)]
    assert halving.describe_rank(0, 1, candidates) == "ranked 3 of 4 at this rung; 2 promoted so far"
    predicted = [Candidate(number, {1: 7.0}, True, 6.5 - number) for number in range(3)]
    assert halving.describe_rank(0, 1, predicted) == (
        "expected to end at 6.5000: ranked 3 of 3 at this rung; 1 promoted so far"
    )


def test_a_configuration_passes_a_rung_if_it_is_among_the_best_third_there() -> None:
    halving = Halving((1, 3), 3)
    assert not halving.passes(1, 1, paused([7.0], [6.9])), "a third of two is none"
    three = paused([7.0], [6.9], [6.8])
    assert halving.passes(2, 1, three)
    assert not halving.passes(1, 1, three)
    assert halving.rank(1, 1, three) == (2, 3)


def test_the_best_paused_configuration_of_the_highest_rung_is_promoted_first() -> None:
    halving = Halving((1, 3), 3)
    low = [[7.0], [6.9], [6.8], [7.1], [7.2], [7.3]]
    assert halving.next_promotion(paused(*low)) == 2
    # The best one has reached rung 3: next is the second of six.
    assert halving.next_promotion(paused([7.0], [6.9], [6.8, 6.7, 6.6], [7.1], [7.2], [7.3])) == 1
    # Three have reached rung 3: one of them is promoted before any of a lower rung.
    high = [[6.7, 6.6, 6.55], [6.9, 6.8, 6.5], [6.8, 6.7, 6.6], *low[3:], *[[7.4]] * 6]
    assert halving.next_promotion(paused(*high)) == 1
    assert halving.next_promotion(paused([7.0], [6.9])) is None


def test_a_configuration_that_is_not_paused_is_ranked_and_not_promoted() -> None:
    best, *others = paused([6.5], [7.0], [7.1])
    assert Halving((1,), 3).next_promotion([Candidate(best.number, best.scores, is_paused=False), *others]) is None


def test_a_configuration_predicted_to_end_no_better_than_a_finished_one_is_not_promoted() -> None:
    others = [Candidate(number, {1: 7.0 + number}, True, 6.9 + number) for number in (2, 3)]
    second = Candidate(1, {1: 6.8}, True, 6.6)
    for predicted, promoted in ((6.7, 1), (6.6, None), (6.5, None)):
        finished = Candidate(0, {1: 7.5, 2: 6.4}, False, predicted, has_finished=True)
        assert Halving((1,), 2).next_promotion([finished, second, *others]) == promoted
    assert Halving((1,), 2).next_promotion([second, *others]) == 1, "none has finished"
    unpredicted = [
        Candidate(candidate.number, candidate.scores, candidate.is_paused, None, candidate.has_finished)
        for candidate in (finished, second)
    ]
    assert Halving((1,), 2).next_promotion(unpredicted) == 1


def test_candidates_have_their_configurations_state() -> None:
    configurations = make_configurations(("finished", [7.0, 6.9], {}), ("pruned", [7.1], {}), ("running", [], {}))
    candidates = candidates_of(configurations, None)
    assert [candidate.has_finished for candidate in candidates] == [True, False, False]
    assert [candidate.is_paused for candidate in candidates] == [False, True, False]
    assert [candidate.predicted_score for candidate in candidates] == [None] * 3


def test_candidates_have_the_final_scores_that_the_sampler_predicts(monkeypatch: pytest.MonkeyPatch) -> None:
    configurations = make_configurations(("pruned", [7.0, 6.9], {}), ("running", [], {}))
    sampler = ConfigurationSampler("curves", distributions(SPACE), seed=0, n_startup_trials=1, n_reports=9)
    monkeypatch.setattr(
        sampler, "predict_final_scores", lambda given: {0: 6.5} if given is configurations else pytest.fail()
    )
    assert candidates_of(configurations, sampler) == [
        Candidate(0, {1: 7.0, 2: 6.9}, is_paused=True, predicted_score=6.5),
        Candidate(1, {}, is_paused=False),
    ]
