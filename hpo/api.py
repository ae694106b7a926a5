"""Functions of the Python API: search, retrain, read results. Import them, and the types that they use, from `hpo`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pandas as pd

from hpo.analysis import data_frames, results
from hpo.analysis.ppca_baseline import ppca_baseline_of
from hpo.analysis.results import StudyResults
from hpo.analysis.trial_table import trial_rows
from hpo.config.schema import StudyConfig
from hpo.runs.full_length_run import RunEvent, RunFinished
from hpo.runs.retrain import open_retraining
from hpo.storage.open_study import OpenStudy
from hpo.workers.trial_events import Notice, TrialEvent
from hpo.workers.tuning_session import open_tuning_session


def tune(
    config: StudyConfig,
    *,
    trials: int | None = None,
    timeout_minutes: float | None = None,
    epochs: int | None = None,
    workers: int = 1,
    device: str | None = None,
    from_study: str | None = None,
    fresh: bool = False,
    on_event: Callable[[TrialEvent], None] = lambda _: None,
    on_notice: Callable[[str], None] = lambda _: None,
) -> OpenStudy:
    """Search for the best hyperparameters; an existing study of this name is continued.

    Args:
        config: what to search, see `load_config`.
        trials: total number of configurations of the study, over all calls; None takes the file's budget.
        timeout_minutes: minutes of this call; None takes the file's budget.
        epochs: length of a trial; None takes the file's. Trials of an existing study can become longer.
        workers: number of processes that share the study. Above 1, the call must stand below
            `if __name__ == "__main__":`, as for everything that starts processes.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`, in place of the file's.
        from_study: name of a study whose best values are tried first.
        fresh: move an existing study aside and start over.
        on_event: called with every event: `TrialStarted`, `TrialReported`, `TrialEnded` or `Notice`.
        on_notice: called with lines that a user should read before the first trial.

    Returns: the study, for `study_results`, `trials_frame` and `epochs_frame`.

    Raises:
        ConfigError: an argument is out of its range.
        UserError: something else that a user can fix: device, images, study or disk. The study can be continued
            afterwards.

    Example:
        >>> study = hpo.tune(hpo.load_config("quick"), trials=4)
        >>> hpo.study_results(study).best.params["latent_dim"]
        94
    """
    with open_tuning_session(
        config,
        trials=trials,
        timeout_minutes=timeout_minutes,
        epochs=epochs,
        workers=workers,
        device=device,
        from_study=from_study,
        fresh=fresh,
        on_notice=on_notice,
    ) as session:
        with session.overview(lambda text: on_event(Notice(text))) as overview:
            session.run(session.start_workers(), on_event, overview)
        return session.opened


def study_results(study: OpenStudy) -> StudyResults | None:
    """Compute what a study has found: best trial, confirmation, comparison with probabilistic PCA.

    Args:
        study: from `tune` or `open_study`. Every call reads its trials again.

    Returns: the results, or None if no trial has finished yet.

    Raises:
        StorageInternalError, SQLAlchemyError: the database cannot be read, for example since it was moved.

    Example:
        >>> found = hpo.study_results(hpo.open_study("quick"))
        >>> found.best.number, round(found.best.val_bpd, 3)
        (7, 6.794)
    """
    baseline = ppca_baseline_of(study.study, study.paths)
    return results.study_results(study.study, study.config, baseline)


def trials_frame(study: OpenStudy) -> pd.DataFrame:
    """Return one row per trial: values, scores, state and times; what a trial does not have is missing.

    Args:
        study: from `tune` or `open_study`. Every call reads its trials again.

    Returns: a frame with the columns number, state, kind, end, continues, confirms; every hyperparameter; val_bpd,
        rate_nats, distortion_nats, mse, sigma, epoch, elapsed_s, own_elapsed_s, images_per_second; datetime_start and
        datetime_complete, in local time.

    Raises:
        StorageInternalError, SQLAlchemyError: the database cannot be read, for example since it was moved.

    Example:
        >>> hpo.trials_frame(hpo.open_study("quick")).sort_values("val_bpd")[["number", "beta", "val_bpd"]]
    """
    return data_frames.trials_frame(trial_rows(study.study, study.config), study.config)


def epochs_frame(study: OpenStudy) -> pd.DataFrame:
    """Return one row per report of a trial: its learning curve with every metric.

    Args:
        study: from `tune` or `open_study`. Every call reads its trials again.

    Returns: a frame with the columns trial, epoch and those of `EpochMetrics`. They come from the trial's artifacts;
        of a trial without them only val_bpd is known.

    Raises:
        StorageInternalError, SQLAlchemyError: the database cannot be read, for example since it was moved.

    Example:
        >>> hpo.epochs_frame(hpo.open_study("quick")).pivot(index="epoch", columns="trial", values="val_bpd")
    """
    return data_frames.epochs_frame(trial_rows(study.study, study.config), study.study, study.paths)


def retrain(
    config: StudyConfig,
    *,
    trial: int | None = None,
    epochs: int | None = None,
    device: str | None = None,
    on_event: Callable[[RunEvent], None] = lambda _: None,
    on_notice: Callable[[str], None] = lambda _: None,
) -> RunFinished:
    """Train the best trial's values at full length, score the test split once, and draw every figure.

    The results lie in `results/<study>/best/`; `model.load_model` opens the `model.pt` there.

    Args:
        config: the study's configuration; the study must have a finished trial.
        trial: number of another trial than the best.
        epochs: length in place of `retrain.epochs`.
        device: device in place of the file's.
        on_event: called with every event: `RunStarted`, `EpochMetrics` after every epoch, `DrawingStarted` for every
            picture, and `RunFinished`.
        on_notice: called with lines that a user should read first.

    Returns: the metrics as metrics.json holds them, the history by epochs, and notices.

    Raises:
        ConfigError: an argument is out of its range.
        StudyError: there is no such study or trial, or the training diverged.
        UserError: another fault that a user can fix.

    Example:
        >>> hpo.retrain(hpo.load_config("quick")).metrics["test_bpd"]
        6.60...
    """
    retraining = open_retraining(config, trial=trial, epochs=epochs, device=device, on_notice=on_notice)
    with contextlib.closing(retraining.events()) as events:
        for event in events:
            on_event(event)
            if isinstance(event, RunFinished):
                return event
    raise AssertionError("a retraining ends with RunFinished")
