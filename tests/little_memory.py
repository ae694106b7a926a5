"""Runs the command line with little memory left for its trials."""

import resource
import sys
from pathlib import Path
from typing import Any

import hpo.crew
from hpo.__main__ import app

LEFT_BYTES = 350_000_000


def limited(*arguments: Any) -> hpo.crew.Team:
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + LEFT_BYTES, in_use + LEFT_BYTES))
    return assemble(*arguments)


if __name__ == "__main__":
    assemble = hpo.crew.assemble
    setattr(hpo.crew, "assemble", limited)  # noqa: B010
    app(sys.argv[1:])
