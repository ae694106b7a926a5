"""One trial: sample, train, report, prune. A plain generator: between two events the caller may stop."""

import traceback
from collections.abc import Generator, Iterator
from dataclasses import asdict

import optuna
from optuna.trial import TrialState

from hpo.analysis.earlier_best import Row, earlier_best
from hpo.config.search_space import suggest, trial_config
from hpo.search.configurations import (
    CONFIRMS,
    CONSTRAINT,
    CONTINUES,
    RESTARTED,
    UNSTOPPED,
    configurations_of,
    end_of,
    is_pruned,
)
from hpo.search.pruners import pruning_reason
from hpo.storage.checkpoints import N_KEPT, inherit, remove_unneeded
from hpo.storage.database import DATABASE_ERRORS, StudyError, is_gone
from hpo.storage.error_log import log_traceback
from hpo.workers.crash_retries import MAX_RETRIES, crash_verdict, crashes_of
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import Notice, TrialEnded, TrialEvent, TrialReported, TrialStarted
from hpo.workers.trial_pictures import TrialFrameRecorder
from hpo.workers.trial_results import TrialProgress, draw_and_annotate, objective_values, trial_attributes
from model.device import is_out_of_memory, release_memory
from model.errors import UserError
from model.training.checkpoint import resume_or_start, save_state
from model.training.training_loop import Diverged, TrainState, train

_OUT_OF_MEMORY = "out of memory"
_OUTCOMES = {"finished": TrialState.COMPLETE, "failed": TrialState.FAIL}


def run_trial(trial: optuna.trial.Trial, place: TrialContext) -> Iterator[TrialEvent]:
    """Train one trial to its end, going on from its checkpoint where it has one.

    Its value is the last epoch's val_bpd. A trial that diverged or ran out of memory ends as pruned and infeasible,
    so that the sampler ranks it last: a failed one would be ignored, and the corner it came from tried again. What
    nobody foresaw fails the trial alone; its traceback goes to its attributes and to the study's log.

    Raises: UserError, OSError, DATABASE_ERRORS: the trial stays as it is and can go on.
    """
    try:
        yield from _train_and_end(trial, place)
    except optuna.exceptions.UpdateFinishedTrialError:
        frozen = place.study.get_trials(deepcopy=False)[trial.number]
        yield TrialEnded(trial.number, frozen.state, end_of(frozen), None)
    except (UserError, OSError, *DATABASE_ERRORS):
        raise
    except Exception as error:
        end = _take_note(error, trial, place)
        trial.set_user_attr("end", end)
        place.study.tell(trial, state=TrialState.FAIL)
        yield TrialEnded(trial.number, TrialState.FAIL, end, None)


def _train_and_end(trial: optuna.trial.Trial, place: TrialContext) -> Iterator[TrialEvent]:
    values = suggest(trial, place.config.hyperparameters)
    seed_number, n_reported = _origin(trial, place)
    config = trial_config(place.config, values, seed_number)
    kin = {name: trial.user_attrs.get(name) for name in (CONTINUES, CONFIRMS)}
    yield TrialStarted(trial.number, values, config.epoch_at(n_reported), **kin)
    course = TrialProgress(config, TrialFrameRecorder(place.data.validation, place.paths.trial(trial.number)), [])
    try:
        end = crash_verdict(trial, config.n_reports) or (yield from _train_and_report(trial, place, course))
    except Diverged as error:
        end = f"diverged: {error}"
    except (UserError, OSError, optuna.exceptions.UpdateFinishedTrialError, *DATABASE_ERRORS):
        raise
    except Exception as error:
        end = _take_note(error, trial, place)
    if end.startswith(_OUT_OF_MEMORY):
        release_memory(place.runtime.device)
    yield from _end(trial, place, course, end)


def _take_note(error: Exception, trial: optuna.trial.Trial, place: TrialContext) -> str:
    """How a trial ends that met this error; the traceback of one that nobody foresaw is kept."""
    reason = str(error).partition("\n")[0]
    if is_out_of_memory(error):
        return f"{_OUT_OF_MEMORY}: {reason or 'on the CPU'}"
    if is_gone(place.study):
        raise StudyError(f"{place.paths.folder}: the study was deleted while it was worked on") from error
    trial.set_user_attr("traceback", traceback.format_exc())
    log_traceback(f"trial {trial.number}", place.paths.errors)
    return f"failed: {type(error).__name__}: {reason}"


def _reported(trial: optuna.trial.Trial, place: TrialContext) -> set[int]:
    """Steps that the study has a value for."""
    return set(place.study.get_trials(deepcopy=False)[trial.number].intermediate_values)


def _origin(trial: optuna.trial.Trial, place: TrialContext) -> tuple[int, int]:
    """The number of the trial whose seed this one has, and how many reports lie behind it."""
    before: int | None = trial.user_attrs.get(CONTINUES)
    if before is None:
        return trial.number, len(_reported(trial, place))
    inherit(place.paths, before, trial.number)
    (one,) = (one for one in configurations_of(place.study) if one.last.number == trial.number)
    return one.number, len(one.scores) if place.paths.checkpoint(trial.number).exists() else 0


def _train_and_report(
    trial: optuna.trial.Trial, place: TrialContext, course: TrialProgress
) -> Generator[TrialEvent, None, str]:
    """Train to the end or to the pruner's verdict, saving before each report; return how it ended."""
    history, film = course.history, course.film
    checkpoint, reported = place.paths.checkpoint(trial.number), _reported(trial, place)
    state, before, notice = resume_or_start(checkpoint, course.config, place.runtime, place.data)
    if notice:
        yield Notice(f"trial {trial.number}: {notice}")
    history += before
    if not history:
        film.begin(state)
        if CONTINUES in trial.user_attrs:
            trial.set_user_attr(RESTARTED, True)
    for step, row in enumerate(history, start=1):
        _report(trial, row["val_bpd"], step, reported)
    # Asked again after an interruption: it may have fallen between the report and the verdict.
    if history and _is_pruned(trial, state, history):
        return _pruned(place, trial.number, history)
    for metrics in train(state, place.data):
        history.append(asdict(metrics))
        # Before the state, which never tells of a report that has no picture.
        film.take(state, len(history))
        save_state(checkpoint, state, history)
        _report(trial, metrics.val_bpd, len(history), reported)
        yield TrialReported(trial.number, metrics)
        if _is_pruned(trial, state, history):
            return _pruned(place, trial.number, history)
    return "finished"


def _pruned(place: TrialContext, number: int, history: list[Row]) -> str:
    return pruning_reason(place.study, number, history[-1]["epoch"], [row["val_bpd"] for row in history])


def _report(trial: optuna.trial.Trial, val_bpd: float, step: int, reported: set[int]) -> None:
    if step in reported:
        return
    if len(trial.study.directions) == 1:
        trial.report(val_bpd, step)
    else:
        # Optuna's `report` refuses several objectives, whose learning curves are worth as much.
        trial.storage.set_trial_intermediate_value(trial._trial_id, step, val_bpd)


def _is_pruned(trial: optuna.trial.Trial, state: TrainState, history: list[Row]) -> bool:
    # Optuna's `should_prune` refuses several objectives.
    may_stop = len(trial.study.directions) == 1 and not trial.user_attrs.get(UNSTOPPED)
    return may_stop and len(history) < state.config.n_reports and trial.should_prune()


def _end(
    trial: optuna.trial.Trial, place: TrialContext, course: TrialProgress, end: str
) -> Iterator[Notice | TrialEnded]:
    """Write down and draw what the trial was, tell the study, and let go of what nobody needs any longer."""
    history = course.history
    feasible = end == "finished" or is_pruned(end)
    better = earlier_best(history) if history else None
    for name, value in trial_attributes(place.runtime, history, end, better).items():
        trial.set_user_attr(name, value)
    if crashes_of(trial)["times"] > MAX_RETRIES and history:
        yield Notice(f"trial {trial.number}: without pictures, since its worker died again and again at its end")
    elif notice := draw_and_annotate(trial, place.config, place.paths, course, end):
        yield Notice(f"trial {trial.number}: {notice}")
    # Once only: a worker that was killed since may have done it.
    if CONSTRAINT not in place.study.get_trials(deepcopy=False)[trial.number].constraints:
        trial.set_constraint(CONSTRAINT, 0.0 if feasible else 1.0)
    value = history[-1]["val_bpd"] if history else None
    outcome = _OUTCOMES.get(end.partition(":")[0], TrialState.PRUNED)
    values = objective_values(place.config.objectives, course) if outcome == TrialState.COMPLETE else None
    place.study.tell(trial, values, state=outcome)
    remove_unneeded(place.study, place.paths, N_KEPT, place.config.pruner)
    yield TrialEnded(trial.number, outcome, end, value)
