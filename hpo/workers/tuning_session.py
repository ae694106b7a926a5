"""One call of `tune`, from the file to an open study: everything that can be wrong is found before it is written."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from optuna.study import Study

from hpo.analysis.ppca_baseline import compute_ppca_baseline
from hpo.config.dataset import load_data
from hpo.config.schema import Budget, Pruner, StudyConfig
from hpo.search.configurations import configurations, configurations_of
from hpo.search.samplers import make_sampler, startup_trials
from hpo.search.scheduler import Plan, next_step, reserved_s
from hpo.search.warm_start import WARM_START, WarmStart, find_warm_start, warm_start_of
from hpo.storage import artifacts, provenance
from hpo.storage.call_log import CALLS, Call
from hpo.storage.checkpoints import N_KEPT, clean
from hpo.storage.claims import remove_stale_claims
from hpo.storage.create_study import attach_sampler_and_pruner, create_study
from hpo.storage.database import StudyError, existing_study
from hpo.storage.file_locks import hold_lock
from hpo.storage.fingerprint import check_unchanged, fingerprint
from hpo.storage.open_study import open_study
from hpo.storage.paths import StudyPaths, move_aside
from hpo.workers import budget_estimate
from hpo.workers.trial_context import TrialContext
from model.data.images import ImageData
from model.device import Runtime, resolve, why_uncompiled

SCORE = (
    "val_bpd: the negative ELBO at beta = 1 on the validation split, in bits per dimension, with a calibrated sigma; "
    "lower is better, and comparable across every beta, latent dimension, learning rate and batch size"
)


@dataclass(frozen=True)
class TuningSession:
    """A study ready to be worked on; `deadline` on `time.monotonic()`'s clock."""

    place: TrialContext
    ppca_bpd: dict[int, float]
    budget: Budget
    deadline: float | None


@dataclass(frozen=True)
class PreparedStudy:
    """Machine and data, found before anything is written; `notices` are to be printed first.

    A call's minutes count from `began`, on `time.monotonic()`'s clock, when the images were there.
    """

    config: StudyConfig
    runtime: Runtime
    data: ImageData
    notices: tuple[str, ...]
    warm_start: WarmStart | None = None
    began: float = field(default_factory=time.monotonic)


def prepare_machine(config: StudyConfig, device: str | None) -> PreparedStudy:
    """Find device and data.

    Raises: DeviceError, DataError: they are not there.
    """
    wanted = device or config.training.device
    runtime = resolve(wanted, config.training.precision, config.training.compile)
    config, data, notice = load_data(config)
    notices = [notice] if notice else []
    reason = why_uncompiled(runtime.device) if config.training.compile else None
    if reason:
        notices.append(f"Note: {reason}.")
    return PreparedStudy(config, runtime, data.to(runtime.device), tuple(notices))


@contextmanager
def locked_study(prepared: PreparedStudy, fresh: bool) -> Iterator[tuple[Study | None, Path | None]]:
    """Hold the study's lock and open it where it exists: (study or None, where an old one was moved or None).

    Raises: Busy: another process works on it; StudyError: it is damaged, or was begun otherwise.
    """
    paths = StudyPaths.of(prepared.config.name)
    with hold_lock(paths.lock, str(paths.folder)):
        moved = _move_aside(paths) if fresh and paths.folder.exists() else None
        study = existing_study(prepared.config.name, paths)
        if study is None and (paths.checkpoints.exists() or paths.artifacts.exists()):
            # Of a study whose database is gone: another study must neither go on from them nor remove them.
            moved = _move_aside(paths)
        if study is not None:
            check_unchanged(study, fingerprint(prepared.config, prepared.data), paths)
        yield study, moved


def _move_aside(paths: StudyPaths) -> Path | None:
    with hold_lock(paths.best.lock, str(paths.best.folder)):
        return move_aside(paths.folder)


def start_session(
    prepared: PreparedStudy, study: Study | None, budget: Budget, n_workers: int
) -> tuple[TuningSession, str | None]:
    """Everything before the first trial: the study, its yardstick, the forecast's line (None where all is done).

    `budget` is this call's. How many trials are unguided follows from the file's: it must not depend on how a study
    is cut into calls.
    """
    config, data = prepared.config, prepared.data
    paths = StudyPaths.of(config.name)
    line, plan = None, Plan(n_workers)
    if study is None or _is_something_left(study, config, budget):
        measured = budget_estimate.measure(config, data, prepared.runtime)
        plan = measured.plan(budget, n_workers)
        known = configurations_of(study) if study else []
        line = budget_estimate.describe(measured, config, budget, known, plan, prepared.runtime)
        if study is None:
            kept_s = reserved_s([], config, measured.plan(config.budget, 1))
            affordable = measured.affordable(config, config.budget, kept_s)
            study = create_study(config, paths, _attributes(prepared, startup_trials(affordable)))
    attach_sampler_and_pruner(study, config, budget.trials)
    _tidy_up(study, paths, config.pruner)
    ppca_bpd = compute_ppca_baseline(paths, data, config.hyperparameters.largest("latent_dim"))
    minutes = budget.timeout_minutes
    deadline = prepared.began + 60 * minutes if minutes else None
    place = TrialContext(config, paths, study, data, prepared.runtime, plan)
    return TuningSession(place, ppca_bpd, budget, deadline), line


def record_call(opened: TuningSession, n_workers: int) -> None:
    """Add this call to those that made the study."""
    place, budget = opened.place, opened.budget
    call = Call(budget.trials, budget.timeout_minutes, n_workers, place.runtime.describe())
    place.study.set_user_attr(CALLS, [*place.study.user_attrs.get(CALLS, []), asdict(call)])


def with_warm_start(prepared: PreparedStudy, from_study: str, fresh: bool) -> PreparedStudy:
    """Have a study that is yet to begin take what another has found; one that has begun with that goes on.

    Raises: StudyError: that one has nothing to give, or this one has begun without it. ConfigError: there is no such.
    """
    config, other = prepared.config, open_study(from_study)
    study = None if fresh else existing_study(config.name, StudyPaths.of(config.name))
    if study is None:
        found = find_warm_start(config, fingerprint(config, prepared.data), other)
        return replace(prepared, warm_start=found, notices=(*prepared.notices, found.described()))
    given = warm_start_of(study)
    if given is None or given.study != other.study.study_name:
        raise StudyError(
            f"--from-study {from_study}: this study has begun without it; begin anew with --fresh (make: FRESH=1)"
        )
    return prepared


def _tidy_up(study: Study, paths: StudyPaths, pruner: Pruner) -> None:
    """Remove what killed processes left: of checkpoints, of artifacts, and claims of trials that are over."""
    clean(study, paths, N_KEPT, pruner)
    artifacts.remove_strays(study, paths)
    remove_stale_claims(study, paths)


def _is_something_left(study: Study, config: StudyConfig, budget: Budget) -> bool:
    trials = study.get_trials(deepcopy=False)
    if any(not trial.state.is_finished() for trial in trials):
        return True
    step = next_step(configurations(trials), config, Plan(), budget.trials, math.inf, make_sampler(study, config))
    return step.what != "leave"


def _attributes(prepared: PreparedStudy, n_startup_trials: int) -> dict[str, Any]:
    return {
        "score": SCORE,
        "startup_trials": n_startup_trials,
        "precision": prepared.runtime.precision,
        "data": provenance.data_facts(prepared.data),
        "versions": provenance.versions(),
        "git_commit": provenance.git_commit(),
        **({WARM_START: prepared.warm_start.as_attribute()} if prepared.warm_start else {}),
        # Last, as `create_study` says.
        "identity": fingerprint(prepared.config, prepared.data),
    }


def existing_study_for(prepared: PreparedStudy, config_name: str) -> Study:
    """A study that must be there already.

    Raises: StudyError: it is not, or was begun otherwise.
    """
    config, paths = prepared.config, StudyPaths.of(prepared.config.name)
    study = existing_study(config.name, paths)
    if study is None:
        raise StudyError(f"{paths.folder}: there is no study yet; run make tune STUDY={config_name}")
    check_unchanged(study, fingerprint(config, prepared.data), paths)
    return study
