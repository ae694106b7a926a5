"""Results of a study as sentences, for terminal and notes, and the command that comes next."""

from statistics import mean

from optuna.samplers import BaseSampler
from optuna.study import Study

from hpo.analysis.cost import count_cost
from hpo.analysis.earlier_best import earlier_best_notice
from hpo.analysis.formatting import capitalized, counted, format_value
from hpo.analysis.ppca_baseline import PpcaBaseline
from hpo.analysis.results import SHORTER_CODE_BPD, StudyResults, study_results
from hpo.analysis.trial_table import TrialRow, trial_rows
from hpo.config.schema import StudyConfig
from hpo.config.search_space import searched
from hpo.search.best_trial import BestAtLength, best_at_length, best_trial_of, expected_best_of
from hpo.search.configurations import configurations_of
from hpo.search.pareto import pareto_front_of
from hpo.search.remaining_work import remaining_work
from hpo.search.samplers import sampler_of
from hpo.storage.backend import interrupted_trials
from hpo.storage.paths import StudyPaths
from hpo.user_commands import user_command


def findings(study: Study, config: StudyConfig, baseline: PpcaBaseline, paths: StudyPaths) -> list[str]:
    """Return the results as sentences: best values and how they compare, ranges, prunings, interrupted trials."""
    rows = trial_rows(study, config)
    results = study_results(study, config, baseline)
    if results is None:
        sampler = sampler_of(study, config)
        at_length = best_when_retrained(study, config, sampler)
        expected = at_length or expected_best_of(configurations_of(study), sampler)
        return [*_interrupted(study, paths), "No trial has finished yet.", *([expected.sentence] if expected else [])]
    return [
        *_best(results, config),
        *_ppca(results),
        *_code_length(results),
        *_edges(results),
        *_best_at_length(study, config),
        *_pareto_front(rows, config),
        _prunings(rows, config),
        *_interrupted(study, paths),
    ]


def next_command(study: Study, config: StudyConfig, config_name: str) -> str:
    """Return the line that names the next command; both possible ones while confirmations are missing."""
    retrain = user_command("retrain", config_name)
    if best_trial_of(configurations_of(study)) is None:
        expected = expected_best_of(configurations_of(study), sampler_of(study, config))
        return f"Next: {user_command('tune', config_name)}{f'; or {retrain}' if expected else ''}"
    if commands := remaining_work(study, config, sampler_of(study, config)).next_commands(config_name):
        return f"Next: {commands}"
    other = user_command("retrain", config_name, trial="N")
    chosen = "" if len(study.directions) == 1 else f"of lowest val_bpd; another of the front: {other}; "
    return f"Next: {retrain}   ({chosen}look at the study: {user_command('dashboard', config_name)})"


def _best(results: StudyResults, config: StudyConfig) -> list[str]:
    best, row, ahead = results.best, results.best_row, results.ahead_of_first
    fixed = config.hyperparameters.fixed()
    values = ", ".join(f"{name} {format_value(value)}" for name, value in row.values.items() if name not in fixed)
    by = "" if len(config.objectives) == 1 else " by val_bpd"
    length = counted(config.training.n_epochs, "epoch")
    lines = [f"Best{by}: trial {best.number}, val_bpd {best.val_bpd:.4f} after {length}: {values}"]
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
    scores, lines = results.best.confirmation_scores, []
    if scores:
        spread = f" (from {min(scores):.4f} to {max(scores):.4f})" if len(scores) > 1 else ""
        seeds = f"{len(scores)} new seeds" if len(scores) > 1 else "a new seed"
        lines.append(f"Confirmed with {seeds}: {mean(scores):.4f}{spread}")
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
            f"A linear model with a longer code, within this study's range, is better: probabilistic PCA with "
            f"{better.latent_dim} dimensions: {better.bpd:.4f}, ahead by {results.best.val_bpd - better.bpd:.4f}"
        )
    return lines


def _code_length(results: StudyResults) -> list[str]:
    lines = []
    if row := results.shorter_code:
        lines.append(
            f"Shortest code within {SHORTER_CODE_BPD} of the best: {row.values['latent_dim']} dimensions, "
            f"trial {row.number}, {row.val_bpd:.4f}"
        )
    if results.has_longest_code:
        lines.append(
            "The best has nearly the longest code that is allowed: in bits, a longer code is nearly always better. "
            "To weigh its length, fix latent_dim, or search for two objectives as pareto.yaml does"
        )
    return lines


def _edges(results: StudyResults) -> list[str]:
    if not results.at_edge:
        return []
    names = ", ".join(results.at_edge)
    return [f"At the edge of its range: {names}. To search beyond it, widen the range in the file and tune again"]


def best_when_retrained(study: Study, config: StudyConfig, sampler: BaseSampler) -> BestAtLength | None:
    """Return the trial that is to retrain at the length of the retraining, if that is longer than a trial."""
    n_epochs = 0 if config.retrain.epochs == "auto" else config.retrain.epochs
    return best_at_length(configurations_of(study), sampler, n_epochs, config.training.n_epochs)


def _best_at_length(study: Study, config: StudyConfig) -> list[str]:
    best = best_when_retrained(study, config, sampler_of(study, config))
    return [f"{best.sentence} It is the one that is retrained"] if best else []


def _pareto_front(rows: list[TrialRow], config: StudyConfig) -> list[str]:
    pareto = pareto_front_of(((row.number, row.objectives) for row in rows), config)
    if pareto is None:
        return []
    trials = ", ".join(f"trial {trial.number} ({trial.val_bpd:.4f}, {trial.second:.4g})" for trial in pareto.front)
    return [f"On the Pareto front of {' and '.join(config.objectives)}: {trials}"]


def _prunings(rows: list[TrialRow], config: StudyConfig) -> str:
    cost = count_cost(rows, config.training.n_epochs)
    continued = f", {cost.n_continued} of them continued later" if cost.n_continued else ""
    faulty = f"; {cost.n_faulty} ended by a fault (see their attribute `end`)" if cost.n_faulty else ""
    stopped = "paused at a rung" if config.pruner.name == "halving" else "pruned"
    pruned = f"{cost.n_pruned + cost.n_continued} of {cost.n_ended} trials {stopped}{continued}"
    return f"{pruned}; {100 * cost.saved_share:.0f}% of all epochs saved{faulty}"


def _interrupted(study: Study, paths: StudyPaths) -> list[str]:
    trials = study.get_trials(deepcopy=False)
    interrupted = interrupted_trials(study, paths)
    n_reports = {number: len(trials[number].intermediate_values) for number in interrupted}
    return [
        f"Trial {number} was interrupted after {n} reports; the next call resumes it" for number, n in n_reports.items()
    ]
