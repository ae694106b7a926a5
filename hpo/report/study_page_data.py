"""What the page of a study tells, as data: from its database, its yardstick and its retrained model's numbers."""

import json
import shlex
from dataclasses import dataclass
from typing import Any

import yaml
from optuna.study import Study

from hpo.analysis.cost import Cost, count_cost
from hpo.analysis.importances import Importances, find_importances
from hpo.analysis.ppca_baseline import PpcaBaseline, ppca_baseline_of
from hpo.analysis.results import StudyResults, study_results
from hpo.analysis.trial_table import TrialRow, trial_rows
from hpo.config.hyperparameters import TUTORIAL, Choices
from hpo.config.schema import StudyConfig
from hpo.config.search_space import searched
from hpo.config.study_file import CONFIG_FOLDER
from hpo.report.run_page_data import ImageCounts
from hpo.search.pareto import ParetoFront, objectives_notice, pareto_front_of
from hpo.search.successive_halving import halving_of
from hpo.search.warm_start import WarmStart, warm_start_of
from hpo.storage.call_log import Call, calls_of
from hpo.storage.open_study import OpenStudy
from hpo.storage.paths import StudyPaths


@dataclass(frozen=True)
class Setting:
    """One searched hyperparameter: the best trial's value, what was searched in words, and the tutorial's value."""

    name: str
    value: Any
    searched: str
    tutorial: Any
    is_at_edge: bool


@dataclass(frozen=True)
class Retrained:
    """The retrained model's scores in bits/dim beside its trial's; the test split's are None where not looked at."""

    trial: int
    trial_epochs: float
    trial_bpd: float
    epochs: int
    val_bpd: float
    test_bpd: float | None
    ppca_bpd: float | None


@dataclass(frozen=True)
class Recipe:
    """All that it takes to make the study again. `digest` is the first part of the images'; `calls` may be unknown."""

    command: str
    config_file: str
    config_yaml: str
    seed: int
    digest: str
    precision: str
    versions: tuple[tuple[str, str], ...]
    git_commit: str | None
    is_repeatable: bool
    calls: tuple[Call, ...]


@dataclass(frozen=True)
class StudyReport:
    """All that the page tells but its pictures. What there is not, or not yet, is None."""

    name: str
    config_name: str
    n_epochs: int
    pruner: str
    rungs: tuple[float, ...]
    reduction_factor: int
    objectives: str | None
    front: ParetoFront | None
    images: ImageCounts
    rows: tuple[TrialRow, ...]
    answer: StudyResults | None
    settings: tuple[Setting, ...]
    yardstick: PpcaBaseline
    importances: Importances | None
    retrained: Retrained | None
    cost: Cost
    recipe: Recipe


def study_report(at_hand: OpenStudy) -> StudyReport:
    """Read all of it; nothing is computed anew but importances."""
    study, config, paths = at_hand.study, at_hand.config, at_hand.paths
    rows, yardstick = trial_rows(study, config), ppca_baseline_of(study, paths)
    answer = study_results(study, config, yardstick.bpd)
    return StudyReport(
        name=study.study_name,
        config_name=at_hand.config_name,
        n_epochs=config.training.epochs,
        pruner=config.pruner.name,
        rungs=_rungs(config),
        reduction_factor=config.pruner.reduction_factor,
        objectives=objectives_notice(config),
        front=pareto_front_of(((row.number, row.objectives) for row in rows), config),
        images=ImageCounts(**study.user_attrs["data"]),
        rows=tuple(rows),
        answer=answer,
        settings=_settings(answer, config) if answer else (),
        yardstick=yardstick,
        importances=find_importances(study, answer.n_finished) if answer else None,
        retrained=_retrained(paths),
        cost=count_cost(rows, config.training.epochs),
        recipe=_recipe(study, config),
    )


def _rungs(config: StudyConfig) -> tuple[float, ...]:
    """In epochs."""
    halving = halving_of(config.pruner, config.training)
    return tuple(rung * config.training.report_every for rung in halving.rungs) if halving else ()


def _settings(answer: StudyResults, config: StudyConfig) -> tuple[Setting, ...]:
    return tuple(
        Setting(name, answer.best.values[name], _in_words(entry), getattr(TUTORIAL, name), name in answer.at_edge)
        for name, entry in searched(config.hyperparameters).items()
    )


def _in_words(entry: Any) -> str:
    if isinstance(entry, Choices):
        return "one of " + ", ".join(f"{choice}" for choice in entry.choices)
    return f"{entry.low:g} to {entry.high:g}" + (", log scale" if entry.log else "")


def _retrained(paths: StudyPaths) -> Retrained | None:
    """Its own numbers where it is there; it may have been moved away or be of another time than the study."""
    if not paths.best.metrics_json.exists():
        return None
    metrics = json.loads(paths.best.metrics_json.read_text(encoding="utf-8"))
    names = ("trial", "trial_epochs", "epochs", "val_bpd", "test_bpd", "ppca_bpd")
    return Retrained(**{name: metrics[name] for name in names}, trial_bpd=metrics["trial_val_bpd"])


def _recipe(study: Study, config: StudyConfig) -> Recipe:
    facts = study.user_attrs
    calls, given = calls_of(study), warm_start_of(study)
    return Recipe(
        command=_command(config, calls, given),
        config_file=str(CONFIG_FOLDER / f"{config.name}.yaml"),
        config_yaml=yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=100),
        seed=config.seed,
        digest=_digest(study),
        precision=facts["precision"],
        versions=tuple(facts["versions"].items()),
        git_commit=facts["git_commit"],
        is_repeatable=given is None and _is_repeatable(config, calls),
        calls=calls,
    )


def _is_repeatable(config: StudyConfig, calls: tuple[Call, ...]) -> bool:
    """Whether the command gives the same trials: with one worker, and no bound or objective of time."""
    told = all(call.workers == 1 and call.timeout_minutes is None for call in calls)
    return told and config.budget.timeout_minutes is None and "seconds_per_epoch" not in config.objectives


def _command(config: StudyConfig, calls: tuple[Call, ...], given: WarmStart | None) -> str:
    """The last call's, with whatever it was told beyond the file."""
    parts = ["make tune", f"STUDY={shlex.quote(config.name)}"]
    parts += [f"FROM_STUDY={shlex.quote(given.study)}"] if given else []
    if calls:
        last, budget = calls[-1], config.budget
        parts += [f"TRIALS={last.trials}"] * (last.trials != budget.trials)
        if last.timeout_minutes not in (None, budget.timeout_minutes):
            parts.append(f"TIMEOUT={last.timeout_minutes:g}")
        parts += [f"WORKERS={last.workers}"] * (last.workers != 1)
    return " ".join(parts)


def _digest(study: Study) -> str:
    return str(json.loads(study.user_attrs["identity"]["data.digest"]))
