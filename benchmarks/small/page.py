"""Page and figure about few images: benchmarks/SMALL.md."""

from pathlib import Path
from typing import Any

from benchmarks.jsonl import read
from benchmarks.small.lengths import CASES
from benchmarks.small.lengths import RUNS as LENGTHS
from benchmarks.small.regularisers import RUNS, SIZES, WAYS
from benchmarks.tables import FOLDER, RESULTS, table
from hpo.figures.style import CYCLE, INK, new_figure, save_figure, style_axes
from model.atomic_files import write_text

PAGE, FIGURE = FOLDER / "SMALL.md", RESULTS / "regularisers.png"
SETS = RESULTS / "small_sets.jsonl"
_AS_AVX2 = """; `as_avx2`: with ATEN_CPU_CAPABILITY=avx2 and
ONEDNN_MAX_CPU_ISA=AVX2, so without the instructions that a processor with AVX2 alone lacks"""
_SETTINGS = "learning rate 8e-3 unless a row says otherwise, batch size 64, β 1, half a cosine to zero, seed 0"


def write_page() -> None:
    """Write both from what there is."""
    runs = read(RUNS)
    write_text(PAGE, page(runs, read(SETS), read(LENGTHS)))
    draw(runs, FIGURE)


def page(runs: list[dict[str, Any]], sets: list[dict[str, Any]], lengths: list[dict[str, Any]]) -> str:
    """Return the page as Markdown."""
    machines = "; ".join(sorted({f"{run['device']}, {run['precision']}" for run in runs}))
    return f"""# Few images

Written by `python -m benchmarks.small.regularisers`, `python -m benchmarks.small.lengths` and `python -m
benchmarks.small` from [results/](results/): do not edit.

## Regularisers

Subsets of CIFAR-10's training images; {_SETTINGS}. Scores are val_bpd on CIFAR-10's
5,000 validation images, and in parentheses how far that is below probabilistic PCA (pPCA) of the same images and size.
Flips are on by default; shifts by 1 are on where a file leaves the search space open and there are fewer than 20,000
training images. One thread; {machines}.

{_table(runs)}

![How far val_bpd is below pPCA, by regulariser and number of images](results/regularisers.png)
{_lengths_section(lengths) if lengths else ""}{_sets_section(sets) if sets else ""}"""


def _lengths_section(lengths: list[dict[str, Any]]) -> str:
    """Return the comparison of ways to end a retraining that would overfit."""
    head = [
        "",
        "epochs",
        "trial: lowest",
        "at the end",
        "retrained: whole length",
        "as long as the lowest",
        "best epoch",
    ]
    names = ("trial_lowest", "trial_end", "full", "shorter", "best_epoch")
    lines = []
    for result in lengths:
        n_full, n_epochs = CASES[result["case"]].n_epochs, result["n_epochs"]
        epochs = f"{n_full}; {n_epochs}" if n_epochs < n_full else f"{n_full}"
        lines.append([result["case"], epochs, *(f"{result[name]:.4f}" for name in names)])
    return f"""
## How long to retrain

A trial, and then retrainings of the same values with two other seeds: for its whole length; for as many epochs as the
trial needed to its lowest score, if that was lower than its end by more than 0.01, with a schedule of that length
(`retrain.epochs: auto`); and for the whole length, of which the epoch with the lowest score counts. The first half of
CIFAR-10's validation images chooses, the scores of the retrainings are those of the other half. 96 dimensions,
learning rate 8e-3 unless a row says otherwise, mirrored. `python -m benchmarks.small.lengths`, one thread;
{lengths[0]["device"]}, {lengths[0]["precision"]}.

{table(head, lines)}
"""


def _sets_section(sets: list[dict[str, Any]]) -> str:
    """Return the comparison of the default study with pPCA."""
    scores = ["test_bpd", "95% interval", "pPCA of d", "below pPCA"]
    head = ["", "training images", "search, min", "d", "epochs", *scores, "machine"]
    lines = [
        [
            result["set"],
            f"{result['data']['n_train']:,}",
            f"{result['tune_s'] / 60:.0f}",
            f"{result['hyperparameters']['latent_dim']}",
            f"{result['epochs']}",
            f"{result['test_bpd']:.4f}",
            "{:.3f} to {:.3f}".format(*result["test_bpd_interval"]),
            f"{result['ppca_bpd']:.4f}",
            f"{result['ppca_bpd'] - result['test_bpd']:+.3f}",
            f"{result['kind']}, {result['precision']}, {_threads(result)}",
        ]
        for result in sets
    ]
    machines = "; ".join(sorted({result["device"] for result in sets}))
    is_held = any(result["kind"].endswith("_as_avx2") for result in sets)
    return f"""
## The default study beside pPCA

`make tune` and `make best-retrain` with a file that names the images alone; pPCA of the same images and the model's own
latent dimension; the test split, scored once. {machines}{_AS_AVX2 if is_held else ""}.

{table(head, lines)}
"""


def _threads(result: dict[str, Any]) -> str:
    return "one thread" if result["threads"] == 1 else f"{result['threads']} threads"


def _table(runs: list[dict[str, Any]]) -> str:
    head = ["", *(f"{size.n_train:,} images, d = {size.latent_dim}, {size.epochs} epochs" for size in SIZES)]
    found = {(run["way"], run["n_train"]): run for run in runs}
    linear = {size.n_train: run["ppca_bpd"] for size in SIZES for run in runs if run["n_train"] == size.n_train}
    lines = [["pPCA", *(f"{linear[size.n_train]:.4f}" if size.n_train in linear else "" for size in SIZES)]]
    for way in WAYS:
        cells = [_cell(found.get((way.name, size.n_train))) for size in SIZES]
        if any(cells):
            lines.append([way.name, *cells])
    return table(head, lines)


def _cell(run: dict[str, Any] | None) -> str:
    if run is None:
        return ""
    # What an earlier epoch would have had: a model that has overfitted.
    earlier = f", lowest {run['lowest_val_bpd']:.4f}" if run["lowest_val_bpd"] < run["val_bpd"] - 0.01 else ""
    return f"{run['val_bpd']:.4f} ({run['ppca_bpd'] - run['val_bpd']:+.3f}){earlier}"


def draw(runs: list[dict[str, Any]], path: Path) -> None:
    """Draw the distance from pPCA against the number of images."""
    figure = new_figure("Regularisers by the number of training images", 9, 6.4)
    axes = figure.subplots()
    style_axes(axes, "above zero: better than pPCA of its size", "training images", "pPCA's score - val_bpd, bits")
    axes.axhline(0, color=INK, lw=0.8)
    for index, way in enumerate(WAYS):
        points = sorted((run["n_train"], run["ppca_bpd"] - run["val_bpd"]) for run in runs if run["way"] == way.name)
        if points:
            style = "-" if index < len(CYCLE) else "--"
            axes.plot(*zip(*points, strict=True), f"o{style}", color=CYCLE[index % len(CYCLE)], label=way.name)
    axes.set_xscale("log")
    axes.set_xticks([size.n_train for size in SIZES], [f"{size.n_train:,}" for size in SIZES])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=10)
    save_figure(figure, path)
