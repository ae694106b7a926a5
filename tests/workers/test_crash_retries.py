"""Trials whose worker died: resumed from the last report, and given up after several crashes at one point."""

import pytest
from optuna.trial import TrialState

from hpo.storage.local.claims import LocalClaims
from hpo.workers.crash_retries import CRASHES
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import Notice, TrialEnded, TrialReported, TrialStarted
from hpo.workers.worker import run_trials
from tests.tools.small_study import CONFIG, abandon, run_to, run_until

pytestmark = pytest.mark.usefixtures("undrawn")

EPOCHS = CONFIG.training.n_epochs


class Killed(BaseException):
    """Ends a worker at once."""


def kill_worker(*_: object) -> None:
    raise Killed


def test_a_trial_whose_worker_dies_three_times_after_the_same_report_fails(context: TrialContext) -> None:
    for _ in range(3):
        events = run_trials(context, 2, None)
        run_to(events, TrialStarted)
        abandon(events, context)
    last = list(run_trials(context, 1, None))
    assert [type(event) for event in last] == [TrialStarted, TrialEnded]
    assert context.study.trials[0].state == TrialState.FAIL
    assert context.study.trials[0].user_attrs["end"] == "failed: its worker died 3 times after report 0"


def test_a_trial_with_a_new_report_before_each_crash_is_resumed_again(context: TrialContext) -> None:
    for _ in range(2):
        for kind in (TrialStarted, TrialReported):
            events = run_trials(context, 2, None)
            run_to(events, kind)
            abandon(events, context)
    list(run_trials(context, 1, None))
    assert context.study.trials[0].state == TrialState.COMPLETE


def test_a_worker_that_dies_with_its_parent_process_does_not_count_as_a_crash(context: TrialContext) -> None:
    for _ in range(4):
        events = run_trials(context, 2, None)
        run_to(events, TrialStarted)
        abandon(events, context)
        LocalClaims(context.paths).let_go()
    list(run_trials(context, 1, None))
    assert context.study.trials[0].state == TrialState.COMPLETE
    assert CRASHES not in context.study.trials[0].user_attrs


def test_a_trained_trial_whose_worker_dies_repeatedly_ends_without_its_pictures(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpo.workers.objective.draw_and_annotate", kill_worker)
    for _ in range(3):
        with pytest.raises(Killed):
            list(run_trials(context, 1, None))
        context.paths.claim(0).touch()
    *_, notice, ended = run_trials(context, 1, None)
    assert isinstance(notice, Notice) and "without pictures" in notice.text
    assert isinstance(ended, TrialEnded) and ended.state == TrialState.COMPLETE
    assert context.study.trials[0].value == context.study.trials[0].intermediate_values[EPOCHS]


def test_a_trained_trial_whose_worker_dies_even_without_pictures_fails_at_last(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("hpo.workers.objective.trial_attributes", kill_worker)
        for _ in range(5):
            with pytest.raises(Killed):
                list(run_trials(context, 1, None))
            context.paths.claim(0).touch()
    list(run_trials(context, 1, None))
    assert context.study.trials[0].state == TrialState.FAIL
    assert context.study.trials[0].user_attrs["end"] == f"failed: its worker died 5 times after report {EPOCHS}"


def test_partial_files_of_a_killed_worker_are_removed_when_its_trial_is_resumed(context: TrialContext) -> None:
    events = run_trials(context, 1, None)
    run_to(events, TrialReported)
    abandon(events, context)
    checkpoint = context.paths.checkpoint(0)
    partial = [checkpoint.with_name(f".{checkpoint.stem}.{pid}.pt") for pid in (1, 22)]
    of_another_trial = checkpoint.with_name(".trial_0001.333.pt")
    for path in (*partial, of_another_trial):
        path.write_bytes(b"half")
    list(run_trials(context, 1, None))
    assert context.study.trials[0].state == TrialState.COMPLETE
    assert not any(path.exists() for path in partial)
    assert of_another_trial.exists(), "the worker of that trial may be writing it"


def test_a_damaged_checkpoint_restarts_its_trial_with_a_notice(context: TrialContext) -> None:
    run_until(context, TrialReported)
    context.paths.checkpoint(0).write_bytes(b"torn")
    events = list(run_trials(context, 1, None))
    assert any(isinstance(event, Notice) and "starting over" in event.text for event in events)
    assert context.study.trials[0].state == TrialState.COMPLETE
    assert len(context.study.trials[0].intermediate_values) == EPOCHS
