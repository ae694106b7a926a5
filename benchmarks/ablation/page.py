"""The ablation as one page with tables and a figure: benchmarks/ABLATION.md."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

from benchmarks.ablation import networks
from benchmarks.ablation.results import RUNS, SPEEDS
from benchmarks.ablation.rows import BASE, EPOCHS, PICTURE_DIMS, ROWS, Part, Row
from benchmarks.jsonl import read
from benchmarks.tables import FOLDER, RESULTS
from model.atomic_files import write_text

PAGE = FOLDER / "ABLATION.md"
FIGURE, NETWORKS_FIGURE = RESULTS / "ablation.png", RESULTS / "networks.png"
_TITLES: dict[Part, str] = {
    "way": "From the tutorial's recipe to norm_free, the default before linear_skip\n\n"
    "Each row has what the rows above it changed.",
    "change": "norm_free with one thing otherwise",
    "longer": "What decides, for longer",
}
_HEADER = (
    "| | trained weights | images/s | seconds | rate, nats | MSE | val_bpd | of each seed | mixture gap, nats |\n"
    "|---|---:|---:|---:|---:|---:|---:|---|---:|"
)

_PICTURES = """## Before and after

`python -m benchmarks.ablation.pictures` trains and draws them.

![The same images and draws by the tutorial's model, plain, and norm_free ("ours")](results/before_after.png)"""


@dataclass(frozen=True)
class Measured:
    """A row's results: means over its seeds; `curve` holds (images, val_bpd) of each epoch."""

    row: Row
    n_weights: int
    images_per_second: float
    rate_nats: float
    mse: float
    val_bpd: tuple[float, ...]
    mixture_gap_nats: float
    curve: tuple[tuple[int, float], ...]

    @property
    def seconds(self) -> float:
        """Seconds of training alone, on all threads."""
        return self.curve[-1][0] / self.images_per_second


def measured(runs: Path = RUNS, speeds: Path = SPEEDS) -> list[Measured]:
    """Rows of the tables that were trained and timed, in their order."""
    # Two calls at once may have trained the same.
    once = {(run["row"], run["seed"]): run for run in read(runs)}
    by_row, rates = _by_row(once[key] for key in sorted(once)), _by_row(read(speeds))
    known = [row for row in ROWS if row.part in _TITLES and row.name in by_row and row.timed_as in rates]
    return [_measured(row, by_row[row.name], rates[row.timed_as]) for row in known]


def _by_row(results: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        found.setdefault(result["row"], []).append(result)
    return found


def _measured(row: Row, runs: list[dict[str, Any]], speeds: list[dict[str, Any]]) -> Measured:
    last = [run["reports"][-1] for run in runs]
    epochs = zip(*(run["reports"] for run in runs), strict=True)
    return Measured(
        row=row,
        n_weights=runs[0]["n_weights"],
        images_per_second=median(speed["images_per_second"] for speed in speeds),
        rate_nats=mean(report["val_rate_nats"] for report in last),
        mse=mean(report["val_mse"] for report in last),
        val_bpd=tuple(report["val_bpd"] for report in last),
        mixture_gap_nats=mean(run["mixture_gap_nats"] for run in runs),
        curve=tuple((reports[0]["images_seen"], mean(r["val_bpd"] for r in reports)) for reports in epochs),
    )


def table(rows: Sequence[Measured]) -> str:
    """Return the table as Markdown."""
    return "\n".join([_HEADER, *map(_line, rows)])


def _line(result: Measured) -> str:
    seeds = " ".join(f"{score:.4f}" for score in result.val_bpd) if len(result.val_bpd) > 1 else ""
    cells = [
        result.row.name,
        f"{result.n_weights / 1e6:.2f} M",
        f"{result.images_per_second:,.0f}",
        f"{result.seconds:.0f}",
        f"{result.rate_nats:.1f}",
        f"{result.mse:.5f}",
        f"{mean(result.val_bpd):.4f}",
        seeds,
        f"{result.mixture_gap_nats:.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def write_page() -> None:
    """Write page and figure from what there is."""
    from benchmarks.ablation.figure import draw

    rows = measured()
    if not rows:
        return
    speed = read(SPEEDS)[-1]
    titles = {part: title for part, title in _TITLES.items() if any(result.row.part == part for result in rows)}
    parts = [
        f"## {title}\n\n{table([result for result in rows if result.row.part == part])}"
        for part, title in titles.items()
    ]
    sections = [_head(speed), networks_section(), *parts, _PICTURES + _pictures_by_length()]
    write_text(PAGE, "\n\n".join(sections) + "\n")
    draw(rows, FIGURE)
    networks.draw(NETWORKS_FIGURE)


def _pictures_by_length() -> str:
    """Return the pictures of norm_free and linear_skip by the length of the code, as far as they were drawn."""
    drawn = [d for d in PICTURE_DIMS if (RESULTS / f"before_after_{d}.png").exists()]
    return "".join(f"\n\n![norm_free and linear_skip, d = {d}](results/before_after_{d}.png)" for d in drawn)


def networks_section() -> str:
    """Return the part about networks by the length of the code."""
    machines = {f"{run['device']}, {run['precision']}" for run in read(RUNS) if "device" in run}
    by_length = networks.by_length()
    short = f"After {EPOCHS} epochs, which tell how fast a network learns:\n\n{by_length}\n" if by_length else ""
    return f"""## Networks by the length of the code

*CPU s*: process time of the whole training and its evaluations on one thread ({"; ".join(sorted(machines))}), with
another such process beside it; on a machine with AVX2 where no other kind is named. *Below pPCA*: by how many bits per
dimension the score is below that of probabilistic PCA with as many dimensions.

{short}After 20 epochs, with the test split, which nothing was chosen by:

{networks.reach()}
![val_bpd by latent dimension, after 20 epochs, beside pPCA](results/networks.png)"""


def _head(speed: dict[str, Any]) -> str:
    machine = f"{speed['device']}, {speed['threads']} threads, {speed['precision']}, PyTorch {speed['torch']}"
    ours = (
        f"{BASE.architecture}, batch size {BASE.batch_size}, Adam from {BASE.learning_rate:g} by half a cosine to zero "
        f"after {BASE.warmup_epochs:g} epochs of warm-up"
    )
    return f"""# What makes the model better

Written by `python -m benchmarks.ablation.run` from [results/](results/): do not edit.

All of CIFAR-10's 45,000 training images, scored on the 5,000 of the validation split; d = {BASE.latent_dim} and
{BASE.epochs} epochs unless a row says otherwise; {ours}.

In the tables below that of the networks, a row of two seeds shows both; its other numbers are their means.
*images/s*: median of three measurements in turns
({machine}); *seconds* follow from it, training alone.
*Mixture gap*: by how many nats an image the rate would fall if a mixture of ten Gaussians, fitted to the training
images' codes, took the prior's place: how far codes are from what samples are drawn from.

![val_bpd against images and against seconds](results/ablation.png)"""
