"""What the terminal tells while a search runs."""

from optuna.trial import TrialState

from hpo.cli.progress import Progress
from hpo.search.best_trial import BestTrial
from hpo.workers.trial_events import TrialEnded, TrialStarted


def test_the_best_is_looked_up_after_every_trial_and_told_with_how_it_was_chosen() -> None:
    found = iter([None, BestTrial(0, 6.5), BestTrial(1, 6.6, (6.7, 6.8))])
    progress = Progress([], 6, None, None, find_best=lambda: next(found))
    assert progress.status().endswith("none finished yet")
    progress.update(TrialStarted(0, {}, 0.0))
    progress.update(TrialEnded(0, TrialState.COMPLETE, "finished", 6.5))
    assert progress.status().endswith("best: trial 0 with 6.5000")
    progress.update(TrialStarted(1, {}, 0.0, confirms=0))
    progress.update(TrialEnded(1, TrialState.COMPLETE, "finished", 6.7))
    assert progress.status().endswith("best by the mean of 2 new seeds: trial 1 with 6.7500")
    assert progress.rows[1].relation == "confirms trial 0" and progress.started == {0}
