"""What a new study can take from another: its best values, and its trials where they compare."""

from typing import Any

from hpo.at_hand import StudyAtHand
from hpo.config import StudyConfig
from hpo.configurations import configurations_of
from hpo.database import StudyError
from hpo.sampler import seen
from hpo.search_space import admits, searched
from hpo.study import of_any_age
from hpo.warm_start import WarmStart, plain

N_BEST = 3
# Trials of two studies compare where all of this, and every hyperparameter's range, is the same.
_MUST_AGREE = ("data.digest", "objectives", "model", "training.epochs", "training.report_every")


def find_warm_start(config: StudyConfig, identity: dict[str, str], other: StudyAtHand) -> WarmStart:
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
    compares = _compared(of_any_age(other.study.user_attrs["identity"])) == _compared(identity)
    trials = [plain(seen(one)) for one in known if compares and one.last.state.is_finished()]
    return WarmStart(other.study.study_name, best, trials)


def _taken(config: StudyConfig, values: dict[str, Any]) -> dict[str, Any] | None:
    """Those that are searched here, if the ranges admit all of them."""
    entries = searched(config.hyperparameters)
    fits = all(name in values and admits(entry, values[name]) for name, entry in entries.items())
    return {name: values[name] for name in entries} if fits else None


def _compared(identity: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in identity.items() if key in _MUST_AGREE or key.startswith("hyperparameters.")}
