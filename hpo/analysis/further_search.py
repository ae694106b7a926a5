"""Outlook of a study: what a further search is expected to bring, in words."""

from optuna.study import Study

from hpo.analysis.formatting import capitalized
from hpo.config.schema import StudyConfig
from hpo.search.configurations import configurations_of
from hpo.search.learning_curves.further_search import FurtherSearch, further_search, is_settled
from hpo.search.samplers import ConfigurationSampler, sampler_of
from hpo.storage.call_log import calls_of

# Of a further search, where the study's file limits a call by trials alone.
_MINUTES_WITHOUT_LIMIT = 30.0
_SMALLEST_SHOWN = 0.001


def further_search_of(study: Study, config: StudyConfig, sampler: ConfigurationSampler) -> FurtherSearch | None:
    """Predict what another call of the usual duration brings, with as many workers as the last one had.

    Returns: None with two objectives or another sampler than `curves`, and while there are few configurations.
    """
    if len(config.objectives) > 1:
        return None
    minutes = config.budget.timeout_minutes or _MINUTES_WITHOUT_LIMIT
    return further_search(configurations_of(study), sampler, minutes, _n_workers(study))


def gain_in_words(further: FurtherSearch) -> str:
    """Return the gain in bits per dimension: `at most 0.004`, or `less than 0.001`."""
    is_shown = further.gain >= _SMALLEST_SHOWN
    return f"at most {further.gain:.3f}" if is_shown else f"less than {_SMALLEST_SHOWN}"


def further_search_sentence(further: FurtherSearch) -> str:
    """Return what a further search brings as a sentence, without its capital letter and full stop."""
    number = f"{further.n_configurations:,} configuration{'s' * (further.n_configurations != 1)}"
    duration = f"{further.minutes:g} minutes, about {number},"
    return f"another {duration} are expected to lower the best score by {gain_in_words(further)}"


def outlook(study: Study, config: StudyConfig) -> list[str]:
    """Return what a further search brings as lines for the terminal; one more where the study's patience has ended."""
    sampler = sampler_of(study, config)
    further = further_search_of(study, config, sampler)
    lines = [capitalized(further_search_sentence(further))] if further else []
    if is_settled(configurations_of(study), config, sampler, _n_workers(study)):
        lines.append(f"The search has ended here, since budget.patience is {config.budget.patience:g} minutes")
    return lines


def _n_workers(study: Study) -> int:
    """Return the number of workers of the last call."""
    calls = calls_of(study)
    return calls[-1].workers if calls else 1
