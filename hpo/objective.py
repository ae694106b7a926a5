"""One trial: sample, train, report, prune. A plain generator: between two events the caller may stop."""

import traceback
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import optuna
from optuna.trial import TrialState

from hpo.checkpoints import N_KEPT, inherit, remove_unneeded
from hpo.config import StudyConfig
from hpo.configurations import BEGUN_ANEW, CONFIRMS, CONTINUES, UNSTOPPED, configurations_of, how_it_ended, is_pruned
from hpo.database import DATABASE_ERRORS, StudyError, is_gone
from hpo.next_trial import Plan
from hpo.paths import StudyPaths
from hpo.search_space import suggest
from hpo.study import CONSTRAINT, pruned_end
from hpo.take_up import take_up
from hpo.trial_end import Course, facts, log_traceback, objective_values, show
from hpo.trial_pictures import TrialFilm
from model.checkpoint import save_state
from model.config import TrainConfig
from model.data import ImageData
from model.errors import UserError
from model.runtime import Runtime, is_out_of_memory, release_memory
from model.train import Diverged, EpochMetrics, TrainState, train

# An earlier epoch better than the last by more than this many bits per dimension is worth a word.
NOTABLE_BPD = 0.01
# A trial whose worker died is taken up again from its last report so many times; then it is the trial's own fault.
# One that has all its reports, and so nothing to lose but its pictures, twice as often, from then on without them.
MAX_TAKE_UPS = 2
DEATHS = "deaths"
_OUT_OF_MEMORY = "out of memory"
_OUTCOMES = {"finished": TrialState.COMPLETE, "failed": TrialState.FAIL}


@dataclass(frozen=True)
class Workplace:
    """What every trial of a call shares. `data` lies on the runtime's device."""

    config: StudyConfig
    paths: StudyPaths
    study: optuna.Study
    data: ImageData
    runtime: Runtime
    plan: Plan = field(default_factory=Plan)


@dataclass(frozen=True)
class TrialStarted:
    """A trial begins, or goes on after `epoch` > 0 epochs.

    It may continue the training of an earlier trial, or confirm one with a new seed.
    """

    number: int
    values: dict[str, Any]
    epoch: float
    continues: int | None = None
    confirms: int | None = None


@dataclass(frozen=True)
class Notice:
    """Something that whoever watches should read."""

    text: str


@dataclass(frozen=True)
class TrialReported:
    """A report point was reached, and everything up to it is saved."""

    number: int
    metrics: EpochMetrics


@dataclass(frozen=True)
class TrialEnded:
    """A trial is over. `value` is its last val_bpd, None where it never had one."""

    number: int
    state: TrialState
    end: str
    value: float | None


Row = dict[str, float]
Event = TrialStarted | Notice | TrialReported | TrialEnded


def run_trial(trial: optuna.trial.Trial, place: Workplace) -> Iterator[Event]:
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
        yield TrialEnded(trial.number, frozen.state, how_it_ended(frozen), None)
    except (UserError, OSError, *DATABASE_ERRORS):
        raise
    except Exception as error:
        end = _take_note(error, trial, place)
        trial.set_user_attr("end", end)
        place.study.tell(trial, state=TrialState.FAIL)
        yield TrialEnded(trial.number, TrialState.FAIL, end, None)


def _train_and_end(trial: optuna.trial.Trial, place: Workplace) -> Iterator[Event]:
    values = suggest(trial, place.config.hyperparameters)
    seed_number, n_reported = _origin(trial, place)
    config = trial_config(place.config, values, seed_number)
    kin = {name: trial.user_attrs.get(name) for name in (CONTINUES, CONFIRMS)}
    yield TrialStarted(trial.number, values, config.epoch_at(n_reported), **kin)
    course = Course(config, TrialFilm(place.data.validation, place.paths.trial(trial.number)), [])
    try:
        end = _given_up(trial, config.n_reports) or (yield from _train_and_report(trial, place, course))
    except Diverged as error:
        end = f"diverged: {error}"
    except (UserError, OSError, optuna.exceptions.UpdateFinishedTrialError, *DATABASE_ERRORS):
        raise
    except Exception as error:
        end = _take_note(error, trial, place)
    if end.startswith(_OUT_OF_MEMORY):
        release_memory(place.runtime.device)
    yield from _end(trial, place, course, end)


def _take_note(error: Exception, trial: optuna.trial.Trial, place: Workplace) -> str:
    """How a trial ends that met this error; the traceback of one that nobody foresaw is kept."""
    reason = str(error).partition("\n")[0]
    if is_out_of_memory(error):
        return f"{_OUT_OF_MEMORY}: {reason or 'on the CPU'}"
    if is_gone(place.study):
        raise StudyError(f"{place.paths.folder}: the study was deleted while it was worked on") from error
    trial.set_user_attr("traceback", traceback.format_exc())
    log_traceback(f"trial {trial.number}", place.paths.errors)
    return f"failed: {type(error).__name__}: {reason}"


def trial_config(config: StudyConfig, values: dict[str, Any], trial_number: int) -> TrainConfig:
    """How a trial is trained. Its seed follows from the study's and its number, and so stays with it."""
    return TrainConfig(
        **values,
        epochs=config.training.epochs,
        report_every=config.training.report_every,
        seed=config.seed * 100_003 + trial_number,
        **config.model.model_dump(),
    )


def earlier_best(history: list[Row]) -> Row | None:
    """The best report, where it beats the last by more than NOTABLE_BPD."""
    best = min(history, key=lambda row: row["val_bpd"])
    return best if best["val_bpd"] < history[-1]["val_bpd"] - NOTABLE_BPD else None


def _reported(trial: optuna.trial.Trial, place: Workplace) -> set[int]:
    """Steps that the study has a value for."""
    return set(place.study.get_trials(deepcopy=False)[trial.number].intermediate_values)


def _origin(trial: optuna.trial.Trial, place: Workplace) -> tuple[int, int]:
    """The number of the trial whose seed this one has, and how many reports lie behind it."""
    before: int | None = trial.user_attrs.get(CONTINUES)
    if before is None:
        return trial.number, len(_reported(trial, place))
    inherit(place.paths, before, trial.number)
    (one,) = (one for one in configurations_of(place.study) if one.last.number == trial.number)
    return one.number, len(one.scores) if place.paths.checkpoint(trial.number).exists() else 0


def _given_up(trial: optuna.trial.Trial, n_reports: int) -> str | None:
    """How a trial of so many reports ends whose worker keeps dying at one point, or None."""
    deaths = _deaths(trial)
    if deaths["times"] <= MAX_TAKE_UPS * (2 if deaths["report"] == n_reports else 1):
        return None
    return f"failed: its worker died {deaths['times']} times after report {deaths['report']}"


def _deaths(trial: optuna.trial.Trial) -> dict[str, int]:
    """How often a worker has died with this trial, and after which of its reports."""
    deaths: dict[str, int] = trial.user_attrs.get(DEATHS, {"report": 0, "times": 0})
    return deaths


def _train_and_report(trial: optuna.trial.Trial, place: Workplace, course: Course) -> Generator[Event, None, str]:
    """Train to the end or to the pruner's verdict, saving before each report; return how it ended."""
    history, film = course.history, course.film
    checkpoint, reported = place.paths.checkpoint(trial.number), _reported(trial, place)
    state, before, notice = take_up(checkpoint, course.config, place.runtime, place.data)
    if notice:
        yield Notice(f"trial {trial.number}: {notice}")
    history += before
    if not history:
        film.begin(state)
        if CONTINUES in trial.user_attrs:
            trial.set_user_attr(BEGUN_ANEW, True)
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


def _pruned(place: Workplace, number: int, history: list[Row]) -> str:
    return pruned_end(place.study, number, history[-1]["epoch"], [row["val_bpd"] for row in history])


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


def _end(trial: optuna.trial.Trial, place: Workplace, course: Course, end: str) -> Iterator[Notice | TrialEnded]:
    """Write down and draw what the trial was, tell the study, and let go of what nobody needs any longer."""
    history = course.history
    feasible = end == "finished" or is_pruned(end)
    better = earlier_best(history) if history else None
    for name, value in facts(place.runtime, history, end, better).items():
        trial.set_user_attr(name, value)
    if _deaths(trial)["times"] > MAX_TAKE_UPS and history:
        yield Notice(f"trial {trial.number}: without pictures, since its worker died again and again at its end")
    elif notice := show(trial, place.config, place.paths, course, end):
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
