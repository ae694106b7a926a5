"""Context that the trials of one call share."""

from dataclasses import dataclass, field

import optuna

from hpo.config.schema import StudyConfig
from hpo.search.scheduler import Plan
from hpo.storage.paths import StudyPaths
from model.data.images import ImageData
from model.device import Runtime


@dataclass(frozen=True)
class TrialContext:
    """Study, files, images and machine of a call's trials; `data` lies on the runtime's device."""

    config: StudyConfig
    paths: StudyPaths
    study: optuna.Study
    data: ImageData
    runtime: Runtime
    plan: Plan = field(default_factory=Plan)
