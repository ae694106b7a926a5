"""The page of the growth benchmark: seconds of CPU by operation and number of trials, now and before."""

import json
from pathlib import Path
from typing import Any

from benchmarks.growth import BEFORE, NAME
from benchmarks.tables import FOLDER, RESULTS, table
from model.atomic_files import write_text

_PAGE = FOLDER / "GROWTH.md"
_HEAD = """# Cost of a study as it grows

Written by `python -m benchmarks.growth` from [results/](results/): do not edit.

Seconds of CPU on one core, on synthetic studies of the default kind: successive halving, the sampler `curves`, four
searched hyperparameters, five files and a note for each trial. "Next step", "next configuration", the reports and the
end are the medians of three trials; the first decision of a process fits the Gaussian process once more. Nothing is
trained.
"""
_TITLES = {NAME: "Now", BEFORE: "Before the squares were removed"}

Found = dict[int, dict[str, float]]


def write(name: str, facts: dict[str, Any], found: Found) -> None:
    """Write a result, and the page of all of them."""
    write_text(RESULTS / f"{name}.json", json.dumps({**facts, "seconds": found}, indent=2) + "\n")
    write_text(_PAGE, page(RESULTS))


def page(results: Path) -> str:
    """Return the page of the results in a folder."""
    stored = {name: results / f"{name}.json" for name in _TITLES}
    sections = [_section(name, json.loads(path.read_text())) for name, path in stored.items() if path.exists()]
    return "\n".join([_HEAD, *sections])


def _section(name: str, result: dict[str, Any]) -> str:
    seconds = result["seconds"]
    head = ["", *(f"{int(n_trials):,} trials" for n_trials in seconds)]
    operations = next(iter(seconds.values()))
    rows = [[operation, *(_seconds(found[operation]) for found in seconds.values())] for operation in operations]
    return f"## {_TITLES[name]}: {result['device']}\n\n{table(head, rows)}"


def _seconds(value: float) -> str:
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}" if value < 1 else f"{value:.1f}"
