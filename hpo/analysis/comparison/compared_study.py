"""One study as a comparison shows it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpo.analysis.comparison.best_so_far import BestSoFar, best_so_far
from hpo.analysis.run_metrics import ImageCounts, RunMetrics, read_run_metrics
from hpo.analysis.trial_table import trial_rows
from hpo.config.schema import StudyConfig
from hpo.search.best_trial import BestTrial, best_trial_of
from hpo.search.configurations import configurations_of
from hpo.storage.fingerprint import stored_fingerprint
from hpo.storage.open_study import OpenStudy
from hpo.storage.paths import RunPaths


@dataclass(frozen=True)
class ComparedStudy:
    """A study with its best trial, if any has finished, and its retrained model, if there is one.

    `digest` is that of the pixels of all splits: validation scores compare if it and the images' shape are equal.
    `values` are the best trial's hyperparameters, searched or fixed. `n_running` counts interrupted trials, too.
    """

    name: str
    config: StudyConfig
    images: ImageCounts
    digest: str
    n_ended: int
    n_finished: int
    n_running: int
    best: BestTrial | None
    values: Mapping[str, Any]
    curve: BestSoFar
    retrained: RunMetrics | None
    run: RunPaths

    @property
    def score(self) -> float | None:
        """Score of the best trial: the mean over its new seeds, if there are any, else its own; None without one."""
        return self.best.score if self.best else None

    @property
    def images_name(self) -> str:
        """Images in a few words, with the first letters of their digest if only these tell them apart."""
        named = {"sample": "bundled sample", "folder": f"folder, digest {self.digest[:6]}"}
        return named.get(self.images.source, self.images.source)


def read_compared_study(opened: OpenStudy) -> ComparedStudy:
    """Read what a comparison shows of a study."""
    rows = trial_rows(opened.study, opened.config)
    best = best_trial_of(configurations_of(opened.study))
    n_running = sum(row.kind == "running" for row in rows)
    metrics = opened.paths.best.metrics_json
    return ComparedStudy(
        name=opened.study.study_name,
        config=opened.config,
        images=ImageCounts.from_dict(opened.study.user_attrs["data"]),
        digest=str(json.loads(stored_fingerprint(opened.study)["data.digest"])),
        n_ended=len(rows) - n_running,
        n_finished=sum(row.kind == "finished" for row in rows),
        n_running=n_running,
        best=best,
        values=opened.config.hyperparameters.fixed() | dict(best.params) if best else {},
        curve=best_so_far(rows),
        retrained=read_run_metrics(metrics) if metrics.exists() else None,
        run=opened.paths.best,
    )
