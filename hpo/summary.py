"""What a study has to say for itself at the end of a call."""

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.config import StudyConfig
from hpo.display import shown
from hpo.paths import StudyPaths
from hpo.search_space import at_edge, searched, tutorial_values
from hpo.study import best_trial, ended, is_pruned
from hpo.workers import interrupted_trials


def summarize(study: Study, config: StudyConfig, ppca_bpd: dict[int, float], config_name: str) -> list[str]:
    """What was found, and the next command."""
    found = findings(study, config, ppca_bpd)
    if best_trial(study) is None:
        return [*found[:-1], f"{found[-1]} Next: make tune STUDY={config_name}"]
    return [
        *found,
        f"Next: make best-retrain STUDY={config_name}   (look at the study: make dashboard STUDY={config_name})",
    ]


def findings(study: Study, config: StudyConfig, ppca_bpd: dict[int, float]) -> list[str]:
    """Best values, how they compare, edges, prunings, and what is paused."""
    best = best_trial(study)
    if best is None:
        return [*_paused(study, config), "No trial has finished yet."]
    return [
        *_best(study, best, config),
        *_against_ppca(best, config, ppca_bpd),
        *_edges(best, config),
        _prunings(study, config),
        *_paused(study, config),
    ]


def latent_dim_of(trial: FrozenTrial, config: StudyConfig) -> int:
    """A trial's latent dimension, searched or pinned."""
    return int(trial.params.get("latent_dim", config.hyperparameters.latent_dim))


def _best(study: Study, best: FrozenTrial, config: StudyConfig) -> list[str]:
    values = ", ".join(f"{name} {shown(value)}" for name, value in best.params.items())
    lines = [f"Best: trial {best.number}, val_bpd {best.value:.4f} after {config.training.epochs} epochs: {values}"]
    if "earlier_best" in best.user_attrs:
        lines.append(f"It was better earlier: {best.user_attrs['earlier_best']}; the last epoch is what counts")
    first = study.get_trials(deepcopy=False)[0]
    if first.number == best.number:
        lines.append(f"That is the first trial{_tutorial(config)}: nothing sampled since has beaten it")
    elif first.state == TrialState.COMPLETE and first.value is not None and best.value is not None:
        lines.append(f"First trial{_tutorial(config)}: {first.value:.4f}; {first.value - best.value:.4f} to the good")
    return lines


def _tutorial(config: StudyConfig) -> str:
    """What the first trial was, where the space admits all of the tutorial's values."""
    admitted = tutorial_values(config.hyperparameters).keys() == searched(config.hyperparameters).keys()
    return " (the tutorial's values)" if admitted else ""


def _against_ppca(best: FrozenTrial, config: StudyConfig, ppca_bpd: dict[int, float]) -> list[str]:
    latent_dim = latent_dim_of(best, config)
    if latent_dim not in ppca_bpd or best.value is None:
        return []
    yardstick = ppca_bpd[latent_dim]
    verdict = "beaten" if best.value < yardstick else "not beaten: at this length the model is undertrained"
    return [f"Probabilistic PCA with {latent_dim} dimensions: {yardstick:.4f}, {verdict}"]


def _edges(best: FrozenTrial, config: StudyConfig) -> list[str]:
    spaces = searched(config.hyperparameters)
    at = [name for name, value in best.params.items() if name in spaces and at_edge(spaces[name], value)]
    return [f"At the edge of its range: {', '.join(at)}; a wider range may hold better values"] if at else []


def _prunings(study: Study, config: StudyConfig) -> str:
    over = ended(study)
    pruned = [trial for trial in over if is_pruned(trial.user_attrs["end"])]
    saved = sum(config.training.epochs - trial.user_attrs["epoch"] for trial in pruned)
    share = saved / (config.training.epochs * len(over))
    faulty = [trial for trial in over if trial.state != TrialState.COMPLETE and trial not in pruned]
    others = f"; {len(faulty)} ended by a fault (see their attribute `end`)" if faulty else ""
    return f"{len(pruned)} of {len(over)} trials pruned; {100 * share:.0f}% of all epochs saved{others}"


def _paused(study: Study, config: StudyConfig) -> list[str]:
    trials = study.get_trials(deepcopy=False)
    paused = interrupted_trials(study, StudyPaths.of(config.name))
    n_reports = {number: len(trials[number].intermediate_values) for number in paused}
    return [
        f"Trial {number} is paused after {n} reports; the next call goes on with it" for number, n in n_reports.items()
    ]
