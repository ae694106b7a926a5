"""Session of one call of `tune`: check everything, open or create the study, run its trials."""

import contextlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from optuna.study import Study

from hpo.analysis.ppca_baseline import compute_ppca_baseline
from hpo.config.call_arguments import N_BEST_KEPT, Location, RayPlacement, TuneArguments, tune_arguments
from hpo.config.dataset_with_fallback import check_batch_sizes, image_notices
from hpo.config.prepared_study import PreparedStudy, prepare_study
from hpo.config.schema import Budget, StudyConfig
from hpo.config.search_space import repetition_notice
from hpo.config.study_file import ConfigError
from hpo.dashboard.overview_refresher import OverviewRefresher
from hpo.search.configurations import configurations_of, ended_trials
from hpo.search.pareto import objectives_notice
from hpo.search.scheduler import Plan
from hpo.storage import artifacts
from hpo.storage.backend import backend_of, existing_study
from hpo.storage.call_log import Call, record_call
from hpo.storage.cluster.images import share_images
from hpo.storage.cluster.joining import check_same_kind, prepare_joining
from hpo.storage.create_study import attach_sampler_and_pruner
from hpo.storage.fingerprint import (
    as_created,
    former_defaults_of,
)
from hpo.storage.open_study import OpenStudy, config_as_run, remember_config
from hpo.storage.paths import StudyPaths
from hpo.storage.study_lock import locked_study
from hpo.workers import budget_estimate
from hpo.workers.study_setup import (
    check_code_length,
    check_not_shorter,
    create_prepared_study,
    has_work,
    plan_warm_start,
    with_growth,
    with_search_space,
)
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialEnded, TrialEvent
from hpo.workers.worker import TooManyFailures
from hpo.workers.worker_pool import Workers, start_workers

Listener = Callable[[TrialEvent], None]


@dataclass(frozen=True)
class TuningSession:
    """A study that is locked, prepared and ready to run trials.

    `deadline` is on the clock of `time.monotonic()`, None without a time limit.
    """

    context: TrialContext
    budget: Budget
    deadline: float | None
    n_workers: int
    config_name: str
    ray: RayPlacement | None = None

    @property
    def opened(self) -> OpenStudy:
        """The study as reports and figures read it."""
        study, config = self.context.study, self.context.config
        return OpenStudy(study, config_as_run(config, study), self.context.paths, self.config_name)

    def start_workers(self) -> Workers:
        """Return the workers of this call: this process alone, a pool of processes, or workers on a Ray cluster.

        Raises: UserError: the Ray cluster cannot be used.
        """
        return start_workers(self.context, self.budget.trials, self.deadline, self.n_workers, self.ray)

    def run(self, workers: Workers, *listeners: Listener) -> None:
        """Run trials until the budget is spent or the workers were stopped; call every listener with every event.

        Args:
            workers: from `start_workers`.
            listeners: functions that show or use the events; with that of `overview` the dashboard shows results.

        Raises: TooManyFailures: several trials failed in a row.
                UserError, OSError, StorageInternalError: an error that is not the trial's fault.
        """
        with contextlib.closing(workers.events()) as events:
            for event in events:
                for listener in listeners:
                    listener(event)

    @contextmanager
    def overview(self, on_notice: Callable[[str], None]) -> Iterator[Listener]:
        """Yield a listener for `run` that refreshes the study's overview in the dashboard while trials end.

        After the first trial of a study it also computes pPCA's scores. The last refresh follows at the end of the
        block, also after several trials failed in a row, but not after other errors. `on_notice` is called with a line
        if a refresh was not possible.
        """
        context = self.context
        refresher = OverviewRefresher(context.study, context.config, context.paths, on_notice)
        has_baseline = False

        def refresh_after_trials(event: TrialEvent) -> None:
            nonlocal has_baseline
            if isinstance(event, TrialEnded):
                if not has_baseline:
                    # Not before: it takes seconds, for which nobody waits now.
                    _compute_ppca_baseline(context, beside_workers=self.n_workers > 1)
                    has_baseline = True
                refresher.refresh_if_due()

        try:
            yield refresh_after_trials
        except TooManyFailures:
            refresher.refresh()
            raise
        refresher.refresh()


@contextmanager
def open_tuning_session(
    config: StudyConfig,
    *,
    config_name: str | None = None,
    trials: int | None = None,
    timeout_minutes: float | None = None,
    epochs: int | None = None,
    workers: int = 1,
    device: str | None = None,
    from_study: str | None = None,
    fresh: bool = False,
    location: Location | None = None,
    joins: bool = False,
    ray: RayPlacement | None = None,
    on_notice: Callable[[str], None] = lambda _: None,
) -> Iterator[TuningSession]:
    """Check arguments, device, images and study, lock the study, and open or create it.

    Args:
        config: the study's configuration.
        config_name: name or path by which commands call the study; its own name if None.
        trials: total number of configurations of the study, over all calls, in place of `budget.trials`.
        timeout_minutes: minutes of this call, in place of `budget.timeout_minutes`.
        epochs: length of a trial in place of `training.epochs`; an existing study's trials can become longer.
        workers: number of worker processes; 1 runs the trials in this process.
        device: device in place of `training.device`.
        from_study: name of another study whose best values are tried first; for a new study only.
        fresh: move an existing study aside and start over.
        location: where machines share the study, if they do.
        joins: the study must exist, and its images come from `location`.
        ray: Ray cluster that runs the workers of a study that machines share.
        on_notice: called with each line that a user should read, as soon as it is known.

    Returns: a context manager that yields the session and unlocks the study at its end.

    Raises:
        ConfigError: an argument is out of its range; the message names every such argument.
        UserError: device, images or study cannot be used, or another process uses the study. Nothing has been written.

    Example:
        >>> with hpo.open_tuning_session(hpo.load_config("quick"), trials=4) as session:
        ...     with session.overview(on_notice=print) as overview:
        ...         session.run(session.start_workers(), print, overview)
    """
    budget = tune_arguments(
        config.budget, trials=trials, timeout_minutes=timeout_minutes, epochs=epochs, workers=workers
    )
    given = config
    if budget.epochs is not None:
        config = config.model_copy(update={"training": config.training.model_copy(update={"epochs": budget.epochs})})
    if fresh and location:
        raise ConfigError("--fresh: moves no study that machines share; give the new study another name")
    if ray and not location:
        raise ConfigError("--ray: needs --storage and --files, where its nodes meet")
    if ray:
        from hpo.workers.on_ray.cluster import connect

        connect(ray)
    if joins:
        assert location is not None, "only a study that machines share can be joined"
        prepared = prepare_joining(config, config_name or config.name, device, location)
    else:
        prepared = prepare_study(config, device, location)
    if ray and (prepared.runtime.device.type == "cuda") != (ray.gpus > 0):
        raise ConfigError(
            f"--gpus-per-worker: must fit the device, {prepared.runtime.device.type} here, where tune runs: workers "
            f"train on the same kind; got {ray.gpus:g}"
        )
    paths = StudyPaths.of(prepared.config.name, location)
    if fresh or existing_study(prepared.config.name, paths) is None:
        prepared = with_search_space(prepared, from_study)
        check_code_length(prepared.config)
    warm_start = plan_warm_start(prepared, from_study, fresh) if from_study else None
    for notice in (*prepared.notices, *([warm_start.described()] if warm_start else [])):
        on_notice(notice)
    with locked_study(prepared, fresh) as (study, moved):
        if study is not None:
            if location:
                check_same_kind(study, prepared, paths)
            check_not_shorter(study, budget.epochs, paths)
            if kept := former_defaults_of(study, prepared.config):
                settings = ", ".join(f"{name} {json.dumps(value)}" for name, value in kept.items())
                on_notice(f"The study keeps what was the default when it was created: {settings}.")
            named = prepared.config.training.epochs
            prepared = replace(prepared, config=as_created(study, prepared.config))
            if named not in ("auto", n_epochs := prepared.config.training.epochs):
                on_notice(f"Trials of this study have become longer: they have {n_epochs} epochs, not {named}.")
            study = with_growth(study, prepared, paths, joins=joins, on_notice=on_notice)
        if moved:
            on_notice(f"The earlier study was moved to {moved}.")
        if study is not None and (line := artifacts.missing_artifacts_notice(study, paths)):
            on_notice(line)
        plan, estimate, line = Plan(budget.workers), None, ""
        if study is None or has_work(study, prepared.config, budget):
            speed = budget_estimate.measure(prepared.config, prepared.data, prepared.runtime)
            training = speed.settled(prepared.config.training, budget, budget.workers)
            prepared = replace(prepared, config=prepared.config.model_copy(update={"training": training}))
            estimate = speed.estimate(training)
            plan = estimate.plan(budget, budget.workers)
            line = _estimate_line(estimate, prepared, study, budget, plan)
        if location and not joins:
            share_images(paths, prepared.data)
        if study is None:
            assert estimate is not None, "a new study has work"
            # Again: the length may have been open.
            check_batch_sizes(prepared.config, len(prepared.data.train))
            study = create_prepared_study(prepared, estimate, warm_start, paths)
        if not joins:
            remember_config(study, given)
        session = _prepared_session(prepared, study, budget, plan, config_name or config.name)
        session = replace(session, ray=ray)
        # Here, since a call that is refused prints nothing but the error.
        for text in image_notices(prepared.data):
            on_notice(text)
        if estimate is not None:
            on_notice(line)
            notices = (
                objectives_notice(prepared.config),
                repetition_notice(prepared.config.hyperparameters, budget.trials),
            )
            for text in filter(None, notices):
                on_notice(text)
            record_call(study, _call(budget, prepared))
        yield session


def _prepared_session(
    prepared: PreparedStudy, study: Study, budget: Budget, plan: Plan, config_name: str
) -> TuningSession:
    """Give the study its sampler and pruner, and remove leftovers of killed processes."""
    config, paths = prepared.config, StudyPaths.of(prepared.config.name, prepared.location)
    backend = backend_of(paths)
    with backend.claims.deciding(study):
        attach_sampler_and_pruner(study, config, budget.trials)
    backend.files.clean(study, N_BEST_KEPT, config.pruner)
    artifacts.remove_unreferenced_files(study, paths)
    backend.claims.clean(study)
    context = TrialContext(config, paths, study, prepared.data, prepared.runtime, plan)
    if ended_trials(study):
        # Missing after a kill, or of an older version.
        _compute_ppca_baseline(context, beside_workers=False)
    minutes = budget.timeout_minutes
    return TuningSession(
        context=context,
        budget=budget,
        deadline=prepared.started + 60 * minutes if minutes is not None else None,
        n_workers=plan.n_workers,
        config_name=config_name,
    )


def _compute_ppca_baseline(context: TrialContext, *, beside_workers: bool) -> None:
    """Compute pPCA's scores unless the study's folder has them; in one thread beside workers, which use all cores."""
    largest = context.config.hyperparameters.largest("latent_dim")
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1 if beside_workers else n_threads)
    try:
        compute_ppca_baseline(context.paths, context.data, largest)
    finally:
        torch.set_num_threads(n_threads)


def _estimate_line(
    estimate: budget_estimate.BudgetEstimate, prepared: PreparedStudy, study: Study | None, budget: Budget, plan: Plan
) -> str:
    configurations = configurations_of(study) if study else []
    return budget_estimate.describe(estimate, prepared.config, budget, configurations, plan, prepared.runtime)


def _call(budget: TuneArguments, prepared: PreparedStudy) -> Call:
    return Call(budget.trials, budget.timeout_minutes, budget.workers, prepared.runtime.describe())
