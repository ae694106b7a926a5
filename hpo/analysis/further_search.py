"""Outlook of a study: what a further search is expected to bring, in words."""

from optuna.study import Study

from hpo.analysis.formatting import capitalized
from hpo.config.schema import StudyConfig
from hpo.config.search_space import edges_of
from hpo.search.best_trial import best_trial_of
from hpo.search.configurations import configurations_of
from hpo.search.learning_curves.further_search import SMALL_GAIN, FurtherSearch, further_search
from hpo.search.learning_curves.wider_ranges import wider_ranges
from hpo.search.samplers import ConfigurationSampler, sampler_of
from hpo.storage.call_log import calls_of

# Of a further search, where the study's file limits a call by trials alone.
_MINUTES_WITHOUT_LIMIT = 30.0
_SMALLEST_SHOWN = 0.001


def further_search_of(study: Study, config: StudyConfig, sampler: ConfigurationSampler) -> FurtherSearch | None:
    """Predict what another call as long as the last one, or as the study's patience, brings with as many workers.

    Returns: None with two objectives or another sampler than `curves`, and while there are few configurations.
    """
    if len(config.objectives) > 1:
        return None
    calls, budget = calls_of(study), config.budget
    last_minutes, n_workers = (calls[-1].timeout_minutes, calls[-1].workers) if calls else (None, 1)
    minutes = budget.patience or last_minutes or budget.timeout_minutes or _MINUTES_WITHOUT_LIMIT
    return further_search(configurations_of(study), sampler, minutes, n_workers)


def gain_in_words(further: FurtherSearch) -> str:
    """Return the gain in bits per dimension: `about 0.004`, or `less than 0.001`."""
    return _in_words(further.gain)


def further_search_sentence(further: FurtherSearch, config: StudyConfig) -> str:
    """Return what a further search brings as a sentence, without its capital letter and full stop."""
    number = f"{further.n_configurations:,} configuration{'s' * (further.n_configurations != 1)}"
    duration = f"{further.minutes:g} minutes, about {number},"
    sentence = f"another {duration} are expected to lower the best score by {gain_in_words(further)}"
    if config.budget.patience is None or further.gain >= SMALL_GAIN:
        return sentence
    return f"{sentence}; this is too little for budget.patience, so no new configuration is started"


def wider_range_sentences(
    study: Study, config: StudyConfig, further: FurtherSearch | None, sampler: ConfigurationSampler
) -> list[str]:
    """Return what wider ranges are expected to bring, without capital letters and full stops.

    A longer code is nearly always better, which is said elsewhere.
    """
    configurations = configurations_of(study)
    best = best_trial_of(configurations)
    if further is None or best is None:
        return []
    edges = edges_of(config.hyperparameters, best.params)
    return [
        f"another {further.minutes:g} minutes with {end.name} from {end.present:.4g}, the end of its range, to "
        f"{end.value:.4g} are expected to lower the best score by {_in_words(wider.gain)}; within the ranges, by "
        f"{gain_in_words(further)}"
        for wider in wider_ranges(configurations, sampler, further, edges)
        if (end := wider.end) and not (end.name == "latent_dim" and end.is_upper)
    ]


def outlook(study: Study, config: StudyConfig) -> list[str]:
    """Return what a further search and wider ranges bring as lines for the terminal, as far as that can be told."""
    sampler = sampler_of(study, config)
    further = further_search_of(study, config, sampler)
    more = [further_search_sentence(further, config)] if further else []
    return [capitalized(sentence) for sentence in (*more, *wider_range_sentences(study, config, further, sampler))]


def _in_words(gain: float) -> str:
    return f"about {gain:.3f}" if gain >= _SMALLEST_SHOWN else f"less than {_SMALLEST_SHOWN}"
