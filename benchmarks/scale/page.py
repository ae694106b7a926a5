"""Page of the benchmark of many workers."""

import json
from pathlib import Path
from typing import Any

from benchmarks.tables import FOLDER
from model.atomic_files import write_text

PAGE = FOLDER / "SCALE.md"
_HEAD = """# Many workers on one database

Written by `python -m benchmarks.scale` from [results/](results/): do not edit.

Simulated workers do all that real ones do in a study that machines share, except to train and to draw: they claim
trials, draw values at random, report with a small checkpoint in a folder, and end trials. Server and workers run on one
machine, so that they compete for its cores, and latencies are those of a machine that is fully loaded. "In the lock" is
the transaction that begins a trial, which excludes others.
"""
_COLUMNS = {
    "workers": "workers",
    "trials": "trials",
    "elapsed_s": "s",
    "claims_per_s": "claims/s",
    "lost": "lost",
    "doubled": "doubled",
    "claim_p95_ms": "in the lock, p95 ms",
    "whole_claim_p50_ms": "claim, p50 ms",
    "whole_claim_p95_ms": "claim, p95 ms",
    "report_p50_ms": "report, p50 ms",
    "report_p95_ms": "report, p95 ms",
    "server_cpu_s": "server CPU s",
    "client_cpu_s": "workers' CPU s",
}


def write_page(results: Path) -> None:
    """Write the page of all results in a folder."""
    write_text(PAGE, page(results))


def page(results: Path) -> str:
    """Return the page of all results in a folder."""
    sections = [_section(json.loads(path.read_text())) for path in sorted(results.glob("scale_*.json"))]
    return "\n".join([_HEAD, *sections])


def _section(result: dict[str, Any]) -> str:
    rows = result["rows"]
    lines = [
        f"## {result['device']} ({result['kind']}), {rows[0]['reports']} reports a trial",
        "",
        f"| {' | '.join(_COLUMNS.values())} |",
        f"|{'---:|' * len(_COLUMNS)}",
        *(f"| {' | '.join(f'{row[name]:,g}' for name in _COLUMNS)} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"
