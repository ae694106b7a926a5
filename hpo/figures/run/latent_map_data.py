"""Data of a map of posterior means: points by class, images in a grid, and a caption with what was measured.

Legend: N points, images (N, H, W, 3) uint8, coordinates (N, 2), labels (N,).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo.figures.arrays import Floats, Pixels, check_images
from hpo.figures.class_labels import class_labels
from hpo.figures.run.image_attributes import N_NEIGHBOURS, MapOrder, map_order
from hpo.figures.style import BLACK, BLUE, GREEN, MUTED, ORANGE, PURPLE, SKY, VERMILLION

# Each class has its own pair: a colour that is used again has a very different marker.
LOOKS = (
    (BLUE, "o"),
    (VERMILLION, "s"),
    (GREEN, "^"),
    (ORANGE, "D"),
    (SKY, "v"),
    (PURPLE, "P"),
    (BLACK, "X"),
    (BLUE, ">"),
    (VERMILLION, "<"),
    (GREEN, "p"),
)
_OTHERS = (MUTED, "h")
N_CELLS = 16
# Accuracy beyond chance, 1 = always right, below which a map "hardly" and above which it fully separates the classes.
_HARDLY, _MOSTLY = 0.35, 0.7
# Smaller shares of variance are not mentioned.
_NOTABLE = 0.2
# With a weaker correlation, an axis does not "follow" an attribute.
_FOLLOWS = 0.5


@dataclass(frozen=True)
class ClassPoints:
    """Points (x, y) of one class, and their marker."""

    name: str
    colour: str
    marker: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Thumbnail:
    """Image `index` in the cell `column` (from the left), `row` (from the top)."""

    index: int
    column: int
    row: int


@dataclass(frozen=True)
class LatentMap:
    """Content of `draw_latent_map`; `limits` are left, right, bottom, top of both panels."""

    title: str
    caption: str
    axis_labels: tuple[str, str]
    has_ticks: bool
    classes: tuple[ClassPoints, ...]
    thumbnails: tuple[Thumbnail, ...]
    limits: tuple[float, float, float, float]


def latent_map_data(
    coordinates: Floats,
    images: Pixels,
    labels: NDArray[np.int64],
    class_names: Sequence[str],
    explained: tuple[float, float] | None,
) -> LatentMap:
    """Build the map of N >= 2 images. `explained`: shares of variance of two principal components; None: t-SNE."""
    check_images(images)
    if not len(coordinates) == len(images) == len(labels) >= 2:
        raise ValueError(f"a map needs 2 points or more, but got {len(coordinates), len(images), len(labels)}")
    order = map_order(coordinates, images, labels)
    if explained:
        # The sign of a principal component is arbitrary: here each axis rises with the attribute that it follows.
        coordinates = coordinates * [-1.0 if r < 0 else 1.0 for _, r in order.correlations]
    limits = _limits(coordinates)
    names = [f"PC {n} · {_percentage(share)} of the variance" for n, share in enumerate(explained or (), 1)]
    return LatentMap(
        title=_title(len(images), order, is_pca=explained is not None),
        caption=_caption(order, is_pca=explained is not None),
        axis_labels=(names[0], names[1]) if explained else ("t-SNE 1", "t-SNE 2"),
        has_ticks=explained is not None,
        classes=_classes(coordinates, labels, class_names),
        thumbnails=_thumbnails(coordinates, limits),
        limits=limits,
    )


def _limits(coordinates: Floats) -> tuple[float, float, float, float]:
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    margin = np.where(high > low, 0.02 * (high - low), 1.0)
    (left, bottom), (right, top) = (low - margin).tolist(), (high + margin).tolist()
    return left, right, bottom, top


def _classes(coordinates: Floats, labels: NDArray[np.int64], class_names: Sequence[str]) -> tuple[ClassPoints, ...]:
    """Return classes in their order; of more than can be distinguished, the most frequent ones, and the rest as one."""
    present = sorted(Counter(labels.tolist()).items())
    shown = [label for label, _ in present]
    if len(shown) > len(LOOKS):
        most_frequent = sorted(present, key=lambda entry: -entry[1])[: len(LOOKS)]
        shown = sorted(label for label, _ in most_frequent)
    names = class_labels(class_names)
    groups = [
        ClassPoints(names[label], *look, _points(coordinates[labels == label]))
        for label, look in zip(shown, LOOKS, strict=False)
    ]
    if n_others := len(present) - len(shown):
        rest = _points(coordinates[~np.isin(labels, shown)])
        groups.append(ClassPoints(f"{n_others} other{'s' if n_others > 1 else ''}", *_OTHERS, rest))
    return tuple(groups)


def _points(coordinates: Floats) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in coordinates)


def _thumbnails(coordinates: Floats, limits: tuple[float, float, float, float]) -> tuple[Thumbnail, ...]:
    """Choose the image nearest to the centre of each cell of a grid, so that none covers another."""
    left, right, bottom, top = limits
    grid_positions = (coordinates - (left, top)) / ((right - left), (bottom - top)) * N_CELLS
    cells = np.clip(grid_positions.astype(int), 0, N_CELLS - 1)
    nearest_first = np.square(grid_positions - cells - 0.5).sum(axis=1).argsort(kind="stable")
    chosen: dict[tuple[int, int], int] = {}
    for index in nearest_first:
        chosen.setdefault((int(cells[index, 0]), int(cells[index, 1])), int(index))
    return tuple(Thumbnail(index, column, row) for (column, row), index in sorted(chosen.items()))


def _title(n_points: int, order: MapOrder, *, is_pca: bool) -> str:
    method = f"{'PCA' if is_pca else 't-SNE'} of {n_points:,} posterior means"
    attribute, correlation = order.correlations[0]
    if is_pca and abs(correlation) >= _FOLLOWS:
        return f"{method}: the first axis follows {attribute} (r = {abs(correlation):.2f})"
    contrast = " rather than class" if order.class_chance < 1 and _skill(order) < _HARDLY else ""
    return f"{method}: neighbours share {order.shared[0][0]}{contrast}"


def _caption(order: MapOrder, *, is_pca: bool) -> str:
    """Describe the order of the map in the numbers measured on it."""
    sentences = [_about_classes(order)] if order.class_chance < 1 else []
    notable = [(name, share) for name, share in order.shared[:3] if share >= _NOTABLE]
    shared = ", ".join(f"{share:.0%} in {name}" for name, share in notable)
    if shared:
        sentences.append(f"Neighbours look alike: of the variance between images they predict {shared}.")
    if is_pca:
        axes = (f"PC {n} with {name} (r = {abs(r):.2f})" for n, (name, r) in enumerate(order.correlations, 1))
        sentences.append(f"Strongest correlations: {', '.join(axes)}.")
    else:
        sentences.append(
            "t-SNE keeps neighbours together; directions, sizes and distances between groups mean nothing."
        )
    return " ".join(sentences)


def _about_classes(order: MapOrder) -> str:
    skill = _skill(order)
    verdict = "hardly separates" if skill < _HARDLY else "partly separates" if skill < _MOSTLY else "separates"
    return (
        f"Trained without labels, the VAE {verdict} the classes: the {N_NEIGHBOURS} nearest neighbours of a point on "
        f"this map tell its class in {order.class_accuracy:.0%} of cases, where always naming the commonest class "
        f"would be right in {order.class_chance:.0%}."
    )


def _skill(order: MapOrder) -> float:
    """Accuracy beyond chance: 0 = none, 1 = always right."""
    return (order.class_accuracy - order.class_chance) / max(1 - order.class_chance, 1e-9)


def _percentage(share: float) -> str:
    """Format a share: `12%`, and `0.4%` for one of the many directions of a long code."""
    return f"{share:.0%}" if share >= 0.1 else f"{100 * share:.1g}%"
