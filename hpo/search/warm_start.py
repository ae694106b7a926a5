"""What a new study can take from another: its best values, and its trials where they compare."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from hpo.config.schema import StudyConfig
from hpo.config.search_space import admits, searched
from hpo.search.configurations import configurations_of
from hpo.search.samplers import seen
from hpo.storage.database import StudyError
from hpo.storage.fingerprint import with_defaults_of_old_studies
from hpo.storage.open_study import OpenStudy

N_BEST = 3
# Trials of two studies compare where all of this, and every hyperparameter's range, is the same.
_MUST_AGREE = ("data.digest", "objectives", "model", "training.epochs", "training.report_every")
# The study's attribute that holds it.
WARM_START = "warm_start"


@dataclass(frozen=True)
class WarmStart:
    """Another study's best values, to be tried first, and its trials as plain values."""

    study: str
    best: Sequence[dict[str, Any]]
    known: Sequence[dict[str, Any]]

    def described(self) -> str:
        """In one line."""
        trials = f"its {len(self.known)} configurations" if self.known else "none of its trials, which do not compare"
        return f"Begins with the best {len(self.best)} of study {self.study}; the sampler knows {trials}."

    def as_attribute(self) -> dict[str, Any]:
        """For the study's database."""
        return asdict(self)

    def trials(self, space: dict[str, BaseDistribution]) -> list[FrozenTrial]:
        """For the sampler."""
        return [_trial(plain, space) for plain in self.known]


def warm_start_of(study: Study) -> WarmStart | None:
    """What it was given; None where it began with nothing."""
    attribute = study.user_attrs.get(WARM_START)
    return WarmStart(**attribute) if attribute else None


def plain(trial: FrozenTrial) -> dict[str, Any]:
    """What a sampler looks at, as JSON can hold it."""
    return {
        "state": trial.state.name,
        "values": trial.values,
        "params": trial.params,
        "scores": list(trial.intermediate_values.items()),
        "constraints": trial.constraints,
    }


def _trial(plain: dict[str, Any], space: dict[str, BaseDistribution]) -> FrozenTrial:
    return create_trial(
        state=TrialState[plain["state"]],
        values=plain["values"],
        params=plain["params"],
        distributions=space,
        intermediate_values={int(step): score for step, score in plain["scores"]},
        constraints=plain["constraints"],
    )


def find_warm_start(config: StudyConfig, identity: dict[str, str], other: OpenStudy) -> WarmStart:
    """What a study of this file and identity can take from another.

    Raises: StudyError: that one has nothing to give.
    """
    # A trial that was ended before it had its values tells nothing.
    known = [one for one in configurations_of(other.study) if one.params]
    finished = sorted((one.confirmed_mean or one.value, one.number, one) for one in known if one.value is not None)
    values = [other.config.hyperparameters.pinned() | one.params for *_, one in finished]
    best = [taken for value in values if (taken := _taken(config, value))][:N_BEST]
    if not best:
        why = "no finished trial's values lie in this study's ranges" if finished else "no trial has finished there"
        raise StudyError(f"--from-study {other.config_name}: {why}")
    compares = _compared(with_defaults_of_old_studies(other.study.user_attrs["identity"])) == _compared(identity)
    trials = [plain(seen(one)) for one in known if compares and one.last.state.is_finished()]
    return WarmStart(other.study.study_name, best, trials)


def _taken(config: StudyConfig, values: dict[str, Any]) -> dict[str, Any] | None:
    """Those that are searched here, if the ranges admit all of them."""
    entries = searched(config.hyperparameters)
    fits = all(name in values and admits(entry, values[name]) for name, entry in entries.items())
    return {name: values[name] for name in entries} if fits else None


def _compared(identity: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in identity.items() if key in _MUST_AGREE or key.startswith("hyperparameters.")}
