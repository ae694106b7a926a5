"""Figure of the KL of each latent dimension.

Legend: N points, images (N, H, W, 3) uint8.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from matplotlib.ticker import MaxNLocator

from hpo.figures.arrays import Floats
from hpo.figures.style import BLUE, INK, ORANGE, VERMILLION, in_own_style, new_figure, save_figure, style_axes
from model.scoring.definitions import ACTIVE_VARIANCE


@dataclass(frozen=True)
class KlPerDimension:
    """Dimensions by decreasing KL in nats, with their activity, and their sum, the rate.

    `half_rank`: number of first dimensions that carry half of it.
    """

    dimensions: tuple[int, ...]
    nats: tuple[float, ...]
    active: tuple[bool, ...]
    rate_nats: float
    half_rank: int


def kl_per_dimension_data(nats: Floats, variances: Floats) -> KlPerDimension:
    """Sort dimensions by KL (Z,); `variances` (Z,) of the posterior means over images tell which are active."""
    order = sorted(range(len(nats)), key=lambda dimension: -nats[dimension])
    ordered = tuple(float(nats[dimension]) for dimension in order)
    return KlPerDimension(
        dimensions=tuple(order),
        nats=ordered,
        active=tuple(bool(variances[dimension] > ACTIVE_VARIANCE) for dimension in order),
        rate_nats=sum(ordered),
        half_rank=sum(total < sum(ordered) / 2 for total in accumulate(ordered)) + 1,
    )


@in_own_style
def draw_kl_per_dimension(data: KlPerDimension, path: Path) -> None:
    """Draw the KL of each dimension as a bar, the largest first; inactive ones in another colour and crossed."""
    n = len(data.nats)
    title = f"{sum(data.active)} of {n} latent dimensions are active; the rate is {data.rate_nats:.1f} nats per image"
    figure = new_figure(title, width_in=13, height_in=6.4)
    axes = figure.subplots()
    rule = f"its posterior mean varies by more than {ACTIVE_VARIANCE:g} over the images (Burda et al. 2016)"
    active, inactive = (
        [rank for rank, is_active in enumerate(data.active, 1) if is_active == kind] for kind in (True, False)
    )
    axes.bar(active, [data.nats[rank - 1] for rank in active], width=0.85, color=BLUE, label=f"active: {rule}")
    if inactive:
        heights = [data.nats[rank - 1] for rank in inactive]
        axes.bar(inactive, heights, width=0.85, color=ORANGE)
        # A bar of no height cannot be seen: a cross can.
        axes.plot(inactive, heights, "x", color=VERMILLION, ms=6, mew=1.8, clip_on=False, label="inactive", zorder=4)
    axes.axvline(data.half_rank + 0.5, color=INK, ls=":", lw=1.8)
    subject = "dimension carries" if data.half_rank == 1 else f"{data.half_rank} dimensions carry"
    panel_title = f"The first {subject} half of the rate (left of the dotted line)"
    style_axes(axes, panel_title, "latent dimensions, by falling KL", "KL to the prior (nats per image)")
    axes.set_xlim(0, n + 1)
    # Labels below the crosses on the axis.
    axes.tick_params(axis="x", pad=8)
    # Room for the legend above the bars, also if all bars have one height.
    axes.set_ylim(0, 1.2 * max(*data.nats, 1e-3))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.legend(loc="upper right", fontsize=12, edgecolor="none", labelcolor=INK)
    save_figure(figure, path)
