"""Lists of trials of a study with one hyperparameter, described by how they ended, and their configurations."""

from collections.abc import Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState, create_trial

from hpo.config.hyperparameters import Hyperparameters, Range
from hpo.config.schema import Budget, Confirmation, Pruner, StudyConfig, Training
from hpo.config.search_space import distributions
from hpo.search.configurations import CONSTRAINT, Configuration, group_trials

SPACE = Hyperparameters(beta=Range[float](low=0.1, high=10.0, log=True))
# End (finished, pruned, diverged, failed, running or waiting), scores, attributes.
Description = tuple[str, Sequence[float], dict[str, Any]]
# Text of an older version: nothing may depend on the wording after the epoch.
_PRUNED = "pruned at epoch 1: 7.0000, place 2 of 2 at this rung, none of which may go on so far"
_STATES = {
    "finished": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "diverged": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    "running": TrialState.RUNNING,
    "waiting": TrialState.WAITING,
}


def small_config(top: int = 2, seeds: int = 2, pruner: str = "halving") -> StudyConfig:
    return StudyConfig(
        name="small",
        hyperparameters=SPACE,
        training=Training(epochs=9),
        budget=Budget(trials=6),
        pruner=Pruner(name=pruner, warmup_epochs=1),  # type: ignore[arg-type]
        confirmation=Confirmation(top=top, seeds=seeds),
    )


def make_trials(*descriptions: Description) -> list[FrozenTrial]:
    """Create trials 0, 1, ... in the order of their descriptions."""
    trials = []
    for number, (end, scores, attributes) in enumerate(descriptions):
        trial = create_trial(
            state=_STATES[end],
            value=scores[-1] if end == "finished" else None,
            params={"beta": 1.0 + number % 9} if end != "waiting" else {},
            distributions=distributions(SPACE) if end != "waiting" else {},
            intermediate_values=dict(enumerate(scores, start=1)),
            constraints={CONSTRAINT: float(end in ("diverged", "failed"))},
            user_attrs={"end": _PRUNED if end == "pruned" else end, "elapsed_s": 10.0, **attributes},
        )
        trial.number = number
        trials.append(trial)
    return trials


def make_configurations(*descriptions: Description) -> list[Configuration]:
    return group_trials(make_trials(*descriptions))
