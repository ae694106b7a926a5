"""A small study whose trials are really trained, in a fraction of a second each."""

from collections.abc import Generator
from dataclasses import replace

import optuna
from optuna.trial import FrozenTrial, TrialState

from hpo.config.hyperparameters import Choices, Hyperparameters, Range
from hpo.config.schema import Budget, Confirmation, Model, Pruner, StudyConfig, Training
from hpo.storage.backend import existing_study
from hpo.storage.create_study import attach_sampler_and_pruner, create_study
from hpo.storage.database import FINGERPRINT
from hpo.storage.fingerprint import fingerprint
from hpo.storage.paths import StudyPaths
from hpo.storage.provenance import data_facts
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialEvent
from hpo.workers.worker import run_trials
from model.data.images import ImageData
from model.device import Runtime

SPACE = Hyperparameters(
    beta=Range[float](low=0.1, high=10.0, log=True),
    latent_dim=Choices[int](choices=(2, 4, 128)),
    learning_rate=Range[float](low=1e-4, high=1e-2, log=True),
    batch_size=32,
)
CONFIG = StudyConfig.model_construct(
    name="small",
    model=Model(architecture="norm_free", channels=(2, 2, 2, 2)),
    hyperparameters=SPACE,
    training=Training(epochs=3),
    budget=Budget(trials=6),
    pruner=Pruner(name="median"),
    confirmation=Confirmation(top=0),
)
# In SPACE, and so much worse than the tutorial's values that a trial with them is pruned after it.
POOR_VALUES = {"beta": 10.0, "latent_dim": 2, "learning_rate": 1e-4}


def create_small_study(paths: StudyPaths, data: ImageData) -> optuna.Study:
    """Create a study of CONFIG; its first trial, with the tutorial's values, waits."""
    attributes = {"startup_trials": 3, "data": data_facts(data), FINGERPRINT: fingerprint(CONFIG, data)}
    study = create_study(CONFIG, paths, attributes)
    # The first of its first trials alone: most tests want what the sampler proposes after it.
    attach_sampler_and_pruner(study, CONFIG, 1)
    return study


def create_context(paths: StudyPaths, data: ImageData, runtime: Runtime) -> TrialContext:
    """Create a study of CONFIG and return the context of its trials."""
    return TrialContext(CONFIG, paths, create_small_study(paths, data), data, runtime)


def reopen(context: TrialContext, paths: StudyPaths | None = None) -> TrialContext:
    """Open the study as another call would; with `paths`, a copy of it in another folder."""
    paths = paths or context.paths
    study = existing_study(context.config.name, paths)
    assert study is not None
    attach_sampler_and_pruner(study, context.config, 1)
    return replace(context, paths=paths, study=study)


def run_until(context: TrialContext, kind: type[TrialEvent], n_events: int = 1, n_total: int = 1) -> None:
    """Run trials until `n_events` events of one kind have come; a running trial stays as it is."""
    events = run_trials(context, n_total, None)
    for event in events:
        n_events -= isinstance(event, kind)
        if n_events == 0:
            break
    events.close()


def run_to(events: Generator[TrialEvent], kind: type[TrialEvent]) -> TrialEvent:
    """Run to the next event of this kind and return it."""
    return next(event for event in events if isinstance(event, kind))


def abandon(events: Generator[TrialEvent], context: TrialContext) -> None:
    """Leave trial 0 as a killed worker does: its claim stays behind."""
    events.close()
    context.paths.claim(0).touch()


def running(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that have started and not ended."""
    return study.get_trials(states=(TrialState.RUNNING,))
