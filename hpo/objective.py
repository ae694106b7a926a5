"""One trial: sample, train, report, prune. A plain generator: between two events the caller may stop."""

from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import optuna
import torch
from optuna.trial import TrialState

from hpo.config import StudyConfig
from hpo.paths import StudyPaths
from hpo.search_space import suggest
from hpo.study import CONSTRAINT, is_pruned
from hpo.take_up import take_up
from model.checkpoint import save_state
from model.config import TrainConfig
from model.data import ImageData
from model.errors import UserError
from model.runtime import Runtime
from model.train import Diverged, EpochMetrics, TrainState, train

# An earlier epoch better than the last by more than this many bits per dimension is worth a word.
NOTABLE_BPD = 0.01


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
    notice: str | None = None


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
Event = TrialStarted | TrialReported | TrialEnded


def run_trial(trial: optuna.trial.Trial, place: Workplace) -> Iterator[Event]:
    """Train one trial to its end, going on from its checkpoint where it has one.

    Its value is the last epoch's val_bpd. A trial that diverged or ran out of memory ends as pruned and infeasible,
    so that the sampler ranks it last: a failed one would be ignored, and the corner it came from tried again.
    """
    values = suggest(trial, place.config.hyperparameters)
    config = trial_config(place.config, values, trial.number)
    state, history, notice = take_up(place.paths.checkpoint(trial.number), config, place.runtime)
    yield TrialStarted(trial.number, values, history[-1]["epoch"] if history else 0.0, notice)
    try:
        end = yield from _train_and_report(trial, place, state, history)
    except Diverged as error:
        end = f"diverged: {error}"
    except (torch.OutOfMemoryError, MemoryError) as error:
        end = f"out of memory: {str(error).splitlines()[0] if str(error) else 'on the CPU'}"
    except (OSError, UserError, optuna.exceptions.StorageInternalError):
        # The disk's or the user's: the trial stays as it is and can go on.
        raise
    except Exception as error:
        _end(trial, place, history, TrialState.FAIL, f"failed: {type(error).__name__}: {error}")
        raise
    outcome = TrialState.COMPLETE if end == "finished" else TrialState.PRUNED
    yield _end(trial, place, history, outcome, end)


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


def _train_and_report(
    trial: optuna.trial.Trial, place: Workplace, state: TrainState, history: list[Row]
) -> Generator[TrialReported, None, str]:
    """Train to the end or to the pruner's verdict, saving before each report; return how it ended."""
    reported = set(place.study.get_trials(deepcopy=False)[trial.number].intermediate_values)
    for step, row in enumerate(history, start=1):
        _report(trial, row["val_bpd"], step, reported)
    # Asked again after an interruption: it may have fallen between the report and the verdict.
    if history and _is_pruned(trial, state, history):
        return f"pruned at epoch {history[-1]['epoch']:g}"
    for metrics in train(state, place.data):
        history.append(asdict(metrics))
        save_state(place.paths.checkpoint(trial.number), state, history)
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


def _end(
    trial: optuna.trial.Trial,
    place: Workplace,
    history: list[Row],
    state: TrialState,
    end: str,
) -> TrialEnded:
    """Write down what the trial was, tell the study, and let go of the checkpoint."""
    feasible = end == "finished" or is_pruned(end)
    for name, value in _attributes(place, history, end).items():
        trial.set_user_attr(name, value)
    trial.set_constraint(CONSTRAINT, 0.0 if feasible else 1.0)
    value = history[-1]["val_bpd"] if history else None
    place.study.tell(trial, value if state == TrialState.COMPLETE else None, state=state)
    place.paths.checkpoint(trial.number).unlink(missing_ok=True)
    return TrialEnded(trial.number, state, end, value)


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
