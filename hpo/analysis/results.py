"""Results of a study: its best trial and how it compares, as values for pages and sentences for terminal and notes."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from optuna.study import Study

from hpo.analysis.cost import count_cost
from hpo.analysis.earlier_best import earlier_best_notice
from hpo.analysis.formatting import capitalized, format_value
from hpo.analysis.ppca_baseline import LinearModel, PpcaBaseline, PpcaVerdict, ppca_name, ppca_verdict
from hpo.analysis.trial_table import TrialRow, trial_rows
from hpo.config.schema import StudyConfig
from hpo.config.search_space import at_edge, searched, tutorial_values
from hpo.search.best_trial import BestTrial, best_trial_of
from hpo.search.configurations import configurations_of
from hpo.search.pareto import pareto_front_of
from hpo.search.remaining_work import remaining_work
from hpo.storage.claims import interrupted_trials
from hpo.storage.paths import StudyPaths

# Trials within so many bits per dimension of the best one could as well have been the best.
NEAR_BPD = 0.01


@dataclass(frozen=True)
class StudyResults:
    """The best trial of a study and what it compares with.

    `best_row` is its row in the trial table. `near` are the scores of all finished trials within NEAR_BPD of it,
    ascending, its own included; `runner_up` is the best score of another trial; `luckier` is a trial that scored lower
    itself but was not confirmed by new seeds. `first` is the study's first trial; if `first_is_tutorial`, it had the
    tutorial's values of all searched hyperparameters. `ppca_bpd` is the score of probabilistic PCA with the best
    trial's latent dimension, if known, and `ppca_name` its name in a sentence. `better_linear` is the best linear
    model within the study's range of latent dimensions, if it scores lower than the best trial; `linear_at_rate` has
    the rate of the best trial, if the baseline reaches it. `at_edge` names the hyperparameters whose best value lies
    at the end of its range.
    """

    best: BestTrial
    best_row: TrialRow
    n_finished: int
    near: tuple[float, ...]
    runner_up: float | None
    first: TrialRow
    first_is_tutorial: bool
    ppca_bpd: float | None
    ppca_name: str
    better_linear: LinearModel | None
    linear_at_rate: LinearModel | None
    at_edge: tuple[str, ...]
    luckier: TrialRow | None

    @property
    def ppca_verdict(self) -> PpcaVerdict | None:
        """Comparison of the best trial with probabilistic PCA; None if pPCA's score is not known."""
        if self.ppca_bpd is None:
            return None
        return ppca_verdict(self.best.val_bpd, self.ppca_bpd, overfitted=self.best_row.earlier_best is not None)

    @property
    def verdict_at_rate(self) -> PpcaVerdict | None:
        """Comparison of the best trial's own score with the linear model of its rate; None if that is not known."""
        if self.linear_at_rate is None or self.best_row.val_bpd is None:
            return None
        overfitted = self.best_row.earlier_best is not None
        return ppca_verdict(self.best_row.val_bpd, self.linear_at_rate.bpd, overfitted=overfitted)

    @property
    def first_is_best(self) -> bool:
        """True if no later trial has beaten the first one."""
        return self.first.number == self.best.number

    @property
    def ahead_of_first(self) -> float | None:
        """Score of the first trial less that of the best; None if they are the same, or the first did not finish."""
        if self.first_is_best or self.first.kind != "finished" or self.first.val_bpd is None:
            return None
        return self.first.val_bpd - self.best.val_bpd


def study_results(study: Study, config: StudyConfig, baseline: PpcaBaseline) -> StudyResults | None:
    """Compute the results of a study; None if no trial has finished.

    Args:
        study: the study.
        config: the study's file.
        baseline: validation scores of probabilistic PCA.
    """
    best = best_trial_of(configurations_of(study))
    if best is None:
        return None
    rows = trial_rows(study, config)
    by_number = {row.number: row for row in rows}
    best_row = by_number[best.number]
    scores = {row.number: row.val_bpd for row in rows if row.kind == "finished" and row.val_bpd is not None}
    lowest, _ = min(scores.items(), key=lambda score: (score[1], score[0]))
    searched_entries, latent_dim = searched(config.hyperparameters), int(best_row.values["latent_dim"])
    linear = baseline.best_model(int(config.hyperparameters.largest("latent_dim")))
    return StudyResults(
        best=best,
        best_row=best_row,
        n_finished=len(scores),
        near=tuple(score for score in sorted(scores.values()) if abs(score - best.val_bpd) <= NEAR_BPD),
        runner_up=min((score for number, score in scores.items() if number != best.number), default=None),
        first=_first(rows),
        first_is_tutorial=tutorial_values(config.hyperparameters).keys() == searched_entries.keys(),
        ppca_bpd=baseline.bpd.get(latent_dim),
        ppca_name=ppca_name(latent_dim, study.user_attrs["data"]["n_train"]),
        better_linear=linear if linear and linear.bpd < best.val_bpd else None,
        linear_at_rate=baseline.model_at_rate(best_row.rate_nats) if best_row.rate_nats is not None else None,
        at_edge=tuple(name for name, entry in searched_entries.items() if at_edge(entry, best_row.values[name])),
        luckier=by_number[lowest] if lowest != best.number else None,
    )


def _first(rows: Sequence[TrialRow]) -> TrialRow:
    """Return the row of the study's first trial, or of the last trial that continues it."""
    first = rows[0]
    for row in rows:
        if row.continues == first.number:
            first = row
    return first


def findings(study: Study, config: StudyConfig, baseline: PpcaBaseline) -> list[str]:
    """Return the results as sentences: best values and how they compare, ranges, prunings, interrupted trials."""
    rows = trial_rows(study, config)
    results = study_results(study, config, baseline)
    if results is None:
        return [*_interrupted(study, config), "No trial has finished yet."]
    return [
        *_best(results, config),
        *_ppca(results),
        *_edges(results),
        *_pareto_front(rows, config),
        _prunings(rows, config),
        *_interrupted(study, config),
    ]


def next_command(study: Study, config: StudyConfig, config_name: str) -> str:
    """Return the line that names the next command; both possible ones while confirmations are missing."""
    if best_trial_of(configurations_of(study)) is None:
        return f"Next: make tune STUDY={shlex.quote(config_name)}"
    if commands := remaining_work(study, config).next_commands(config_name):
        return f"Next: {commands}"
    name = shlex.quote(config_name)
    chosen = "" if len(study.directions) == 1 else "of lowest val_bpd; TRIAL=N for another of the front; "
    return f"Next: make best-retrain STUDY={name}   ({chosen}look at the study: make dashboard STUDY={name})"


def _best(results: StudyResults, config: StudyConfig) -> list[str]:
    best, row, ahead = results.best, results.best_row, results.ahead_of_first
    fixed = config.hyperparameters.fixed()
    values = ", ".join(f"{name} {format_value(value)}" for name, value in row.values.items() if name not in fixed)
    by = "" if len(config.objectives) == 1 else " by val_bpd"
    lines = [
        f"Best{by}: trial {best.number}, val_bpd {best.val_bpd:.4f} after {config.training.epochs} epochs: {values}"
    ]
    lines += _confirmation(results)
    if row.earlier_best:
        lines.append(earlier_best_notice(row.earlier_best))
    tutorial = f" (the tutorial's {', '.join(searched(config.hyperparameters))})" if results.first_is_tutorial else ""
    if results.first_is_best:
        lines.append(f"The best is the first trial{tutorial}: no later trial has beaten it")
    elif ahead is not None and ahead >= 0:
        lines.append(f"First trial{tutorial}: {results.first.val_bpd:.4f}; the best is better by {ahead:.4f}")
    return lines


def _confirmation(results: StudyResults) -> list[str]:
    scores = results.best.confirmation_scores
    if not scores:
        return []
    spread = f" (from {min(scores):.4f} to {max(scores):.4f})" if len(scores) > 1 else ""
    seeds = f"{len(scores)} new seeds" if len(scores) > 1 else "a new seed"
    lines = [f"Confirmed with {seeds}: {mean(scores):.4f}{spread}"]
    if luckier := results.luckier:
        lines.append(f"Trial {luckier.number} scored {luckier.val_bpd:.4f}, which new seeds have not confirmed")
    return lines


def _ppca(results: StudyResults) -> list[str]:
    lines, verdict, at_rate = [], results.ppca_verdict, results.verdict_at_rate
    if verdict is not None:
        lines.append(f"{capitalized(results.ppca_name)}: {results.ppca_bpd:.4f}, {verdict.text}")
    if at_rate is not None and (linear := results.linear_at_rate):
        lines.append(
            f"Probabilistic PCA at the same rate, {results.best_row.rate_nats:.0f} nats, has {linear.latent_dim} "
            f"dimensions: {linear.bpd:.4f}, {at_rate.comparison}"
        )
    if better := results.better_linear:
        lines.append(
            f"A linear model within this study's range is better than the best trial: probabilistic PCA with "
            f"{better.latent_dim} dimensions: {better.bpd:.4f}, ahead by {results.best.val_bpd - better.bpd:.4f}"
        )
    return lines


def _edges(results: StudyResults) -> list[str]:
    if not results.at_edge:
        return []
    return [f"At the edge of its range: {', '.join(results.at_edge)}; a wider range may hold better values"]


def _pareto_front(rows: list[TrialRow], config: StudyConfig) -> list[str]:
    pareto = pareto_front_of(((row.number, row.objectives) for row in rows), config)
    if pareto is None:
        return []
    trials = ", ".join(f"trial {trial.number} ({trial.val_bpd:.4f}, {trial.second:.4g})" for trial in pareto.front)
    return [f"On the Pareto front of {' and '.join(config.objectives)}: {trials}"]


def _prunings(rows: list[TrialRow], config: StudyConfig) -> str:
    cost = count_cost(rows, config.training.epochs)
    continued = f", {cost.n_continued} of them continued later" if cost.n_continued else ""
    faulty = f"; {cost.n_faulty} ended by a fault (see their attribute `end`)" if cost.n_faulty else ""
    stopped = "paused at a rung" if config.pruner.name == "halving" else "pruned"
    pruned = f"{cost.n_pruned + cost.n_continued} of {cost.n_ended} trials {stopped}{continued}"
    return f"{pruned}; {100 * cost.saved_share:.0f}% of all epochs saved{faulty}"


def _interrupted(study: Study, config: StudyConfig) -> list[str]:
    trials = study.get_trials(deepcopy=False)
    interrupted = interrupted_trials(study, StudyPaths.of(config.name))
    n_reports = {number: len(trials[number].intermediate_values) for number in interrupted}
    return [
        f"Trial {number} was interrupted after {n} reports; the next call resumes it" for number, n in n_reports.items()
    ]
