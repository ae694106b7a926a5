"""Objective of one trial: suggest values, train, report, prune. A generator: the caller may stop between two events."""

import contextlib
import traceback
from collections.abc import Generator, Iterator
from dataclasses import asdict

import optuna
from optuna.trial import TrialState

from hpo.analysis.earlier_best import earlier_best
from hpo.config.call_arguments import N_BEST_KEPT
from hpo.config.search_space import suggest, trial_config
from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES
from hpo.search.configurations import (
    CONFIRMS,
    CONSTRAINT,
    END,
    RESTARTED,
    configurations_of,
    end_of,
    is_pruned,
)
from hpo.storage.backend import backend_of
from hpo.storage.database import StudyError, is_deleted, set_user_attributes, stored_trial
from hpo.storage.error_log import EXPECTED_ERRORS, interruptions_first, log_traceback
from hpo.storage.interface import Fenced
from hpo.workers.crash_retries import MAX_RETRIES, crash_verdict, crashes_of
from hpo.workers.early_stop import is_stopped_early, pruned_end
from hpo.workers.pictures.trial_frames import TrialFrameRecorder
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import Notice, TrialEnded, TrialEvent, TrialReported, TrialStarted
from hpo.workers.trial_results import TrialProgress, draw_and_annotate, objective_values, trial_attributes
from model.device import is_out_of_memory, release_memory
from model.training.checkpoint import resume_or_start, save_state
from model.training.training_loop import Diverged, train

_OUT_OF_MEMORY = "out of memory"
_NOT_THE_TRIALS_FAULT: tuple[type[Exception], ...] = (optuna.exceptions.UpdateFinishedTrialError, *EXPECTED_ERRORS)
_STATES = {"finished": TrialState.COMPLETE, "failed": TrialState.FAIL}


def run_trial(trial: optuna.trial.Trial, context: TrialContext) -> Generator[TrialEvent]:
    """Train one trial to its end, from its checkpoint if it has one.

    The trial's value is the val_bpd of its last epoch. A trial that diverged or ran out of memory ends as pruned and
    infeasible, so that the sampler ranks it last: the sampler would ignore a failed trial and return to the values
    that it came from. An unforeseen error fails only its trial; its traceback goes to the trial's attributes and to
    the study's log.

    Raises: EXPECTED_ERRORS: the trial stays as it is and can be resumed.
    """
    try:
        with interruptions_first():
            yield from _train_and_end(trial, context)
    except optuna.exceptions.UpdateFinishedTrialError:
        frozen = context.study.get_trials(deepcopy=False)[trial.number]
        yield TrialEnded(trial.number, frozen.state, end_of(frozen), None)
    except EXPECTED_ERRORS:
        raise
    except Exception as error:
        end = _end_by_error(error, trial, context)
        trial.set_user_attr(END, end)
        context.study.tell(trial, state=TrialState.FAIL)
        yield TrialEnded(trial.number, TrialState.FAIL, end, None)


def _train_and_end(trial: optuna.trial.Trial, context: TrialContext) -> Iterator[TrialEvent]:
    values = suggest(trial, context.config.hyperparameters)
    seed_number, n_reported = _origin(trial, context)
    config = trial_config(context.config, values, seed_number)
    relatives = {name: trial.user_attrs.get(name) for name in (CONTINUES, CONFIRMS)}
    yield TrialStarted(trial.number, values, config.epoch_at(n_reported), **relatives)
    recorder = TrialFrameRecorder(context.data.validation, context.paths.trial(trial.number))
    progress = TrialProgress(config, recorder, [])
    try:
        with interruptions_first(), _settling(trial, context):
            end = crash_verdict(trial, config.n_reports) or (yield from _train_and_report(trial, context, progress))
    except Diverged as error:
        end = f"diverged: {error}"
    except _NOT_THE_TRIALS_FAULT:
        raise
    except Exception as error:
        end = _end_by_error(error, trial, context)
    if end.startswith(_OUT_OF_MEMORY):
        release_memory(context.runtime.device)
    yield from _end(trial, context, progress, end)


def _end_by_error(error: Exception, trial: optuna.trial.Trial, context: TrialContext) -> str:
    """Return the `end` of a trial that met this error; keep the traceback of an unforeseen one."""
    reason = str(error).partition("\n")[0]
    if is_out_of_memory(error):
        return f"{_OUT_OF_MEMORY}: {reason or 'on the CPU'}"
    if is_deleted(context.study):
        raise StudyError(f"{context.paths.folder}: the study was deleted while trials ran") from error
    trial.set_user_attr("traceback", traceback.format_exc())
    log_traceback(f"trial {trial.number}", context.paths.errors)
    return f"failed: {type(error).__name__}: {reason}"


def _reported_steps(trial: optuna.trial.Trial) -> set[int]:
    """Return the steps for which the study has a value of this trial."""
    return set(stored_trial(trial).intermediate_values)


def _origin(trial: optuna.trial.Trial, context: TrialContext) -> tuple[int, int]:
    """Return (number of the trial whose seed this one uses, number of reports that have been made).

    The trial's checkpoint is brought here first; one that continues another trial inherits that one's.
    """
    files = backend_of(context.paths).files
    files.restore(trial)
    continued: int | None = trial.user_attrs.get(CONTINUES)
    if continued is None:
        return trial.number, len(_reported_steps(trial))
    files.inherit(context.study, continued, trial.number)
    (configuration,) = (
        configuration
        for configuration in configurations_of(context.study)
        if configuration.last_trial.number == trial.number
    )
    has_checkpoint = context.paths.checkpoint(trial.number).exists()
    return configuration.number, len(configuration.scores) if has_checkpoint else 0


def _train_and_report(
    trial: optuna.trial.Trial, context: TrialContext, progress: TrialProgress
) -> Generator[TrialEvent, None, str]:
    """Train to the end or until the pruner stops the trial, saving before each report; return the trial's `end`."""
    history, recorder = progress.history, progress.recorder
    checkpoint, reported = context.paths.checkpoint(trial.number), _reported_steps(trial)
    files = backend_of(context.paths).files
    start = resume_or_start(checkpoint, progress.config, context.runtime, context.data)
    if start.notice:
        yield Notice(f"trial {trial.number}: {start.notice}")
    state = start.state
    history += start.history
    if not history:
        recorder.start(state)
        if CONTINUES in trial.user_attrs:
            trial.set_user_attr(RESTARTED, True)
    for step, row in enumerate(history, start=1):
        if step not in reported:
            files.report(trial, row["val_bpd"], step, has_new_checkpoint=False)
    # Ask again after an interruption: it may have come between the report and the pruner's decision.
    if history and is_stopped_early(trial, context, history):
        return pruned_end(context, trial.number, history)
    for metrics in train(state, context.data):
        history.append(asdict(metrics))
        # Before the state is saved, so that no saved report lacks its picture.
        recorder.record(state, len(history))
        save_state(checkpoint, state, history)
        if len(history) not in reported:
            files.report(trial, metrics.val_bpd, len(history), has_new_checkpoint=True)
        yield TrialReported(trial.number, metrics)
        if is_stopped_early(trial, context, history):
            return pruned_end(context, trial.number, history)
    return "finished"


@contextlib.contextmanager
def _settling(trial: optuna.trial.Trial, context: TrialContext) -> Iterator[None]:
    """Wait for the storage of the last report if the block ends, or if the caller stops the trial.

    Raises: Fenced: another worker has taken the trial over; not to a caller that stops.
    """
    files = backend_of(context.paths).files
    try:
        yield
    except GeneratorExit:
        with contextlib.suppress(Fenced):
            files.settle(trial)
        raise
    except Exception:
        files.settle(trial)
        raise
    files.settle(trial)


def _end(
    trial: optuna.trial.Trial, context: TrialContext, progress: TrialProgress, end: str
) -> Iterator[Notice | TrialEnded]:
    """Store the trial's attributes and pictures, tell the study, and delete checkpoints that are no longer needed."""
    history = progress.history
    feasible = end == "finished" or is_pruned(end)
    better = earlier_best(history) if history else None
    set_user_attributes(trial, trial_attributes(context.runtime, history, end, better))
    if crashes_of(trial)["times"] > MAX_RETRIES and history:
        yield Notice(f"trial {trial.number}: without pictures, since its worker died repeatedly at its end")
    elif notice := draw_and_annotate(trial, context.config, context.paths, progress, end):
        yield Notice(f"trial {trial.number}: {notice}")
    # Only once: a worker that has been killed since may have set it.
    if CONSTRAINT not in stored_trial(trial).constraints:
        trial.set_constraint(CONSTRAINT, 0.0 if feasible else 1.0)
    value = history[-1]["val_bpd"] if history else None
    state = _STATES.get(end.partition(":")[0], TrialState.PRUNED)
    values = objective_values(context.config.objectives, progress) if state == TrialState.COMPLETE else None
    context.study.tell(trial, values, state=state)
    backend_of(context.paths).files.remove_unneeded(context.study, N_BEST_KEPT, context.config.pruner)
    yield TrialEnded(trial.number, state, end, value)
