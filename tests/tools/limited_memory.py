"""Command line that leaves little memory for its trials."""

import resource
import sys
from pathlib import Path
from typing import Any

from hpo.cli.app import app
from hpo.workers import worker_pool

LEFT_BYTES = 350_000_000


def limited(*arguments: Any) -> worker_pool.Workers:
    """Limit the memory of this process, then start the workers."""
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + LEFT_BYTES, in_use + LEFT_BYTES))
    return start_workers(*arguments)


if __name__ == "__main__":
    start_workers = worker_pool.start_workers
    setattr(worker_pool, "start_workers", limited)  # noqa: B010
    app(sys.argv[1:])
