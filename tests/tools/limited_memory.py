"""Command line that leaves little memory for its trials."""

import resource
import sys
from pathlib import Path
from typing import Any

import hpo.dashboard.study_overview
import hpo.workers.pictures.trial_pictures  # noqa: F401
from hpo.analysis.ppca_baseline import compute_ppca_baseline
from hpo.cli.app import app
from hpo.workers import worker_pool
from hpo.workers.trial_context import TrialContext

LEFT_BYTES = 350_000_000


def limited(context: TrialContext, *arguments: Any) -> worker_pool.Workers:
    """Limit the memory of this process, then start the workers.

    What follows the first trial, late imports and pPCA's scores, has its memory already: it is not a trial.
    """
    compute_ppca_baseline(context.paths, context.data, context.config.hyperparameters.largest("latent_dim"))
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + LEFT_BYTES, in_use + LEFT_BYTES))
    return start_workers(context, *arguments)


if __name__ == "__main__":
    start_workers = worker_pool.start_workers
    setattr(worker_pool, "start_workers", limited)  # noqa: B010
    app(sys.argv[1:])
