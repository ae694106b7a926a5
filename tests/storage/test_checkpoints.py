"""Checkpoints that a study keeps."""

import optuna
import pytest
from optuna.trial import TrialState

from hpo.storage.checkpoints import clean_checkpoints
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


@pytest.mark.usefixtures("undrawn")
def test_clean_keeps_the_checkpoints_of_the_best_and_of_running_trials_and_counts_the_freed_bytes(
    context: TrialContext,
) -> None:
    events = run_trials(context, 5, None)
    for event in events:
        if isinstance(event, TrialReported) and event.number == 4:
            break
    events.close()
    paths = context.paths
    (paths.checkpoints / ".trial_0009.1.pt").write_bytes(bytes(100))
    ranked = sorted(
        (trial for trial in context.study.trials if trial.state == TrialState.COMPLETE),
        key=lambda trial: trial.value or 0,
    )
    gone = [paths.checkpoint(trial.number) for trial in ranked[1:3]]
    n_bytes = sum(path.stat().st_size for path in gone) + 100
    assert clean_checkpoints(context.study, paths, 1, context.config.pruner) == n_bytes
    files = {path for path in paths.checkpoints.iterdir() if path.is_file()}
    assert files == {paths.checkpoint(ranked[0].number), paths.checkpoint(4)}
