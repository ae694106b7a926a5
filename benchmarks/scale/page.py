"""The page of the scale benchmark: a table for each kind of machine, a row for each study."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.scale.measure import Row
from benchmarks.tables import FOLDER, RESULTS, table
from model.atomic_files import write_text

PAGE = FOLDER / "SCALE.md"
_HEAD = """# Cost of a study that many workers share

Written by `make bench-scale` from [results/](results/): do not edit.

Simulated workers share one study in one PostgreSQL server, all on one machine. A worker runs the loop of a real one
(`hpo/workers/worker.py`), each with its own connections and leases: it claims a trial, suggests values, reports with a
checkpoint of a few kilobytes in a shared folder, stores the attributes of the ended trial, tells the study and removes
checkpoints. Only training and pictures are left out, with the notes and files that belong to these; a pause stands for
the training before each report, longer for more workers, so that all numbers of workers ask for as many reports a
second. The sampler is `random` and the pruner `none`: what is measured is the way to the
database, not the fit of a model. The server waits for the disk at each commit.

"Lock" is the transaction in which a new trial is numbered and leased: other workers wait for it, and its milliseconds
include this wait. CPU is that of all workers, from their first connection on, and of all processes of the server, from
its start to its end. "Doubled" counts trials and reports with two owners; "lost" counts trials that have not ended, and
reports that are not in the database.
"""
_COLUMNS = [
    *("workers", "trials", "claims a second", "claim", "lock", "report"),
    *("CPU of workers", "CPU of server", "duration", "doubled", "lost"),
]


def write(facts: dict[str, Any], rows: Sequence[Row]) -> None:
    """Write the result of this kind of machine, and the page of all of them."""
    result = facts | {"rows": [asdict(row) for row in rows]}
    write_text(RESULTS / f"scale_{facts['kind']}.json", json.dumps(result, indent=2) + "\n")
    write_text(PAGE, page(RESULTS))


def page(results: Path) -> str:
    """Return the page of the results in a folder."""
    return "\n".join(
        [_HEAD, *(_section(json.loads(path.read_text())) for path in sorted(results.glob("scale_*.json")))]
    )


def _section(result: dict[str, Any]) -> str:
    first = result["rows"][0]
    return (
        f"## {result['device']}, {result['kind']}\n\n"
        f"Trials of {first['reports']} reports, at most {first['workers'] / first['training_s']:.0f} reports a second. "
        f"Medians and 95th percentiles in ms, CPU and duration in s. {result.get('note', '')}".rstrip()
        + "\n\n"
        + table(_COLUMNS, [_cells(row) for row in result["rows"]])
    )


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        str(row["workers"]),
        f"{row['trials']:,}",
        f"{row['claims_per_s']:.1f}",
        *(f"{row[f'{name}_p50_ms']:.0f}, {row[f'{name}_p95_ms']:.0f}" for name in ("claim", "lock", "report")),
        *(f"{row[f'{name}_s']:.0f}" for name in ("client_cpu", "server_cpu", "wall")),
        str(row["doubled"]),
        str(row["lost"]),
    ]
