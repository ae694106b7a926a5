"""What a study found, what that is to be held against, and what it cost: for the terminal and the page alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from optuna.study import Study

from hpo.analysis.cost import count_cost
from hpo.analysis.formatting import format_value
from hpo.analysis.ppca_baseline import ppca_verdict
from hpo.analysis.trial_table import TrialRow, trial_rows
from hpo.config.schema import StudyConfig
from hpo.config.search_space import at_edge, searched, tutorial_values
from hpo.search.best_trial import best_configuration, best_trial
from hpo.search.configurations import configurations_of
from hpo.search.pareto import pareto_front_of
from hpo.search.remaining_work import remaining_work
from hpo.storage.claims import interrupted_trials
from hpo.storage.paths import StudyPaths

# Trials so near to the best, in bits per dimension, might as well have won.
NEAR_BPD = 0.01


@dataclass(frozen=True)
class StudyResults:
    """The best finished trial: of lowest val_bpd or, where some are confirmed, of the lowest mean over new seeds.

    `confirmed` are its scores with new seeds; `luckier` is a trial that scored lower itself, which new seeds have not
    confirmed. `near`
    are the scores of all finished trials within NEAR_BPD of it, ascending, its own among them; `runner_up` is the best
    other score; `first` is the study's first trial, which had the tutorial's values of all that is searched where
    `first_is_tutorial`; `ppca_bpd` is the yardstick of the best trial's latent dimension, where known; `at_edge`
    names its values that lie at the end of their range.
    """

    best: TrialRow
    best_bpd: float
    n_finished: int
    near: tuple[float, ...]
    runner_up: float | None
    first: TrialRow
    first_is_tutorial: bool
    ppca_bpd: float | None
    at_edge: tuple[str, ...]
    confirmed: tuple[float, ...]
    luckier: TrialRow | None

    @property
    def first_is_best(self) -> bool:
        """Whether nothing sampled since has beaten the first trial."""
        return self.first.number == self.best.number

    @property
    def ahead_of_first(self) -> float | None:
        """By how much the best beats the first trial; None where that is the best itself, or did not finish."""
        if self.first_is_best or self.first.kind != "finished" or self.first.val_bpd is None:
            return None
        return self.first.val_bpd - self.best_bpd


def study_results(study: Study, config: StudyConfig, ppca_bpd: Mapping[int, float]) -> StudyResults | None:
    """The best of a study's trials, or None where none has finished."""
    rows, best_one = trial_rows(study, config), best_configuration(configurations_of(study))
    scores = {row.number: row.val_bpd for row in rows if row.kind == "finished" and row.val_bpd is not None}
    if best_one is None:
        return None
    lowest, _ = min(scores.items(), key=lambda score: (score[1], score[0]))
    number = best_one.last.number
    best_bpd, ascending = scores[number], sorted(scores.values())
    by_number = {row.number: row for row in rows}
    best = by_number[number]
    spaces = searched(config.hyperparameters)
    return StudyResults(
        best=best,
        best_bpd=best_bpd,
        n_finished=len(scores),
        near=tuple(score for score in ascending if abs(score - best_bpd) <= NEAR_BPD),
        runner_up=min((score for other, score in scores.items() if other != number), default=None),
        first=_first(rows),
        first_is_tutorial=tutorial_values(config.hyperparameters).keys() == spaces.keys(),
        ppca_bpd=ppca_bpd.get(int(best.values["latent_dim"])),
        at_edge=tuple(name for name, entry in spaces.items() if at_edge(entry, best.values[name])),
        confirmed=best_one.confirmed,
        luckier=by_number[lowest] if lowest != number else None,
    )


def _first(rows: Sequence[TrialRow]) -> TrialRow:
    """The study's first trial, or the one that has gone on with it."""
    first = rows[0]
    for row in rows:
        if row.continues == first.number:
            first = row
    return first


def findings(study: Study, config: StudyConfig, ppca_bpd: dict[int, float]) -> list[str]:
    """Best values, how they compare, edges, prunings, and what was interrupted."""
    rows = trial_rows(study, config)
    answer = study_results(study, config, ppca_bpd)
    if answer is None:
        return [*_interrupted(study, config), "No trial has finished yet."]
    return [
        *_best(answer, config),
        *_against_ppca(answer),
        *_edges(answer),
        *_front(rows, config),
        _prunings(rows, config),
        *_interrupted(study, config),
    ]


def next_step(study: Study, config: StudyConfig, config_name: str) -> str:
    """The command that follows; where the choice is not confirmed yet, both that are possible."""
    if best_trial(study) is None:
        return f"Next: make tune STUDY={config_name}"
    if commands := remaining_work(study, config).commands(config_name):
        return f"Next: {commands}"
    which = "" if len(study.directions) == 1 else "of lowest val_bpd; TRIAL=N for another of the front; "
    return (
        f"Next: make best-retrain STUDY={config_name}   ({which}look at the study: make dashboard STUDY={config_name})"
    )


def _best(answer: StudyResults, config: StudyConfig) -> list[str]:
    best, first = answer.best, answer.first
    fixed = config.hyperparameters.fixed()
    values = ", ".join(f"{name} {format_value(value)}" for name, value in best.values.items() if name not in fixed)
    by = "" if len(config.objectives) == 1 else " by val_bpd"
    lines = [
        f"Best{by}: trial {best.number}, val_bpd {answer.best_bpd:.4f} after {config.training.epochs} epochs: {values}"
    ]
    lines += _confirmation(answer)
    if best.earlier_best:
        lines.append(f"It was better earlier: {best.earlier_best}; the last epoch is what counts")
    tutorial = f" (the tutorial's {', '.join(searched(config.hyperparameters))})" if answer.first_is_tutorial else ""
    if answer.first_is_best:
        lines.append(f"That is the first trial{tutorial}: nothing sampled since has beaten it")
    elif answer.ahead_of_first is not None and answer.ahead_of_first >= 0:
        lines.append(f"First trial{tutorial}: {first.val_bpd:.4f}; {answer.ahead_of_first:.4f} to the good")
    return lines


def _confirmation(answer: StudyResults) -> list[str]:
    scores = answer.confirmed
    if not scores:
        return []
    spread = f" (from {min(scores):.4f} to {max(scores):.4f})" if len(scores) > 1 else ""
    seeds = f"{len(scores)} new seeds" if len(scores) > 1 else "a new seed"
    lines = [f"Confirmed with {seeds}: {mean(scores):.4f}{spread}"]
    if lucky := answer.luckier:
        lines.append(f"Trial {lucky.number} scored {lucky.val_bpd:.4f}, which new seeds have not confirmed")
    return lines


def _against_ppca(answer: StudyResults) -> list[str]:
    if answer.ppca_bpd is None:
        return []
    verdict = ppca_verdict(answer.best_bpd, answer.ppca_bpd, overfitted=answer.best.earlier_best is not None)
    return [
        f"Probabilistic PCA with {answer.best.values['latent_dim']} dimensions: {answer.ppca_bpd:.4f}, {verdict}",
    ]


def _edges(answer: StudyResults) -> list[str]:
    if not answer.at_edge:
        return []
    return [f"At the edge of its range: {', '.join(answer.at_edge)}; a wider range may hold better values"]


def _front(rows: list[TrialRow], config: StudyConfig) -> list[str]:
    found = pareto_front_of(((row.number, row.objectives) for row in rows), config)
    if found is None:
        return []
    trials = ", ".join(f"trial {one.number} ({one.val_bpd:.4f}, {one.second:.4g})" for one in found.front)
    return [f"On the Pareto front of {' and '.join(config.objectives)}: {trials}"]


def _prunings(rows: list[TrialRow], config: StudyConfig) -> str:
    cost = count_cost(rows, config.training.epochs)
    on = f", {cost.n_continued} of them continued later" if cost.n_continued else ""
    others = f"; {cost.n_faulty} ended by a fault (see their attribute `end`)" if cost.n_faulty else ""
    stopped = "paused at a rung" if config.pruner.name == "halving" else "pruned"
    pruned = f"{cost.n_pruned + cost.n_continued} of {cost.n_ended} trials {stopped}{on}"
    return f"{pruned}; {100 * cost.saved_share:.0f}% of all epochs saved{others}"


def _interrupted(study: Study, config: StudyConfig) -> list[str]:
    trials = study.get_trials(deepcopy=False)
    interrupted = interrupted_trials(study, StudyPaths.of(config.name))
    n_reports = {number: len(trials[number].intermediate_values) for number in interrupted}
    return [
        f"Trial {number} was interrupted after {n} reports; the next call goes on with it"
        for number, n in n_reports.items()
    ]
