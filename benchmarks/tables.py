"""Results as JSON files, and one page with a table of each."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model.atomic_files import write_text

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "results"
PAGE = FOLDER / "RESULTS.md"
_HEAD = """# Results of the benchmarks

Written by `make bench`, `python -m benchmarks.time_to_score`, `python -m benchmarks.overhead` and `python -m
benchmarks.noise_models` from [results/](results/): do not edit.
"""


def write(name: str, facts: dict[str, Any], rows: Sequence[Any]) -> None:
    """Write a benchmark's result for this kind of machine, rows being dataclasses, and the page of all of them."""
    result = facts | {"rows": [asdict(row) for row in rows]}
    write_text(RESULTS / f"{name}_{facts['kind']}.json", json.dumps(result, indent=2) + "\n")
    write_text(PAGE, page(RESULTS))


def page(results: Path) -> str:
    """The page of all results in a folder."""
    sections = [_HEAD]
    for name, section in SECTIONS.items():
        sections += [section(json.loads(path.read_text())) for path in sorted(results.glob(f"{name}_*.json"))]
    return "\n".join(sections)


def throughput(result: dict[str, Any]) -> str:
    """Throughput as Markdown, a column for each batch size."""
    rows = result["rows"]
    lines: list[tuple[str, list[str]]] = [
        ("textbook loop, images/s", [f"{row['textbook_images_per_second']:,.0f}" for row in rows]),
        ("our loop, images/s", [f"{row['ours_images_per_second']:,.0f}" for row in rows]),
        ("**ratio** (lowest, highest)", [_ratio(row) for row in rows]),
        ("bare convolutions, PyTorch's own, images/s", _thousands(rows, "convolution_ceiling_images_per_second")),
        ("our share of that ceiling", _percent(rows, "share_of_convolution_ceiling")),
        (
            "bare convolutions, the model's own form, images/s",
            _thousands(rows, "own_convolution_ceiling_images_per_second"),
        ),
        ("our share of that ceiling", _percent(rows, "share_of_own_convolution_ceiling")),
        ("our share of the matrix-product peak, padding not counted", _percent(rows, "share_of_matmul_peak")),
        (
            "our loops side by side, one thread each, images/s in all",
            _thousands(rows, "side_by_side_images_per_second"),
        ),
        ("against one with all threads", [f"{row['side_by_side_ratio']:.2f}" for row in rows]),
        ("peak memory, textbook / ours", [_both(row, "peak_memory_bytes", 1e6, " MB") for row in rows]),
        ("start to first step, textbook / ours", [_both(row, "first_step_s", 1, " s", 1) for row in rows]),
    ]
    return (
        f"\n## One trial's training loop: {result['device']}, {result['kind']}\n\n"
        f"{result['threads']} threads, {result['precision']} (the textbook's: float32), d = {result['latent_dim']}, "
        f"{result['architecture']}, "
        f"PyTorch {result['torch']}. Medians of {result['repetitions']} rounds; each is measured in a process of its "
        "own, and they take turns. Evaluation is not in it.\n\n"
        + table(["", *(f"batch {row['batch_size']}" for row in rows)], [[name, *cells] for name, cells in lines])
    )


def overhead(result: dict[str, Any]) -> str:
    """Return the cost of a search beside training, as Markdown."""
    rows = [[row["item"], f"{row['seconds']:,.1f}", f"{row['share']:.1%}"] for row in result["rows"]]
    return (
        f"\n## What a search costs beside training: {result['device']}, {result['kind']}\n\n"
        f"`{result['study']}` ({result['architecture']}) on the full data for {result['minutes']:g} minutes: "
        f"{result['n_trials']} trials, "
        f"{result['wall_s']:,.0f} s in all, **{result['overhead']:.1%}** of them beside training.\n\n"
        + table(["", "seconds", "share"], rows)
    )


def time_to_score(result: dict[str, Any]) -> str:
    """Return how long each took to the tutorial's score, as Markdown."""
    tutorials = result["rows"][0]["seconds"]
    rows = [
        [
            row["name"],
            f"{row['val_bpd']:.4f}",
            f"{row['epochs']:g}",
            f"{row['start_s']:.1f}",
            f"{row['seconds']:,.1f}",
            f"{tutorials / row['seconds']:.1f}",
        ]
        for row in result["rows"]
    ]
    return (
        f"\n## Time to the tutorial's score: {result['device']}, {result['kind']}\n\n"
        f"{result['threads']} threads, {result['precision']} (the tutorial's: float32), d = {result['latent_dim']}, "
        f"batch size {result['batch_size']}, PyTorch {result['torch']}. Seconds from the start of the process; ours "
        f"with its evaluations, medians of {result['repetitions']} trainings; the tutorial's once and without any.\n\n"
        + table(["", "val_bpd", "epochs", "start, s", "seconds", "times faster"], rows)
    )


def noise_models(result: dict[str, Any]) -> str:
    """Return scores with other kinds of noise, as Markdown."""
    rows = [
        [row["noise"], f"{row['val_bpd']:.3f}", f"{row['rate_nats']:.1f}", f"{row['psnr_db']:.1f}"]
        for row in result["rows"]
    ]
    return (
        f"\n## Scores with other kinds of noise: {result['device']}, {result['kind']}\n\n"
        f"The default network without pPCA first, d = {result['latent_dim']}, {result['epochs']} epochs of the bundled "
        "sample, validation split.\n\n" + table(["noise", "val_bpd", "rate, nats", "PSNR, dB"], rows)
    )


SECTIONS = {
    "throughput": throughput,
    "time_to_score": time_to_score,
    "overhead": overhead,
    "noise_models": noise_models,
}


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _ratio(row: dict[str, Any]) -> str:
    return f"**{row['ratio']:.2f}** ({row['ratio_low']:.2f}, {row['ratio_high']:.2f})"


def _thousands(rows: list[dict[str, Any]], name: str) -> list[str]:
    return [f"{row[name]:,.0f}" for row in rows]


def _percent(rows: list[dict[str, Any]], name: str) -> list[str]:
    return [f"{row[name]:.0%}" for row in rows]


def _both(row: dict[str, Any], name: str, unit: float, suffix: str, digits: int = 0) -> str:
    return " / ".join(f"{row[f'{whose}_{name}'] / unit:,.{digits}f}{suffix}" for whose in ("textbook", "ours"))
