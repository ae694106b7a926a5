"""The best trial's way: its values at full length, with a seed of its own."""

from collections.abc import Iterator
from dataclasses import replace

from optuna.study import Study
from optuna.trial import FrozenTrial

from hpo.analysis.run_results import run_summary
from hpo.config.schema import StudyConfig
from hpo.config.search_space import trial_config
from hpo.dashboard.study_overview import attach_run, try_to_refresh
from hpo.runs.training_run import RunEvent, RunFinished, TrainingRun, execute
from hpo.search.best_trial import best_trial
from hpo.search.configurations import end_of, is_pruned, val_bpd_of
from hpo.storage.database import StudyError
from hpo.storage.paths import StudyPaths
from hpo.workers.tuning_session import PreparedStudy
from model.config import TrainConfig
from model.training.training_loop import Diverged


def choose_trial(study: Study, number: int | None, config_name: str) -> FrozenTrial:
    """Trial `number`, or the best.

    Raises: StudyError: there is none such, or none has finished.
    """
    if number is None:
        best = best_trial(study)
        if best is None:
            raise StudyError(f"no trial has finished yet; run make tune STUDY={config_name}")
        return best
    trials = study.get_trials(deepcopy=False)
    if number >= len(trials):
        raise StudyError(f"--trial {number}: the study has {len(trials)} trials, numbered from 0")
    end = end_of(trials[number])
    if end != "finished" and not is_pruned(end):
        raise StudyError(f"--trial {number}: is {end}; choose one that finished or was pruned")
    return trials[number]


def retrain_config(config: StudyConfig, trial: FrozenTrial, epochs: int) -> TrainConfig:
    """How a trial's values are trained at full length, a report an epoch."""
    trained = trial_config(config, config.hyperparameters.pinned() | trial.params, trial.number)
    return replace(trained, epochs=epochs, report_every=1.0, seed=config.retrain.seed)


def retrain(prepared: PreparedStudy, study: Study, trial: FrozenTrial, epochs: int) -> Iterator[RunEvent]:
    """Retrain into `best/`, yielding each epoch and then the result; that also goes onto the study, with its pictures.

    Raises: Busy: another process retrains this study; StudyError: the training diverged.
    """
    config = prepared.config
    run = TrainingRun(
        config=retrain_config(config, trial, epochs),
        data=prepared.data,
        data_root=config.data.root,
        runtime=prepared.runtime,
        origin={
            "study": config.name,
            "trial": trial.number,
            "trial_val_bpd": val_bpd_of(trial),
            "trial_epochs": trial.user_attrs["epoch"],
        },
        importance_samples=config.retrain.importance_samples,
        reconstruction_interval=config.retrain.reconstruction_interval,
        fps=config.retrain.fps,
    )
    try:
        for event in execute(run, StudyPaths.of(config.name).best):
            if isinstance(event, RunFinished):
                _write_down(study, event)
                event = _show(study, config, event)
            yield event
    except Diverged as error:
        raise StudyError(
            f"retraining trial {trial.number} diverged: {error}; choose another with --trial (make: TRIAL=N)"
        ) from error


def compare(finished: RunFinished) -> list[str]:
    """What the retraining came to, next to the trial, its own course, and pPCA."""
    metrics = finished.metrics
    chosen = (
        f"Chosen at {metrics['trial_epochs']:g} epochs, retrained at {metrics['epochs']}: "
        f"val_bpd {metrics['trial_val_bpd']:.4f} -> {metrics['val_bpd']:.4f}"
    )
    return [chosen, *run_summary(finished)]


def _write_down(study: Study, finished: RunFinished) -> None:
    for name, value in finished.metrics.items():
        if name.startswith(("test_", "ppca_")) or name in ("val_bpd", "sigma", "active_units"):
            study.set_user_attr(name, value)
    study.set_user_attr("retrained_trial", finished.metrics["trial"])
    study.set_user_attr("retrained_epochs", finished.metrics["epochs"])


def _show(study: Study, config: StudyConfig, event: RunFinished) -> RunFinished:
    paths = StudyPaths.of(config.name)
    attach_run(study, paths, paths.best)
    word = try_to_refresh(study, config, paths)
    return replace(event, notices=(*event.notices, word)) if word else event
