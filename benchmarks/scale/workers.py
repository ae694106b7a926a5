"""Workers that do all that real ones do in a shared study, except to train and to draw.

They are threads of a few processes, each with connections and leases of its own. Values are drawn at random and no
trial pauses: what is measured is the database's part, not the sampler's.
"""

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import obstore  # noqa: F401  (threads that import it at once would see a part of it)
import optuna
from optuna.trial import TrialState

from hpo.config.call_arguments import N_BEST_KEPT, Location
from hpo.config.hyperparameters import Hyperparameters, Range
from hpo.config.schema import Budget, Confirmation, Pruner, Sampler, StudyConfig, Training
from hpo.config.search_space import suggest
from hpo.optuna_logging import silence_optuna
from hpo.search.configurations import CONSTRAINT, END
from hpo.storage.backend import backend_of
from hpo.storage.cluster.fenced_storage import FencedStorage
from hpo.storage.create_study import attach_sampler_and_pruner
from hpo.storage.database import set_user_attributes
from hpo.storage.interface import Claim
from hpo.storage.paths import StudyPaths
from hpo.workers.trial_context import TrialContext
from hpo.workers.worker import claim_next

NAME = "scale"
# What is timed.
CLAIM, LOCKED, REPORT, END_OF_TRIAL = "claim", "claim, in the lock", "report", "end of a trial"
# A real one has megabytes, which go to the object store and not to the database.
_CHECKPOINT = b"checkpoint"


@dataclass(frozen=True)
class Part:
    """The workers of one process."""

    first: int
    n_workers: int
    location: Location
    folder: Path
    n_trials: int
    n_reports: int


@dataclass(frozen=True)
class WorkerPaths(StudyPaths):
    """Paths of a simulated worker, which shares its process with others."""

    @property
    def scratch(self) -> Path:
        """Folder of this worker alone."""
        return self.folder / "scratch"


class Stopwatch:
    """Seconds of each operation."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def measure(self, operation: str) -> Iterator[None]:
        """Time the block."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[operation].append(time.perf_counter() - began)


def study_config(n_trials: int, n_reports: int) -> StudyConfig:
    """Return the configuration of the study."""
    space = Hyperparameters(
        beta=Range[float](low=0.1, high=10.0, log=True),
        latent_dim=Range[int](low=16, high=512, log=True),
        learning_rate=Range[float](low=1e-4, high=1e-2, log=True),
        batch_size=64,
    )
    return StudyConfig.model_construct(
        name=NAME,
        hyperparameters=space,
        training=Training(epochs=n_reports),
        budget=Budget(trials=n_trials),
        sampler=Sampler(name="random"),
        pruner=Pruner(name="none"),
        confirmation=Confirmation(top=0),
    )


def run_part(part: Part) -> tuple[dict[str, list[float]], float]:
    """Run the workers of one process; return the seconds of each operation, and the process's CPU seconds."""
    silence_optuna()
    # Without the imports, which a real worker makes once.
    before = os.times()
    with ThreadPoolExecutor(part.n_workers) as pool:
        watches = list(pool.map(partial(_run_worker, part), range(part.first, part.first + part.n_workers)))
    seconds: dict[str, list[float]] = defaultdict(list)
    for watch in watches:
        for operation, found in watch.seconds.items():
            seconds[operation] += found
    times = os.times()
    return dict(seconds), times.user + times.system - before.user - before.system


def _run_worker(part: Part, index: int) -> Stopwatch:
    watch, config = Stopwatch(), study_config(part.n_trials, part.n_reports)
    paths = WorkerPaths(part.folder / f"worker_{index}" / NAME, part.location)
    storage = backend_of(paths).database.open_storage()
    assert isinstance(storage, FencedStorage), "the study is shared"
    _time_the_lock(storage, watch)
    study = optuna.load_study(study_name=NAME, storage=storage)
    with backend_of(paths).claims.deciding(study):
        attach_sampler_and_pruner(study, config, part.n_trials)
    nothing: Any = None
    context = TrialContext(config, paths, study, nothing, nothing)
    while True:
        began = time.perf_counter()
        claim = claim_next(context, part.n_trials, None)
        if claim is None:
            return watch
        watch.seconds[CLAIM].append(time.perf_counter() - began)
        _run_trial(claim, context, part.n_reports, watch)


def _time_the_lock(storage: FencedStorage, watch: Stopwatch) -> None:
    begin = storage.begin

    def timed(*arguments: Any) -> Any:
        with watch.measure(LOCKED):
            return begin(*arguments)

    storage.begin = timed  # type: ignore[method-assign, assignment]


def _run_trial(claim: Claim, context: TrialContext, n_reports: int, watch: Stopwatch) -> None:
    """Do for a trial what `hpo.workers.objective` does, without training."""
    trial, files = claim.trial, backend_of(context.paths).files
    suggest(trial, context.config.hyperparameters)
    files.restore(trial)
    checkpoint = context.paths.checkpoint(trial.number)
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    for step in range(1, n_reports + 1):
        checkpoint.write_bytes(_CHECKPOINT)
        with watch.measure(REPORT):
            files.report(trial, 7 - step / n_reports, step, has_new_checkpoint=True)
    with watch.measure(END_OF_TRIAL):
        facts = dict.fromkeys(
            ("device", "precision", "epoch", "sigma", "elapsed_s", "images_per_second", "val_mse"), 1.0
        )
        set_user_attributes(trial, {END: "finished", **facts})
        trial.set_constraint(CONSTRAINT, 0.0)
        context.study.tell(trial, 6.0, state=TrialState.COMPLETE)
        files.remove_unneeded(context.study, N_BEST_KEPT, context.config.pruner)
        claim.release()
