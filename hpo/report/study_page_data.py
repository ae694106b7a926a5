"""Content of a study's page, read from its database, its pPCA baseline and the metrics of its retrained model."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from optuna.study import Study

from hpo.analysis.cost import Cost, count_cost
from hpo.analysis.findings import best_when_retrained
from hpo.analysis.formatting import search_range
from hpo.analysis.further_search import further_search_of, further_search_sentence, wider_range_sentences
from hpo.analysis.importances import Importances, find_importances
from hpo.analysis.ppca_baseline import PpcaBaseline, ppca_baseline_of
from hpo.analysis.results import StudyResults, study_results
from hpo.analysis.run_metrics import ImageCounts, RunMetrics, read_run_metrics
from hpo.analysis.trial_table import TrialRow, trial_rows
from hpo.config.hyperparameters import TUTORIAL
from hpo.config.schema import StudyConfig
from hpo.config.search_space import searched, untuned_values
from hpo.config.study_file import CONFIG_FOLDER
from hpo.report.shareable_text import PATH_OF_IMAGES, shareable_path
from hpo.search.best_trial import BestAtLength, ExpectedBest, expected_best_of
from hpo.search.configurations import configurations_of
from hpo.search.pareto import ParetoFront, objectives_notice, pareto_front_of
from hpo.search.pruners import halving_of
from hpo.search.samplers import sampler_of
from hpo.search.warm_start import WarmStart, warm_start_of
from hpo.storage.call_log import Call, calls_of
from hpo.storage.fingerprint import stored_fingerprint
from hpo.storage.open_study import OpenStudy
from hpo.storage.paths import StudyPaths
from hpo.user_commands import user_command


@dataclass(frozen=True)
class SearchedSetting:
    """A searched hyperparameter: the best trial's value, its range in words, and the tutorial's value."""

    name: str
    value: Any
    searched: str
    tutorial: Any
    is_at_edge: bool


@dataclass(frozen=True)
class Recipe:
    """Everything that is needed to repeat the study.

    `digest` is the first part of the images' digest; `calls` is empty for a study that did not record them.
    """

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
class StudyPage:
    """Content of a study's page except its pictures. Entries are None if the study does not have them (yet).

    `retrained` holds the metrics of the retrained model, which may be of a trial that is no longer the best.
    `expected_best` is the trial that is expected to end best, while none has finished; `best_at_length` the one to
    retrain, if that is for longer than a trial. `second_is_untuned` is True
    if the second trial has the values that are good without a search.
    """

    name: str
    config_name: str
    n_epochs: int
    pruner: str
    rungs: tuple[float, ...]
    reduction_factor: int
    objectives: str | None
    pareto_front: ParetoFront | None
    images: ImageCounts
    rows: tuple[TrialRow, ...]
    results: StudyResults | None
    expected_best: ExpectedBest | None
    best_at_length: BestAtLength | None
    second_is_untuned: bool
    further_search: str | None
    wider_ranges: tuple[str, ...]
    settings: tuple[SearchedSetting, ...]
    ppca_baseline: PpcaBaseline
    largest_latent_dim: int
    importances: Importances | None
    retrained: RunMetrics | None
    cost: Cost
    recipe: Recipe

    @property
    def n_curves(self) -> int:
        """Number of trials of the search with a score: continued and confirming ones are left out."""
        return sum(row.val_bpd is not None and row.kind not in ("continued", "confirmation") for row in self.rows)

    @property
    def n_compared(self) -> int:
        """Number of trials whose values are compared: finished and pruned ones."""
        return sum(row.kind in ("finished", "pruned") for row in self.rows)


def read_study_page(opened: OpenStudy) -> StudyPage:
    """Read the content of a study's page; only importances are computed here."""
    study, config, paths = opened.study, opened.config, opened.paths
    rows, baseline = trial_rows(study, config), ppca_baseline_of(study, paths)
    results = study_results(study, config, baseline)
    sampler = sampler_of(study, config)
    further = further_search_of(study, config, sampler)
    return StudyPage(
        name=study.study_name,
        # A path of the study's file is replaced by its name, as in the recipe.
        config_name=shareable_path(opened.config_name, otherwise=Path(opened.config_name).stem),
        n_epochs=config.training.n_epochs,
        pruner=config.pruner.name,
        rungs=_rungs_in_epochs(config),
        reduction_factor=config.pruner.reduction_factor,
        objectives=objectives_notice(config),
        pareto_front=pareto_front_of(((row.number, row.objectives) for row in rows), config),
        images=ImageCounts.from_dict(study.user_attrs["data"]),
        rows=tuple(rows),
        results=results,
        expected_best=expected_best_of(configurations_of(study), sampler),
        best_at_length=best_when_retrained(study, config, sampler),
        second_is_untuned=_second_is_untuned(study, config),
        further_search=further_search_sentence(further, config) if further else None,
        wider_ranges=tuple(wider_range_sentences(study, config, further, sampler)),
        settings=_searched_settings(results, config) if results else (),
        ppca_baseline=baseline,
        largest_latent_dim=int(config.hyperparameters.largest("latent_dim")),
        importances=find_importances(study, results.n_finished) if results else None,
        retrained=_retrained_metrics(paths),
        cost=count_cost(rows, config.training.n_epochs),
        recipe=_recipe(study, config),
    )


def _second_is_untuned(study: Study, config: StudyConfig) -> bool:
    values, trials = untuned_values(config), study.get_trials(deepcopy=False)
    return bool(values) and len(trials) > 1 and values.items() <= trials[1].params.items()


def _rungs_in_epochs(config: StudyConfig) -> tuple[float, ...]:
    halving = halving_of(config.pruner, config.training)
    return tuple(rung * config.training.report_every for rung in halving.rungs) if halving else ()


def _searched_settings(results: StudyResults, config: StudyConfig) -> tuple[SearchedSetting, ...]:
    return tuple(
        SearchedSetting(
            name=name,
            value=results.best_row.values[name],
            searched=search_range(entry),
            tutorial=getattr(TUTORIAL, name),
            is_at_edge=name in results.at_edge,
        )
        for name, entry in searched(config.hyperparameters).items()
    )


def _retrained_metrics(paths: StudyPaths) -> RunMetrics | None:
    """Read the retrained model's own numbers: the folder may have been moved away, or be older than the study."""
    return read_run_metrics(paths.best.metrics_json) if paths.best.metrics_json.exists() else None


def _recipe(study: Study, config: StudyConfig) -> Recipe:
    attributes = study.user_attrs
    calls, warm_start = calls_of(study), warm_start_of(study)
    return Recipe(
        command=_command(config, calls, warm_start),
        config_file=str(CONFIG_FOLDER / f"{config.name}.yaml"),
        config_yaml=yaml.safe_dump(_shareable_settings(config), sort_keys=False, default_flow_style=None, width=100),
        seed=config.seed,
        digest=str(json.loads(stored_fingerprint(study)["data.digest"])),
        precision=attributes["precision"],
        versions=tuple(attributes["versions"].items()),
        git_commit=attributes["git_commit"],
        is_repeatable=warm_start is None and _is_repeatable(config, calls),
        calls=calls,
    )


def _shareable_settings(config: StudyConfig) -> dict[str, Any]:
    """Return the settings of a study's file without the path of a folder outside of the project's."""
    settings = config.model_dump(mode="json")
    if root := settings["data"]["root"]:
        # Another machine has CIFAR-10 elsewhere, and finds it without a path.
        is_folder = settings["data"]["source"] == "folder"
        settings["data"]["root"] = shareable_path(root, PATH_OF_IMAGES if is_folder else "") or None
    return settings


def _is_repeatable(config: StudyConfig, calls: tuple[Call, ...]) -> bool:
    """Return True if the command gives the same trials: with one worker, and no time limit or objective of time."""
    repeatable_calls = all(call.workers == 1 and call.timeout_minutes is None for call in calls)
    return repeatable_calls and config.budget.timeout_minutes is None and "seconds_per_epoch" not in config.objectives


def _command(config: StudyConfig, calls: tuple[Call, ...], warm_start: WarmStart | None) -> str:
    """Return the command of the last call, with every option that the file does not hold."""
    options: dict[str, object] = {"from_study": warm_start.study} if warm_start else {}
    if calls:
        last, budget = calls[-1], config.budget
        if last.trials != budget.trials:
            options["trials"] = last.trials
        if last.timeout_minutes not in (None, budget.timeout_minutes):
            options["timeout"] = f"{last.timeout_minutes:g}"
        if last.workers != 1:
            options["workers"] = last.workers
    return user_command("tune", config.name, **options)
