"""Table of a study's trials as plain values, from which figures, notes, pages and exports are made."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.config.schema import StudyConfig, Training
from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES
from hpo.search.configurations import CONFIRMS, RESTARTED, end_of, is_pruned

# Kind of a trial: the first words of its `end` attribute, and `running` before its end. `continued`: pruned, and
# another trial continues it. `confirmation`: finished, with the values of another trial and a new seed.
Kind = Literal["finished", "pruned", "continued", "confirmation", "diverged", "out of memory", "failed", "running"]


@dataclass(frozen=True)
class TrialRow:
    """Row of one trial. Values that the trial does not have are None.

    `state` is Optuna's, in lower case. `values` has every hyperparameter, searched or fixed, in the order of the
    study's file; those that the trial does not have yet are missing. `val_bpd` is the last one reported, however the
    trial ended. `curve` holds (epoch, val_bpd) of every report. `end` is how it ended, in one phrase; `earlier_best`
    describes an epoch notably better than the last one. `started` and `completed` are local times.

    The reports and the time of a trial that `continues` another one include those of the other one; `own_epochs` and
    `own_elapsed_s` do not, except if it trained them again because there was no checkpoint. `objectives` are the
    objective values of a finished trial, in the order of the study's file.
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
    """Return a row for each trial that was started, in the order of the numbers."""
    trials = study.get_trials(deepcopy=False)
    # Of two trials that continue one, the first counts.
    successors = {other.user_attrs.get(CONTINUES): other.number for other in reversed(trials)}
    return [
        trial_row(trial, config, trials, continued_by=successors.get(trial.number))
        for trial in trials
        if trial.state != TrialState.WAITING
    ]


def trial_row(
    trial: FrozenTrial,
    config: StudyConfig,
    trials: Sequence[FrozenTrial],
    end: str | None = None,
    continued_by: int | None = None,
) -> TrialRow:
    """Return the row of one of a study's `trials`, which are all trials by number.

    `end` is the `end` attribute of a trial that is about to end, `continued_by` the trial that continues this one.
    """
    end = end or end_of(trial)
    # A killed worker may have written some of the attributes; of a running trial they are ignored.
    attributes = {} if end == "running" else trial.user_attrs
    values = config.hyperparameters.fixed() | trial.params
    curve = _curve(trial, config.training)
    continues, confirms = trial.user_attrs.get(CONTINUES), trial.user_attrs.get(CONFIRMS)
    before = {} if continues is None or RESTARTED in trial.user_attrs else trials[continues].user_attrs
    epoch, elapsed_s = curve[-1][0] if curve else 0.0, attributes.get("elapsed_s")
    return TrialRow(
        number=trial.number,
        state=trial.state.name.lower(),
        kind=_kind(end, is_continued=continued_by is not None, is_confirmation=confirms is not None),
        end=end if continued_by is None else f"{end}; continued by trial {continued_by}",
        values={name: values[name] for name in config.hyperparameters.entries() if name in values},
        val_bpd=curve[-1][1] if curve else None,
        epoch=epoch,
        rate_nats=attributes.get("val_rate_nats"),
        distortion_nats=attributes.get("val_distortion_nats"),
        mse=attributes.get("val_mse"),
        sigma=attributes.get("sigma"),
        elapsed_s=elapsed_s,
        images_per_second=attributes.get("images_per_second"),
        curve=curve,
        earlier_best=attributes.get("earlier_best"),
        started=trial.datetime_start,
        completed=trial.datetime_complete,
        continues=continues,
        continued_by=continued_by,
        confirms=confirms,
        own_epochs=max(0.0, epoch - before.get("epoch", 0.0)),
        own_elapsed_s=None if elapsed_s is None else elapsed_s - before.get("elapsed_s", 0.0),
        objectives=tuple(trial.values or ()) if end == "finished" else (),
    )


def _curve(trial: FrozenTrial, training: Training) -> tuple[tuple[float, float], ...]:
    """Return (epoch, val_bpd) of every report."""
    epochs = [training.epoch_at(step) for step in trial.intermediate_values]
    return tuple(sorted(zip(epochs, trial.intermediate_values.values(), strict=True)))


def _kind(end: str, is_continued: bool, is_confirmation: bool) -> Kind:
    if is_pruned(end) and not is_confirmation:
        return "continued" if is_continued else "pruned"
    kinds: dict[str, Kind] = {
        "finished": "confirmation" if is_confirmation else "finished",
        "diverged": "diverged",
        "out of memory": "out of memory",
        "failed": "failed",
        # At a length that trials no longer have.
        "pruned": "confirmation",
    }
    return kinds.get(end.partition(":")[0], "running")
