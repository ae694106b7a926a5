"""A study that machines share, whose trials become longer."""

from dataclasses import replace

import pytest

from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES
from hpo.search.configurations import RESTARTED, configurations_of
from hpo.storage.database import StudyError
from hpo.storage.tables.growing_study import adopt_growth
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialEnded
from hpo.workers.worker import run_trials
from tests.storage.tables.test_growing_study import begin_with, with_epochs
from tests.tools.small_study import reopen, run_to, run_until


def test_finished_trials_go_on_from_their_checkpoints_in_the_object_store(shared: TrialContext) -> None:
    begun = begin_with(shared, with_epochs(2))
    run_until(begun, TrialEnded, n_events=100, n_total=2)
    finished = {found.number for found in configurations_of(begun.study) if found.value is not None}
    config = with_epochs(4)
    assert len(adopt_growth(begun.study, config, begun.paths)) == 1
    grown = reopen(replace(begun, config=config))
    run_until(grown, TrialEnded, n_events=100, n_total=2)
    best = next(found for found in configurations_of(grown.study) if found.value is not None)
    assert best.number in finished and sorted(best.scores) == [1, 2, 3, 4]
    attributes = best.last_trial.user_attrs
    assert CONTINUES in attributes and RESTARTED not in attributes


def test_a_worker_whose_study_has_grown_between_two_trials_stops_and_trains_none(shared: TrialContext) -> None:
    begun = begin_with(shared, with_epochs(2))
    adopt_growth(begun.study, with_epochs(4), begun.paths)
    with pytest.raises(StudyError, match=r"its trials have become longer; run the same command again$"):
        list(run_trials(begun, 1, None))
    assert not begun.study.trials[0].intermediate_values
    ended = run_to(run_trials(reopen(replace(begun, config=with_epochs(4))), 1, None), TrialEnded)
    assert isinstance(ended, TrialEnded) and ended.number == 0, "the claim was released"
