"""Page of the comparison of learning-rate schedules."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from benchmarks.jsonl import read
from benchmarks.tables import FOLDER
from model.atomic_files import write_text

PAGE = FOLDER / "SCHEDULES.md"
_REFERENCE = ("cosine", "cosine")
_HEAD = """# Learning-rate schedules

Written by `python -m benchmarks.search.schedules` from [results/schedule_curves.jsonl](results/schedule_curves.jsonl):
do not edit.

{n} configurations of longer codes (256 to 512), each trained with every schedule for {epochs} epochs on 15,000 images
of CIFAR-10 ({machine}); "short cosine" has three epochs. Scores are val_bpd.
"Above" is the score less that of half a cosine over the whole length: the mean, and the largest. "Ranks" are the rank
correlations of the scores after epochs {rungs} with those at the end of the same runs: how early a curve tells which
configuration will win. A run with half a cosine cannot be made longer, since its rate has fallen to nothing; the others
can.
"""


def write_page(path: Path) -> None:
    """Write the page of a file of results."""
    write_text(PAGE, page(read(path)))


def page(lines: Sequence[dict[str, Any]]) -> str:
    """Return the page of these runs; configurations that lack a schedule are left out."""
    curves: dict[tuple[str, str], dict[int, list[float]]] = defaultdict(dict)
    for line in lines:
        for name, scores in line["val_bpd"].items():
            curves[line["schedule"], name][line["index"]] = scores
    whole = sorted(set.intersection(*(set(found) for found in curves.values())))
    reference = np.array([curves[_REFERENCE][index][-1] for index in whole])
    rows = []
    for (_, name), found in curves.items():
        scores = np.array([found[index] for index in whole])
        above = scores[:, -1] - reference
        ranks = [spearmanr(scores[:, rung], scores[:, -1]).statistic for rung in range(scores.shape[1] - 1)]
        shown = ", ".join(f"{rank:.2f}" for rank in ranks) or "-"
        rows.append(f"| {name} | {scores[:, -1].mean():.4f} | {above.mean():+.4f} | {above.max():+.4f} | {shown} |")
    first = next(line for line in lines if len(line["epochs"]) > 1)
    head = _HEAD.format(
        n=len(whole),
        epochs=first["epochs"][-1],
        machine=f"{first['device']}, {first['kind']}, {first['precision']}",
        rungs=", ".join(map(str, first["epochs"][:-1])),
    )
    table = ["|  | end | above, mean | above, largest | ranks |", "| --- | ---: | ---: | ---: | --- |", *rows]
    return "\n".join([head, *table, ""])
