"""Warm start: what a new study takes from another one, values to try first and trials for its sampler.

It is stored as plain values in the new study's attributes, so that the other study may change or go afterwards.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from hpo.config.schema import StudyConfig
from hpo.config.search_space import admits, searched
from hpo.optunahub.samplers.learning_curves.configurations import as_single_trial
from hpo.search.configurations import configurations_of
from model.errors import UserError

N_BEST = 3
# Key of the study's user attribute.
WARM_START = "warm_start"
# Trials of two studies are comparable if these settings, and every hyperparameter's range, are equal.
_COMPARED_KEYS = ("data.digest", "objectives", "model", "training.epochs", "training.report_every")


class WarmStartError(UserError):
    """The other study has nothing that this one can start with."""


@dataclass(frozen=True)
class WarmStart:
    """Best values of another study (`best`), and its trials as plain values (`known`)."""

    study: str
    best: Sequence[dict[str, Any]]
    known: Sequence[dict[str, Any]]

    def described(self) -> str:
        """Return one line for the terminal."""
        trials = f"its {len(self.known)} configurations" if self.known else "none of its trials, which do not compare"
        return f"Starts with the best {len(self.best)} of study {self.study}; the sampler knows {trials}."

    def as_attribute(self) -> dict[str, Any]:
        """Return the form that is stored in the study's database."""
        return asdict(self)

    def trials(self, space: dict[str, BaseDistribution]) -> list[FrozenTrial]:
        """Return the other study's trials for a sampler of this search space."""
        return [_from_plain_values(values, space) for values in self.known]


def warm_start_of(study: Study) -> WarmStart | None:
    """Return what a study was created with; None if it started from nothing."""
    attribute = study.user_attrs.get(WARM_START)
    return WarmStart(**attribute) if attribute else None


def find_warm_start(config: StudyConfig, other: Study, other_config: StudyConfig, *, is_comparable: bool) -> WarmStart:
    """Collect what a study with this configuration can take from another study.

    Args:
        config: configuration of the new study.
        other: the study to take from; `other_config` is its configuration.
        is_comparable: True if the scores of the two studies compare, see `are_comparable`.

    Raises: WarmStartError: no finished trial of the other study has values within the new study's ranges.
    """
    # A trial that was ended before it had values tells nothing.
    configurations = [configuration for configuration in configurations_of(other) if configuration.params]
    finished = sorted(
        (configuration.confirmation_mean or configuration.value, configuration.number, configuration)
        for configuration in configurations
        if configuration.value is not None
    )
    values = [other_config.hyperparameters.fixed() | configuration.params for *_, configuration in finished]
    best = [searched_values for value in values if (searched_values := _searched_values(config, value))][:N_BEST]
    if not best:
        raise WarmStartError(
            "no finished trial's values lie in this study's ranges" if finished else "no trial has finished there"
        )
    ended = [configuration for configuration in configurations if configuration.last_trial.state.is_finished()]
    trials = [_to_plain_values(as_single_trial(configuration)) for configuration in ended] if is_comparable else []
    return WarmStart(other.study_name, best, trials)


def are_comparable(fingerprint: dict[str, str], other_fingerprint: dict[str, str]) -> bool:
    """Return True if the scores of two studies with these fingerprints can be compared."""
    return _compared_part(fingerprint) == _compared_part(other_fingerprint)


def _to_plain_values(trial: FrozenTrial) -> dict[str, Any]:
    """Return what a sampler reads of a trial, as JSON can hold it."""
    return {
        "state": trial.state.name,
        "values": trial.values,
        "params": trial.params,
        "scores": list(trial.intermediate_values.items()),
        "constraints": trial.constraints,
    }


def _from_plain_values(values: dict[str, Any], space: dict[str, BaseDistribution]) -> FrozenTrial:
    return create_trial(
        state=TrialState[values["state"]],
        values=values["values"],
        params=values["params"],
        distributions=space,
        intermediate_values={int(step): score for step, score in values["scores"]},
        constraints=values["constraints"],
    )


def _searched_values(config: StudyConfig, values: dict[str, Any]) -> dict[str, Any] | None:
    """Return the values of the searched hyperparameters; None if a range does not admit one of them."""
    entries = searched(config.hyperparameters)
    fits = all(name in values and admits(entry, values[name]) for name, entry in entries.items())
    return {name: values[name] for name in entries} if fits else None


def _compared_part(fingerprint: dict[str, str]) -> dict[str, str]:
    return {
        key: value for key, value in fingerprint.items() if key in _COMPARED_KEYS or key.startswith("hyperparameters.")
    }
