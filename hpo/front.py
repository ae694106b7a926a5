"""A study with two objectives: its Pareto front, and what is otherwise with it."""

from collections.abc import Iterable

from hpo.config import StudyConfig
from hpo.figures.pareto_data import Compromise, Pareto, pareto_data
from hpo.trial_table import TrialRow


def front_of(rows: Iterable[TrialRow], config: StudyConfig) -> Pareto | None:
    """Its finished trials by whether another one beats them; None where there are none, or one objective alone."""
    if len(config.objectives) == 1:
        return None
    finished = [Compromise(row.number, *row.objectives) for row in rows if row.objectives]
    return pareto_data(config.objectives[1], finished) if finished else None


def about_objectives(config: StudyConfig) -> str | None:
    """What whoever starts or reads a study with two objectives must know; None where there is one."""
    if len(config.objectives) == 1:
        return None
    return (
        f"Two objectives, {' and '.join(config.objectives)}, both to be low: what the search finds is a Pareto front. "
        "Pruning and confirmation are off: both go by val_bpd alone, and a trial that is bad by that may still lie on "
        "the front."
    )
