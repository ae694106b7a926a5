"""The comparison as one page with a figure, benchmarks/SEARCH.md, and its numbers, benchmarks/results/search.json."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from benchmarks.search.figure import draw
from benchmarks.search.gaussian_process import Array
from benchmarks.search.held_out import HeldOut, held_out, rank_correlations
from benchmarks.search.judgements import LIMIT as JUDGED_LIMIT
from benchmarks.search.judgements import Judged
from benchmarks.search.judges.neighbours import N_NEIGHBOURS
from benchmarks.search.live_pairs import Search, draw_live, told
from benchmarks.search.methods import OURS, PEERS, Method
from benchmarks.search.regret_page import read_regrets
from benchmarks.search.replays import HORIZON, LIMIT
from benchmarks.search.simulator import Trace
from benchmarks.search.summary import Interval, n_reached, quartiles, ratio_of_medians, regrets, to_target
from benchmarks.search.surrogate import TOLERANCE, Surrogate
from benchmarks.search.table import CIFAR10, N_EPOCHS, SEEDS, Curve
from benchmarks.tables import FOLDER, RESULTS
from model.atomic_files import write_text

_AFTER = (5, 10, 20)
Traces = Mapping[str, Sequence[Trace]]
_JUDGES_TITLE = "## Judges of three kinds"


@dataclass(frozen=True)
class Results:
    """All results; `traces` by number of workers and method, `unseen` of one worker in other repetitions, `judged` of
    searches before judges of other kinds.
    """

    curves: Sequence[Curve]
    surrogate: Surrogate
    methods: Mapping[str, Method]
    traces: Mapping[int, Traces]
    live: Sequence[Search] = ()
    unseen: Traces = field(default_factory=dict)
    judged: Sequence[Judged] = ()

    def to_target(self, n_workers: int) -> dict[str, Array]:
        """Time of each method in full-length trainings; where it was not reached, the limit shared by the workers."""
        limit = LIMIT / n_workers
        return {name: to_target(some, self.unit_s, limit) for name, some in self.traces[n_workers].items()}

    @property
    def unit_s(self) -> float:
        """A full-length training of the mean configuration."""
        return self.surrogate.full_length_s


def write(results: Results, results_folder: Path = RESULTS, page: Path = FOLDER / "SEARCH.md") -> None:
    """Write page, figure and numbers."""
    draw(results.traces[1], results.unit_s, results_folder / "search.png")
    if results.live:
        draw_live(results.live, results_folder / "search_live.png")
    write_text(results_folder / "search.json", json.dumps(numbers(results), indent=2) + "\n")
    write_text(page, text(results))


def numbers(results: Results) -> dict[str, object]:
    """Return the numbers as search.json holds them."""
    return {
        "n_configurations": _n_configurations(results.curves),
        "n_epochs": N_EPOCHS,
        "n_repetitions": max(map(len, results.traces[1].values())),
        "target": results.surrogate.target,
        "compute_to_target_ratio": {name: asdict(ratio) for name, ratio in ratios(results.to_target(1)).items()},
        "retrain_regret": read_regrets(),
    }


def ratios(times: Mapping[str, Array]) -> dict[str, Interval]:
    """Every other method's time to the target over ours; none without ours."""
    if OURS not in times:
        return {}
    return {name: ratio_of_medians(theirs, times[OURS]) for name, theirs in times.items() if name != OURS}


def text(results: Results) -> str:
    """The page."""
    sections = [_table_made(results), _surrogate_told(results), _methods_told(results), _one_worker(results)]
    if results.unseen:
        sections.append(_unseen_told(replace(results, traces={1: results.unseen})))
    sections += [_several_workers(results, n_workers) for n_workers in results.traces if n_workers > 1]
    if results.judged:
        sections.append(_judged_told(results.judged))
    if results.live:
        sections.append(told(results.live))
    return "\n\n".join(["# What finds good hyperparameters, and how soon", _HEAD, *sections]) + "\n"


_HEAD = """Written by `make bench-search` from [results/](results/): do not edit.

Searches are replayed on a surrogate of real learning curves, so that each can be repeated often. Their samplers,
pruners and decisions are the real ones; only training is looked up.

![Regret against compute](results/search.png)"""


def _n_configurations(curves: Sequence[Curve]) -> int:
    return len({curve.index for curve in curves})


def _table_made(results: Results) -> str:
    n_diverged = len({curve.index for curve in results.curves if len(curve.val_bpd) < N_EPOCHS})
    n_wanted = CIFAR10.n_configurations
    n_repeated = len({curve.index for curve in results.curves if curve.seed != SEEDS[0]})
    return f"""## The table

{_n_configurations(results.curves)} of {n_wanted} configurations of an earlier version's space, of its network
(norm_free), from a scrambled Sobol sequence, each trained for {N_EPOCHS} epochs of CIFAR-10's 45,000 training
images; {n_repeated} of the best again with other seeds: {len(results.curves)} runs in all. {n_diverged}
configurations diverged.
This one was trained on one NVIDIA H200 in 7 minutes, 11 to 25 models side by side
([search/stacked.py](search/stacked.py)); `python -m benchmarks.search.grow` makes such a table. Seconds are those of
one core of a CPU, what most people search on, which `python -m benchmarks.search.seconds` has timed
([results/search_seconds.jsonl](results/search_seconds.jsonl)).

Rank correlation (Spearman) of the scores after an epoch with those after the last:

| epoch | all | the best quarter |
|---:|---:|---:|
{_ranks(results.curves)}"""


def _ranks(curves: Sequence[Curve]) -> str:
    found = rank_correlations(curves)[:-1]
    return "\n".join(f"| {epoch} | {every:.2f} | {best:.2f} |" for epoch, (every, best) in enumerate(found, start=1))


def _surrogate_told(results: Results) -> str:
    noise = results.surrogate.noise
    lines = "\n".join(_line_held_out(errors) for errors in held_out(results.curves, (1, N_EPOCHS)))
    return f"""## The surrogate

Mean curves: a Gaussian process of log(val_bpd - floor) for each epoch. Errors by tenfold cross-validation over
configurations, in bits per dimension:

| epoch | RMSE | RMSE of the best quarter | rank correlation (Spearman) |
|---:|---:|---:|---:|
{lines}

A run is its configuration's mean curve and the noise of its seed: {noise.deviation_E[-1]:.4f} bits per dimension
after the last epoch, {noise.deviation_E[0]:.4f} after the first, correlated by {noise.correlation_EE[0, -1]:.2f}
({noise.degrees_of_freedom} degrees of freedom, of configurations among the best; taken to be the same everywhere).

A configuration whose nearest neighbour in the table diverged scores as the table's worst. A full-length training of the
mean configuration takes {results.unit_s:,.0f} s of one core."""


def _line_held_out(errors: HeldOut) -> str:
    return f"| {errors.epoch} | {errors.rmse:.4f} | {errors.of_best_quarter:.4f} | {errors.rank_correlation:.3f} |"


def _methods_told(results: Results) -> str:
    lines = "\n".join(f"| {name} | {results.methods[name].about} |" for name in results.traces[1])
    return f"""## What is compared

A search answers with the values of its best full-length run, by the score that it saw. What counts is the answer's
true score, without noise. *Regret*: how far that is above the table's best configuration. *Target*: a regret of
{TOLERANCE} bits per dimension, {results.surrogate.target:.4f} of val_bpd. Both scores are the surrogate's own, at a
configuration where it was trained: its minimum may be an artefact, and the best score in the table is a lucky one.
*Compute* is training and what the sampler
takes, in full-length trainings of the mean configuration. A search ends at {LIMIT}, or at {HORIZON} if it has reached
the target by then, or when it does; one that never does counts as if it had at the limit.

| | |
|---|---|
{lines}"""


def _one_worker(results: Results) -> str:
    after = "".join(f" regret after {n} |" for n in _AFTER)
    told = [quartiles(regrets(some, _AFTER, results.unit_s))[1] for some in results.traces[1].values()]
    regret_cells = [[f"{regret:.4f}" if np.isfinite(regret) else "none yet" for regret in medians] for medians in told]
    rows = [_cells(line + more) for line, more in zip(_times(results, 1), regret_cells, strict=True)]
    return f"""## One worker

Compute to the target: median (quartiles) of repetitions. Ratio to ours: of medians, with its bootstrap 95% interval;
where a median is at the limit, *≥*, the ratio is what it is at least. Regrets are medians.

| | repetitions | reached | compute to target | ratio to ours |{after}
|---|---:|---:|---:|---:|{"---:|" * len(_AFTER)}
{"".join(rows)}""".rstrip()


def _unseen_told(results: Results) -> str:
    return f"""### In repetitions that nothing was chosen by

The rules of ours were chosen by repetitions that include those above, and may fit their luck. In others, with seeds and
noise that are new to it, on the same surrogate:

| | repetitions | reached | compute to target | ratio to ours |
|---|---:|---:|---:|---:|
{"".join(map(_cells, _times(results, 1)))}""".rstrip()


def _several_workers(results: Results, n_workers: int) -> str:
    return f"""## {n_workers} workers

Time to the target on the clock, in the time of a full-length training of the mean configuration.

| | repetitions | reached | time to target | ratio to ours |
|---|---:|---:|---:|---:|
{"".join(map(_cells, _times(results, n_workers)))}""".rstrip()


def replace_judged(judged: Sequence[Judged], page: Path = FOLDER / "SEARCH.md") -> None:
    """Rewrite what the page tells of the judges, and nothing else."""
    before, _, after = page.read_text().partition(_JUDGES_TITLE)
    _, title, others = after.partition("\n\n## ")
    write_text(page, before + _judged_told(judged) + (title + others or "\n"))


def _peers_told(judged: Sequence[Judged]) -> str:
    compared = [name for name in PEERS if name in {each.method for each in judged}]
    if not compared:
        return ""
    lines = "\n".join(f"- *{name}*: {PEERS[name].about}" for name in compared)
    return f"""
Searches of other packages, which also begin with the tutorial's values and may stop a configuration after 2 epochs at
the earliest (`make .peer-packages` installs them, `python -m benchmarks.search.judged --method smac` runs one):

{lines}
"""


def _judged_told(judged: Sequence[Judged]) -> str:
    rows = [
        [
            each.judge,
            each.method,
            f"{each.n_reached} of {each.n_repetitions}",
            spread_of(each.to_target, JUDGED_LIMIT),
            f"{each.regret[1]:.4f} ({each.regret[0]:.4f}, {each.regret[2]:.4f})",
        ]
        for each in judged
    ]
    return f"""{_JUDGES_TITLE}

The sampler of ours and the surrogate are both Gaussian processes, and so may agree in what is wrong. Here other models
of the same table judge ([judges/](search/judges/)): functions drawn from the Gaussian process, another one in each
repetition, in place of its mean; random forests, of other trees in each; the mean of the {N_NEIGHBOURS} nearest
configurations. *promotion_random* and *promotion_tpe* are ours with another sampler. Written by
`python -m benchmarks.search.judged`; a search ends at {JUDGED_LIMIT:g} full-length trainings. Medians (quartiles),
regrets after {HORIZON}.
{_peers_told(judged)}
| judge | | reached | compute to target | regret |
|---|---|---:|---:|---:|
{"".join(map(_cells, rows))}""".rstrip()


def _times(results: Results, n_workers: int) -> list[list[str]]:
    times, traces, limit = results.to_target(n_workers), results.traces[n_workers], LIMIT / n_workers
    found = ratios(times)
    ratios_told = {name: f"{ratio.median:.2f} ({ratio.low:.2f}, {ratio.high:.2f})" for name, ratio in found.items()}
    return [
        [name, str(len(some)), str(n_reached(some)), spread(times[name], limit), ratios_told.get(name, "")]
        for name, some in traces.items()
    ]


def spread(samples: Array, limit: float) -> str:
    """Median and quartiles, those at the limit marked."""
    return spread_of(np.quantile(samples, [0.25, 0.5, 0.75]).tolist(), limit)


def spread_of(quartiles: Sequence[float], limit: float) -> str:
    """The same from the quartiles."""
    low, median, high = (f"{'≥ ' * bool(quartile >= limit)}{quartile:.1f}" for quartile in quartiles)
    return f"{median} ({low}, {high})"


def _cells(line: Sequence[str]) -> str:
    return f"| {' | '.join(line)} |\n"
