"""Page of the comparison of learning-rate schedules."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from benchmarks.jsonl import read
from benchmarks.tables import FOLDER, RESULTS
from model.atomic_files import write_text

PAGE = FOLDER / "SCHEDULES.md"
# Runs by `model.train` with `schedule_free._MOST_AT_ONCE` of 8 and of 1.
AT_ONCE = RESULTS / "schedule_updates_at_once.jsonl"
# Runs by `model.train` on the bundled sample: batches of 64, a warm-up of one epoch, shifts of one pixel.
SAMPLE = RESULTS / "schedule_sample.jsonl"
_SHOWN_EPOCHS = ("1", "8", "20", "40")
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
    return "\n".join([head, *table, "", *at_once(read(AT_ONCE)), "", *sample(read(SAMPLE)), ""])


def at_once(lines: Sequence[dict[str, Any]]) -> list[str]:
    """Return what an average costs that takes several updates at once."""
    most = max(line["updates_at_once"] for line in lines)
    scores = {(line["index"], line["updates_at_once"]): line["val_bpd"][-1] for line in lines}
    indices = sorted({index for index, _ in scores})
    pairs = " and ".join(f"{scores[index, most]:.4f} instead of {scores[index, 1]:.4f}" for index in indices)
    machine = f"{lines[0]['device']}, {lines[0]['precision']}"
    return [
        f"The average of schedule-free Adam takes up to {most} updates at once",
        "([schedule_free.py](../model/training/schedule_free.py)). With this, configurations",
        f"{' and '.join(map(str, indices))} end at {pairs}",
        f"({machine}; [results/{AT_ONCE.name}](results/{AT_ONCE.name})).",
    ]


def sample(lines: Sequence[dict[str, Any]]) -> list[str]:
    """Return the schedules on the bundled sample: few images, and so few updates in an epoch."""
    rows = []
    for line in sorted(lines, key=lambda line: (line["latent_dim"], line["learning_rate"], line["schedule"])):
        scores = (line["val_bpd"].get(epoch) for epoch in _SHOWN_EPOCHS)
        shown = ("" if score is None else f"{score:.4f}" for score in scores)
        name = f"{line['schedule']}, {line['epochs']} epochs"
        rows.append(f"| {line['latent_dim']} | {line['learning_rate']:g} | {name} | {' | '.join(shown)} |")
    machine = f"{lines[0]['device']}, {lines[0]['precision']}"
    return [
        "## The bundled sample",
        "",
        f"4,500 training images, val_bpd after so many epochs ({machine};",
        f"[results/{SAMPLE.name}](results/{SAMPLE.name})). Schedule-free Adam is as good after 8 epochs, and worse",
        "by a hundredth after 20, also at the better of the rates.",
        "",
        f"| d | learning rate |  | {' | '.join(_SHOWN_EPOCHS)} |",
        f"| ---: | ---: | --- |{' ---: |' * len(_SHOWN_EPOCHS)}",
        *rows,
    ]
