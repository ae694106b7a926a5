"""Retraining a trial at full length, with a seed of its own, into the study's `best/` folder."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

from optuna.study import Study
from optuna.trial import FrozenTrial

from hpo.analysis.earlier_best import earlier_best
from hpo.analysis.formatting import counted
from hpo.analysis.run_metrics import TrialOrigin
from hpo.config.call_arguments import Location, retrain_arguments
from hpo.config.dataset_with_fallback import image_notices
from hpo.config.prepared_study import PreparedStudy, prepare_study
from hpo.config.schema import StudyConfig
from hpo.config.search_space import trial_config
from hpo.dashboard.study_overview import attach_run, try_to_refresh
from hpo.optunahub.samplers.learning_curves.interfaces import Prediction
from hpo.runs.full_length_run import RunEvent, RunFinished, TrainingRun, execute
from hpo.search.best_trial import (
    best_at_length,
    best_trial_of,
    expected_best_of,
    predicted_share,
)
from hpo.search.configurations import Configuration, configurations_of, end_of, is_pruned
from hpo.search.samplers import sampler_of
from hpo.storage.backend import backend_of, existing_study
from hpo.storage.cluster.joining import prepare_joining
from hpo.storage.database import StudyError, no_study
from hpo.storage.fingerprint import as_trained, check_unchanged, fingerprint
from hpo.storage.open_study import OpenStudy, config_as_run
from hpo.storage.paths import StudyPaths
from hpo.user_commands import user_command
from model.config import TrainConfig
from model.training.training_loop import Diverged


@dataclass(frozen=True)
class Retraining:
    """A trial that is about to be retrained for `n_epochs` epochs; `expected` is what `TrialOrigin` keeps of it."""

    prepared: PreparedStudy
    study: Study
    trial: FrozenTrial
    n_epochs: int
    expected: Prediction | None
    config_name: str

    @property
    def opened(self) -> OpenStudy:
        """The study as reports and figures read it."""
        config = self.prepared.config
        return OpenStudy(self.study, config_as_run(config, self.study), self.paths, self.config_name)

    @property
    def paths(self) -> StudyPaths:
        """The study's files."""
        return StudyPaths.of(self.prepared.config.name, self.prepared.location)

    def events(self) -> Generator[RunEvent]:
        """Train, yield each epoch and then the result, which also becomes attributes and artifacts of the study.

        Raises: Busy: another process retrains this study; StudyError: the training diverged.
        """
        config = self.prepared.config
        try:
            for event in execute(self._run(), self.paths.best):
                if isinstance(event, RunFinished):
                    _set_attributes(self.study, event)
                    event = _add_to_dashboard(self.study, config, self.paths, event)
                    backend_of(self.paths).database.settle()
                yield event
        except Diverged as error:
            raise StudyError(
                f"retraining trial {self.trial.number} diverged: {error}; choose another with --trial (make: TRIAL=N)"
            ) from error

    def _run(self) -> TrainingRun:
        config, trial = self.prepared.config, self.trial
        last_report = max(trial.intermediate_values)
        return TrainingRun(
            config=retrain_config(config, trial, self.n_epochs),
            data=self.prepared.data,
            data_root=config.data.root,
            runtime=self.prepared.runtime,
            origin=TrialOrigin(
                study=config.name,
                trial=trial.number,
                val_bpd=trial.intermediate_values[last_report],
                epochs=config.training.epoch_at(last_report),
                expected_bpd=self.expected.score if self.expected else None,
                expected_deviation=self.expected.deviation if self.expected else None,
            ),
            importance_samples=config.retrain.importance_samples,
            reconstruction_interval=config.retrain.reconstruction_interval,
            fps=config.retrain.fps,
        )


def open_retraining(
    config: StudyConfig,
    *,
    config_name: str | None = None,
    trial: int | None = None,
    epochs: int | None = None,
    device: str | None = None,
    location: Location | None = None,
    on_notice: Callable[[str], None] = lambda _: None,
) -> Retraining:
    """Check arguments, device, images, study and trial of a retraining; nothing is written or trained yet.

    Args:
        config: the study's configuration.
        config_name: name or path by which commands call the study; its own name if None.
        trial: number of the trial; if None, the best one, or while none has finished the one expected to end best. For
            a retraining that is longer than a trial, see `best_at_length`.
        epochs: length in place of `retrain.epochs`.
        device: device in place of `training.device`.
        location: where machines share the study, if they do.
        on_notice: called with each line that a user should read.

    Returns: the retraining, whose `events()` train and yield every epoch.

    Raises:
        ConfigError: an argument is out of its range; the message names every such argument.
        DeviceError, DataError: device or images are not available.
        StudyError: there is no such study or trial, or the study has different settings.

    Example:
        >>> for event in hpo.open_retraining(hpo.load_config("quick"), epochs=30).events():
        ...     print(event)
    """
    arguments = retrain_arguments(trial=trial, epochs=epochs)
    name = config_name or config.name
    # Images come with a study that machines share.
    prepared = prepare_joining(config, name, device, location) if location else prepare_study(config, device)
    for notice in prepared.notices:
        on_notice(notice)
    paths = StudyPaths.of(prepared.config.name, location)
    study = existing_study(prepared.config.name, paths)
    if study is None:
        raise no_study(paths, name)
    prepared = replace(prepared, config=as_trained(study, prepared.config))
    check_unchanged(study, fingerprint(prepared.config, prepared.data), paths)
    longer = arguments.epochs or (prepared.config.retrain.epochs if prepared.config.retrain.epochs != "auto" else None)
    chosen = choose_trial(study, prepared.config, arguments.trial, name, on_notice, longer)
    for line in image_notices(prepared.data):
        on_notice(line)
    trial_epochs = prepared.config.training.n_epochs
    n_epochs = arguments.epochs or retraining_epochs(prepared.config, study, chosen)
    if not arguments.epochs and prepared.config.retrain.epochs == "auto" and n_epochs < trial_epochs:
        on_notice(
            f"Trial {chosen.number} scored lower at about epoch {n_epochs} than at its end: it is retrained for "
            f"{counted(n_epochs, 'epoch')} instead of {trial_epochs}"
        )
    expected = expected_score(study, prepared.config, chosen, n_epochs)
    return Retraining(prepared, study, chosen, n_epochs, expected, name)


def choose_trial(
    study: Study,
    config: StudyConfig,
    number: int | None,
    config_name: str,
    on_notice: Callable[[str], None],
    n_epochs: int | None = None,
) -> FrozenTrial:
    """Return trial `number`; if it is None, the best one, or while none has finished the one expected to end best.

    With `n_epochs`, the length of the retraining if that is given, and longer than a trial, see `best_at_length`.

    Raises: StudyError: there is no such trial, or none has been trained up to a report.
    """
    trials = study.get_trials(deepcopy=False)
    if number is None:
        configurations, sampler = configurations_of(study), sampler_of(study, config)
        best = best_trial_of(configurations)
        if at_length := best_at_length(configurations, sampler, n_epochs or 0, config.training.n_epochs):
            before = counted(config.training.n_epochs, "epoch")
            on_notice(at_length.sentence + (f" Of trials of {before}, the best is {best.number}." if best else ""))
            return at_length.trial
        if best is not None:
            return trials[best.number]
        expected = expected_best_of(configurations, sampler)
        if expected is None:
            raise StudyError(f"no trial has been trained yet; run {user_command('tune', config_name)}")
        on_notice(f"No trial has finished. {expected.sentence}")
        return expected.trial
    if number >= len(trials):
        raise StudyError(f"--trial {number}: the study has {len(trials)} trials, numbered from 0")
    end = end_of(trials[number])
    if end not in ("finished", "running") and not is_pruned(end):
        raise StudyError(f"--trial {number}: is {end}; choose one that finished or was pruned")
    if not trials[number].intermediate_values:
        raise StudyError(f"--trial {number}: has no score yet; choose another")
    return trials[number]


def retraining_epochs(config: StudyConfig, study: Study, trial: FrozenTrial) -> int:
    """Return the length of a retraining, with `auto` replaced: a whole trial's, or shorter if that was notably better.

    Only a trial that has finished tells that shorter is better. One that continues others has their reports, too.
    """
    if config.retrain.epochs != "auto":
        return config.retrain.epochs
    if end_of(trial) != "finished":
        return config.training.n_epochs
    scores = _configuration_of(trial, configurations_of(study)).scores
    epoch_at = config.training.epoch_at
    history = [{"epoch": epoch_at(report), "val_bpd": score} for report, score in sorted(scores.items())]
    better = earlier_best(history)
    return max(1, round(better["epoch"])) if better else config.training.n_epochs


def expected_score(study: Study, config: StudyConfig, trial: FrozenTrial, n_epochs: int) -> Prediction | None:
    """Return the val_bpd that the sampler expects of a configuration after `n_epochs` epochs.

    None if they are fewer than a trial's, and for a finished trial if they are as many.
    """
    configurations = configurations_of(study)
    trained = _configuration_of(trial, configurations)
    share = predicted_share(n_epochs, config.training.n_epochs)
    if share < 1 or (share == 1 and trained.value is not None):
        return None
    return sampler_of(study, config).predict_scores_at(configurations, share).get(trained.number)


def _configuration_of(trial: FrozenTrial, configurations: Sequence[Configuration]) -> Configuration:
    """Return the configuration that a trial belongs to; one that confirms another is a configuration of its own."""
    trained = (c for c in configurations if trial.number in {other.number for other in c.trials})
    return next(trained, Configuration([trial]))


def retrain_config(config: StudyConfig, trial: FrozenTrial, epochs: int) -> TrainConfig:
    """Return the training configuration of a trial's values at full length, with one report per epoch."""
    trained = trial_config(config, config.hyperparameters.fixed() | trial.params, trial.number)
    return replace(trained, epochs=epochs, report_every=1.0, seed=config.retrain.seed)


def _set_attributes(study: Study, finished: RunFinished) -> None:
    for name, value in finished.metrics.items():
        if name.startswith(("test_", "ppca_")) or name in ("val_bpd", "sigma", "active_units"):
            study.set_user_attr(name, value)
    study.set_user_attr("retrained_trial", finished.metrics["trial"])
    study.set_user_attr("retrained_epochs", finished.metrics["epochs"])


def _add_to_dashboard(study: Study, config: StudyConfig, paths: StudyPaths, event: RunFinished) -> RunFinished:
    attach_run(study, paths, paths.best)
    message = try_to_refresh(study, config, paths)
    return replace(event, notices=(*event.notices, message)) if message else event
