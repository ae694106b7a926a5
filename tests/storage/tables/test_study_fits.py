"""Hyperparameters of the Gaussian process that workers share."""

from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event
from typing import Any

import pytest

from hpo.optunahub.samplers.learning_curves.learning_curve_gp import LearningCurveGP
from hpo.search.configurations import configurations_of
from hpo.search.samplers import ConfigurationSampler
from hpo.storage.create_study import attach_sampler_and_pruner
from hpo.storage.tables.study_fits import StudyFits
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialEnded
from tests.tools.small_study import reopen, run_until


def test_a_fit_comes_back_to_the_last_bit_and_only_for_its_scores(context: TrialContext) -> None:
    ours, theirs = StudyFits(context.study), StudyFits(reopen(context).study)
    hyperparameters = [0.1 + 0.2, -1 / 3, 1e-300]
    assert ours.get_or_fit("first", lambda: hyperparameters) == hyperparameters
    assert theirs.get_or_fit("first", pytest.fail) == hyperparameters
    assert theirs.get_or_fit("second", lambda: [1.0]) == [1.0]
    assert ours.get_or_fit("second", pytest.fail) == [1.0]


def test_a_worker_waits_for_a_fit_that_another_one_has_begun(context: TrialContext) -> None:
    ours, theirs, began, may_end = StudyFits(context.study), StudyFits(reopen(context).study), Event(), Event()

    def fit() -> list[float]:
        began.set()
        assert may_end.wait(60)
        return [2.0]

    with ThreadPoolExecutor() as threads:
        first = threads.submit(ours.get_or_fit, "key", fit)
        assert began.wait(60)
        second = threads.submit(theirs.get_or_fit, "key", pytest.fail)
        assert not wait([second], 0.5).done
        may_end.set()
        assert first.result(60) == second.result(60) == [2.0]


def test_a_fit_whose_worker_was_killed_is_made_by_another_one(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed() -> list[float]:
        raise KeyboardInterrupt

    monkeypatch.setattr("hpo.storage.tables.study_fits._LONGEST_FIT_S", 0.3)
    fits = StudyFits(context.study)
    with pytest.raises(KeyboardInterrupt):
        fits.get_or_fit("key", killed)
    assert StudyFits(reopen(context).study).get_or_fit("key", lambda: [3.0]) == [3.0]


def test_of_the_workers_of_a_large_study_one_fits_for_all(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("MAX_REFITTED", 2), ("_FIRST_PREFIX", 2), ("_PREFIX_GROWTH", 0.5)):
        monkeypatch.setattr(f"hpo.optunahub.samplers.learning_curves.scores_to_fit.{name}", value)
    n_fits, maximize = 0, LearningCurveGP._maximize_posterior

    def count(gp: LearningCurveGP, priors: Any) -> Any:
        nonlocal n_fits
        n_fits += 1
        return maximize(gp, priors)

    run_until(context, TrialEnded, n_events=4, n_total=4)
    monkeypatch.setattr(LearningCurveGP, "_maximize_posterior", count)
    predicted = []
    for _ in range(2):
        study = reopen(context).study
        attach_sampler_and_pruner(study, context.config, 1)
        assert isinstance(study.sampler, ConfigurationSampler)
        predicted.append(study.sampler.predict_final_scores(configurations_of(study)))
    assert n_fits == 1 and predicted[0] == predicted[1] and len(predicted[0]) == 4
