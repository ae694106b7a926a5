"""Checkpoints that a study keeps."""

import optuna
import pytest
from optuna.trial import TrialState

from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialReported
from hpo.workers.worker import run_trials


@pytest.mark.usefixtures("undrawn")
def test_only_checkpoints_of_the_best_and_of_resumable_trials_are_kept(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    context.study.pruner = optuna.pruners.NopPruner()
    monkeypatch.setattr("hpo.workers.objective.N_BEST_KEPT", 1)
    n_finished = 2
    events = run_trials(context, n_finished + 1, None)
    for event in events:
        if isinstance(event, TrialReported) and event.number == n_finished:
            break
    events.close()
    finished = [trial for trial in context.study.trials if trial.state == TrialState.COMPLETE]
    assert len(finished) == n_finished
    best = min(finished, key=lambda trial: trial.value or 0)
    kept = {context.paths.checkpoint(number) for number in (best.number, n_finished)}
    assert set(context.paths.checkpoints.glob("*.pt")) == kept
