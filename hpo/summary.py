"""What a study has to say for itself at the end of a call."""

from statistics import mean

from optuna.study import Study

from hpo.answer import Answer, count_cost, find_answer
from hpo.config import StudyConfig
from hpo.configurations import best_trial
from hpo.display import shown
from hpo.front import front_of
from hpo.next_trial import what_is_left
from hpo.paths import StudyPaths
from hpo.search_space import searched
from hpo.trial_table import TrialRow, trial_rows
from hpo.workers import interrupted_trials


def findings(study: Study, config: StudyConfig, ppca_bpd: dict[int, float]) -> list[str]:
    """Best values, how they compare, edges, prunings, and what was interrupted."""
    rows = trial_rows(study, config)
    answer = find_answer(study, config, ppca_bpd)
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
    if commands := what_is_left(study, config).commands(config_name):
        return f"Next: {commands}"
    which = "" if len(study.directions) == 1 else "of lowest val_bpd; TRIAL=N for another of the front; "
    return (
        f"Next: make best-retrain STUDY={config_name}   ({which}look at the study: make dashboard STUDY={config_name})"
    )


def _best(answer: Answer, config: StudyConfig) -> list[str]:
    best, first = answer.best, answer.first
    pinned = config.hyperparameters.pinned()
    values = ", ".join(f"{name} {shown(value)}" for name, value in best.values.items() if name not in pinned)
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


def _confirmation(answer: Answer) -> list[str]:
    scores = answer.confirmed
    if not scores:
        return []
    spread = f" (from {min(scores):.4f} to {max(scores):.4f})" if len(scores) > 1 else ""
    seeds = f"{len(scores)} new seeds" if len(scores) > 1 else "a new seed"
    lines = [f"Confirmed with {seeds}: {mean(scores):.4f}{spread}"]
    if lucky := answer.luckier:
        lines.append(f"Trial {lucky.number} scored {lucky.val_bpd:.4f}, which new seeds have not confirmed")
    return lines


def _against_ppca(answer: Answer) -> list[str]:
    if answer.ppca_bpd is None:
        return []
    is_beaten = answer.best_bpd < answer.ppca_bpd
    why = "it has overfitted" if answer.best.earlier_best else "at this length the model is undertrained"
    verdict = "beaten" if is_beaten else f"not beaten: {why}"
    return [
        f"Probabilistic PCA with {answer.best.values['latent_dim']} dimensions: {answer.ppca_bpd:.4f}, {verdict}",
    ]


def _edges(answer: Answer) -> list[str]:
    if not answer.at_edge:
        return []
    return [f"At the edge of its range: {', '.join(answer.at_edge)}; a wider range may hold better values"]


def _front(rows: list[TrialRow], config: StudyConfig) -> list[str]:
    found = front_of(rows, config)
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
