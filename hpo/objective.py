"""One trial: sample, train, report, prune. A plain generator: between two events the caller may stop."""

import traceback
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import optuna
from optuna.trial import TrialState

from hpo.checkpoints import N_KEPT, remove_unneeded
from hpo.config import StudyConfig
from hpo.database import DATABASE_ERRORS
from hpo.paths import StudyPaths
from hpo.search_space import suggest
from hpo.study import CONSTRAINT, is_pruned
from hpo.take_up import take_up
from model.checkpoint import save_state
from model.config import TrainConfig
from model.data import ImageData
from model.errors import UserError
from model.runtime import Runtime, is_out_of_memory, release_memory
from model.train import Diverged, EpochMetrics, TrainState, train

# An earlier epoch better than the last by more than this many bits per dimension is worth a word.
NOTABLE_BPD = 0.01
# A trial whose worker died is taken up again from its last report so many times; then it is the trial's own fault.
MAX_TAKE_UPS = 2
DEATHS = "deaths"
_OUTCOMES = {"finished": TrialState.COMPLETE, "failed": TrialState.FAIL}


@dataclass(frozen=True)
class Workplace:
    """What every trial of a call shares. `data` lies on the runtime's device."""

    config: StudyConfig
    paths: StudyPaths
    study: optuna.Study
    data: ImageData
    runtime: Runtime


@dataclass(frozen=True)
class TrialStarted:
    """A trial begins, or goes on after `epoch` > 0 epochs."""

    number: int
    values: dict[str, Any]
    epoch: float


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
    """
    values = suggest(trial, place.config.hyperparameters)
    config, history = trial_config(place.config, values, trial.number), list[Row]()
    reported = _reported(trial, place)
    yield TrialStarted(trial.number, values, config.epoch_at(len(reported)))
    try:
        end = _given_up(trial) or (yield from _train_and_report(trial, place, config, history))
    except Diverged as error:
        end = f"diverged: {error}"
    except (OSError, UserError, *DATABASE_ERRORS):
        # The disk's or the user's: the trial stays as it is and can go on.
        raise
    except Exception as error:
        if is_out_of_memory(error):
            end = f"out of memory: {_first_line(error) or 'on the CPU'}"
        else:
            end = f"failed: {type(error).__name__}: {_first_line(error)}"
            _keep_traceback(trial, place)
    if end.startswith("out of memory"):
        release_memory(place.runtime.device)
    yield _end(trial, place, history, end)


def trial_config(config: StudyConfig, values: dict[str, Any], trial_number: int) -> TrainConfig:
    """How a trial is trained. Its seed follows from the study's and its number, and so stays with it."""
    return TrainConfig(
        **values,
        epochs=config.training.epochs,
        report_every=config.training.report_every,
        seed=config.seed * 100_003 + trial_number,
        channels=config.model.channels,
    )


def earlier_best(history: list[Row]) -> Row | None:
    """The best report, where it beats the last by more than NOTABLE_BPD."""
    best = min(history, key=lambda row: row["val_bpd"])
    return best if best["val_bpd"] < history[-1]["val_bpd"] - NOTABLE_BPD else None


def _reported(trial: optuna.trial.Trial, place: Workplace) -> set[int]:
    """Steps that the study has a value for."""
    return set(place.study.get_trials(deepcopy=False)[trial.number].intermediate_values)


def _given_up(trial: optuna.trial.Trial) -> str | None:
    """How a trial ends whose worker keeps dying at one point, or None."""
    deaths = trial.user_attrs.get(DEATHS, {"times": 0})
    if deaths["times"] <= MAX_TAKE_UPS:
        return None
    return f"failed: its worker died {deaths['times']} times after report {deaths['report']}"


def _train_and_report(
    trial: optuna.trial.Trial, place: Workplace, config: TrainConfig, history: list[Row]
) -> Generator[Event, None, str]:
    """Train to the end or to the pruner's verdict, saving before each report; return how it ended."""
    checkpoint, reported = place.paths.checkpoint(trial.number), _reported(trial, place)
    state, before, notice = take_up(checkpoint, config, place.runtime)
    if notice:
        yield Notice(f"trial {trial.number}: {notice}")
    history += before
    for step, row in enumerate(history, start=1):
        _report(trial, row["val_bpd"], step, reported)
    # Asked again after an interruption: it may have fallen between the report and the verdict.
    if history and _is_pruned(trial, state, history):
        return f"pruned at epoch {history[-1]['epoch']:g}"
    for metrics in train(state, place.data):
        history.append(asdict(metrics))
        save_state(checkpoint, state, history)
        _report(trial, metrics.val_bpd, len(history), reported)
        yield TrialReported(trial.number, metrics)
        if _is_pruned(trial, state, history):
            return f"pruned at epoch {metrics.epoch:g}"
    return "finished"


def _report(trial: optuna.trial.Trial, val_bpd: float, step: int, reported: set[int]) -> None:
    if step not in reported:
        trial.report(val_bpd, step)


def _is_pruned(trial: optuna.trial.Trial, state: TrainState, history: list[Row]) -> bool:
    return len(history) < state.config.n_reports and trial.should_prune()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _keep_traceback(trial: optuna.trial.Trial, place: Workplace) -> None:
    """Onto the trial and, for whoever has no dashboard, into the study's log."""
    trial.set_user_attr("traceback", traceback.format_exc())
    with place.paths.errors.open("a", encoding="utf-8") as log:
        log.write(f"trial {trial.number}\n{traceback.format_exc()}\n")


def _end(trial: optuna.trial.Trial, place: Workplace, history: list[Row], end: str) -> TrialEnded:
    """Write down what the trial was, tell the study, and let go of checkpoints that nobody needs any longer."""
    feasible = end == "finished" or is_pruned(end)
    for name, value in _attributes(place, history, end).items():
        trial.set_user_attr(name, value)
    trial.set_constraint(CONSTRAINT, 0.0 if feasible else 1.0)
    value = history[-1]["val_bpd"] if history else None
    outcome = _OUTCOMES.get(end.partition(":")[0], TrialState.PRUNED)
    place.study.tell(trial, value if outcome == TrialState.COMPLETE else None, state=outcome)
    remove_unneeded(place.study, place.paths, N_KEPT)
    return TrialEnded(trial.number, outcome, end, value)


def _attributes(place: Workplace, history: list[Row], end: str) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "end": end,
        "device": place.runtime.device.type,
        "precision": place.runtime.precision,
    }
    if not history:
        return facts
    last = history[-1]
    names = ("epoch", "val_rate_nats", "val_distortion_nats", "val_mse", "sigma", "skipped_updates", "elapsed_s")
    facts |= {name: last[name] for name in names}
    facts["images_per_second"] = sum(row["images_per_second"] for row in history) / len(history)
    better = earlier_best(history)
    return facts | ({"earlier_best": f"{better['val_bpd']:.4f} at epoch {better['epoch']:g}"} if better else {})
