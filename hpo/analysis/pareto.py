"""A study with two objectives: its Pareto front, and what is otherwise with it."""

from collections.abc import Iterable

from hpo.analysis.trial_table import TrialRow
from hpo.config.schema import StudyConfig
from hpo.search.pareto import ParetoFront, ParetoTrial, pareto_front_data


def pareto_front_of(rows: Iterable[TrialRow], config: StudyConfig) -> ParetoFront | None:
    """Its finished trials by whether another one beats them; None where there are none, or one objective alone."""
    if len(config.objectives) == 1:
        return None
    finished = [ParetoTrial(row.number, *row.objectives) for row in rows if row.objectives]
    return pareto_front_data(config.objectives[1], finished) if finished else None


def objectives_notice(config: StudyConfig) -> str | None:
    """What whoever starts or reads a study with two objectives must know; None where there is one."""
    if len(config.objectives) == 1:
        return None
    return (
        f"Two objectives, {' and '.join(config.objectives)}, both to be low: what the search finds is a Pareto front. "
        "Pruning and confirmation are off: both go by val_bpd alone, and a trial that is bad by that may still lie on "
        "the front."
    )
