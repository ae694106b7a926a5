"""A study's trials as rows of plain values: what figures, notes, report and export are made from."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.config.schema import StudyConfig
from hpo.search.configurations import CONFIRMS, CONTINUES, RESTARTED, end_of, is_pruned

# How a trial stands: as its `end` attribute begins, `pruned` without the epoch, and `running` where there is none yet;
# `continued` where another has gone on with it, `confirmation` where it finished another's values with a new seed.
Kind = Literal["finished", "pruned", "continued", "confirmation", "diverged", "out of memory", "failed", "running"]


@dataclass(frozen=True)
class TrialRow:
    """One trial. What it never came to is None.

    `state` is Optuna's, in lower case; `values` has every hyperparameter, searched or fixed, that it came to in the
    order of the study's file; `val_bpd` is the last one reported, whatever became of the
    trial; `curve` holds (epoch, val_bpd) of every report; `end` is the whole story in a phrase; `earlier_best` tells
    of an epoch notably better than the last; `started` and `completed` are local times. A trial that `continues`
    another has its reports and its time within its own; `own_epochs` and `own_elapsed_s` are without them, unless it
    has trained them again for want of a checkpoint.
    `objectives` are what a finished trial is judged by, in the order of the study's file.
    """

    number: int
    state: str
    kind: Kind
    end: str
    values: dict[str, Any]
    val_bpd: float | None
    epoch: float
    rate_nats: float | None
    distortion_nats: float | None
    mse: float | None
    sigma: float | None
    elapsed_s: float | None
    images_per_second: float | None
    curve: tuple[tuple[float, float], ...]
    earlier_best: str | None
    started: datetime.datetime | None
    completed: datetime.datetime | None
    continues: int | None
    continued_by: int | None
    confirms: int | None
    own_epochs: float
    own_elapsed_s: float | None
    objectives: tuple[float, ...]


def trial_rows(study: Study, config: StudyConfig) -> list[TrialRow]:
    """A row for each trial that was begun, in the order of their numbers."""
    trials = study.get_trials(deepcopy=False)
    return [trial_row(trial, config, trials) for trial in trials if trial.state != TrialState.WAITING]


def trial_row(
    trial: FrozenTrial, config: StudyConfig, trials: Sequence[FrozenTrial], end: str | None = None
) -> TrialRow:
    """The row of one of a study's trials; `end` of one that is about to be told over."""
    training, end = config.training, end or end_of(trial)
    # A worker that was killed may have written some of them down.
    facts = {} if end == "running" else trial.user_attrs
    known = config.hyperparameters.fixed() | trial.params
    epochs = [min(round(step * training.report_every, 6), float(training.epochs)) for step in trial.intermediate_values]
    curve = tuple(sorted(zip(epochs, trial.intermediate_values.values(), strict=True)))
    continues, confirms = trial.user_attrs.get(CONTINUES), trial.user_attrs.get(CONFIRMS)
    heirs = [other.number for other in trials if other.user_attrs.get(CONTINUES) == trial.number]
    before = trials[continues].user_attrs if continues is not None and RESTARTED not in trial.user_attrs else {}
    epoch, elapsed_s = curve[-1][0] if curve else 0.0, facts.get("elapsed_s")
    return TrialRow(
        number=trial.number,
        state=trial.state.name.lower(),
        kind=_kind(end, is_continued=bool(heirs), is_confirmation=confirms is not None),
        end=f"{end}; continued by trial {heirs[0]}" if heirs else end,
        values={name: known[name] for name in config.hyperparameters.entries() if name in known},
        val_bpd=curve[-1][1] if curve else None,
        epoch=epoch,
        rate_nats=facts.get("val_rate_nats"),
        distortion_nats=facts.get("val_distortion_nats"),
        mse=facts.get("val_mse"),
        sigma=facts.get("sigma"),
        elapsed_s=elapsed_s,
        images_per_second=facts.get("images_per_second"),
        curve=curve,
        earlier_best=facts.get("earlier_best"),
        started=trial.datetime_start,
        completed=trial.datetime_complete,
        continues=continues,
        continued_by=heirs[0] if heirs else None,
        confirms=confirms,
        own_epochs=max(0.0, epoch - before.get("epoch", 0.0)),
        own_elapsed_s=None if elapsed_s is None else elapsed_s - before.get("elapsed_s", 0.0),
        objectives=tuple(trial.values or ()) if end == "finished" else (),
    )


def _kind(end: str, is_continued: bool, is_confirmation: bool) -> Kind:
    if is_pruned(end):
        return "continued" if is_continued else "pruned"
    kinds: dict[str, Kind] = {
        "finished": "confirmation" if is_confirmation else "finished",
        "diverged": "diverged",
        "out of memory": "out of memory",
        "failed": "failed",
    }
    return kinds.get(end.partition(":")[0], "running")
