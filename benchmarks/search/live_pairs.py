"""Results of searches that really ran side by side, as a figure and a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.jsonl import read
from benchmarks.search.methods import OURS
from benchmarks.tables import RESULTS
from hpo.figures.style import BLACK, CYCLE, new_figure, save_figure, style_axes

LIVE = RESULTS / "search_live.jsonl"
_OTHER = "tpe_median"
_STYLES = ("-", "--", ":")


@dataclass(frozen=True)
class Search:
    """One search: seconds since its command was given, and val_bpd, of each trial that came to its end."""

    pair: int
    method: str
    minutes: float
    ends: Sequence[tuple[float, float]]

    @property
    def best(self) -> list[tuple[float, float]]:
        """Changes of its best val_bpd: minutes and score."""
        changes: list[tuple[float, float]] = []
        for at_s, val_bpd in self.ends:
            if not changes or val_bpd < changes[-1][1]:
                changes.append((at_s / 60, val_bpd))
        return changes

    def reached(self, val_bpd: float) -> float | None:
        """Minutes until it was as good; None where it never was."""
        return next((at for at, best in self.best if best <= val_bpd), None)


def read_live(path: Path = LIVE) -> list[Search]:
    """Return all live searches."""
    return [
        Search(line["pair"], line["method"], line["minutes"], [(at, score) for at, score in line["ends"]])
        for line in read(path)
    ]


def draw_live(searches: Sequence[Search], path: Path) -> None:
    """Best val_bpd so far against minutes, one kind of line for each pair."""
    figure = new_figure("Side by side, each on one core: the best val_bpd so far", 9, 5.2)
    axes = figure.subplots()
    style_axes(axes, "", "minutes since the command", "val_bpd, bits per dimension")
    colors = {OURS: BLACK, _OTHER: next(color for color in CYCLE if color != BLACK)}
    for search in searches:
        end, last = search.best[-1]
        times, scores = zip(*search.best, (max(search.minutes, end), last), strict=True)
        style, label = _STYLES[search.pair % len(_STYLES)], f"{search.method}, pair {search.pair + 1}"
        axes.step(times, scores, style, where="post", color=colors[search.method], lw=2, label=label)
    figure.legend(loc="outside lower left", ncols=3, frameon=False)
    save_figure(figure, path)


def told(searches: Sequence[Search]) -> str:
    """Return the section of the page."""
    lines = "".join(f"| {' | '.join(row)} |\n" for row in rows(searches))
    return f"""## For real

Pairs of searches, `hpo tune` itself on the default study's space with all of CIFAR-10 and trials of three epochs, side
by side for {searches[0].minutes:g} minutes on one core each, nothing confirmed. *as good*: minutes until the search had
a trial as good as the best that TPE with MedianPruner found in all its time, for that one itself and for ours.
`python -m benchmarks.search.live` makes it.

![The best val_bpd against time](results/search_live.png)

| pair | ours | TPE with MedianPruner | as good: itself | as good: ours |
|---:|---:|---:|---:|---:|
{lines}""".rstrip()


def rows(searches: Sequence[Search]) -> list[list[str]]:
    """A row for each pair: both answers, and how soon ours was as good as the other's last."""
    found = {(search.pair, search.method): search for search in searches}
    return [_row(found[pair, OURS], found[pair, _OTHER]) for pair in sorted({search.pair for search in searches})]


def _row(ours: Search, other: Search) -> list[str]:
    last = other.best[-1]
    reached = ours.reached(last[1])
    scores = [f"{search.best[-1][1]:.4f}, {len(search.ends)} finished" for search in (ours, other)]
    at = "never" if reached is None else f"{reached:.1f}"
    return [str(ours.pair + 1), *scores, f"{last[0]:.1f}", at]
