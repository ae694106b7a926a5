"""Attributes that order a map of images (brightness, colour, layout), and how much of them neighbours share.

Legend: N images; coordinates are (N, 2) float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from hpo.figures.arrays import Floats, Pixels

N_NEIGHBOURS = 15
# A smaller spread is due to rounding alone.
_LEAST_SPREAD = 1e-12
# Rec. 709: brightness of red, green and blue.
_LUMA = np.array([0.2126, 0.7152, 0.0722])


@dataclass(frozen=True)
class MapOrder:
    """Attributes that order a map, with their correlations.

    `correlations`: for each axis the attribute it follows most, and Pearson's r. `shared`: for each attribute the
    share of its variance that a point's nearest neighbours predict, the largest first. `class_accuracy`: share of
    points whose neighbours predict their class; `class_chance`: share of the most frequent class.
    """

    correlations: tuple[tuple[str, float], tuple[str, float]]
    shared: tuple[tuple[str, float], ...]
    class_accuracy: float
    class_chance: float


def map_order(coordinates: Floats, images: Pixels, labels: NDArray[np.int64]) -> MapOrder:
    """Measure which attributes of images (N, H, W, 3) and whether labels (N,) order their coordinates on a map."""
    values = attributes(images)
    n_neighbours = min(N_NEIGHBOURS, len(coordinates) - 1)
    # Without an argument, scikit-learn predicts each point from its neighbours and leaves out the point itself.
    regressor = KNeighborsRegressor(n_neighbours).fit(coordinates, np.stack(list(values.values()), axis=1))
    shared = [
        (name, _explained(values[name], predicted))
        for name, predicted in zip(values, regressor.predict(None).T, strict=True)
    ]
    first, second = (_strongest(axis, values) for axis in coordinates.T)
    return MapOrder(
        correlations=(first, second),
        shared=tuple(sorted(shared, key=lambda entry: -entry[1])),
        class_accuracy=float(KNeighborsClassifier(n_neighbours).fit(coordinates, labels).score(None, labels)),
        class_chance=float(np.bincount(labels).max() / len(labels)),
    )


def attributes(images: Pixels) -> dict[str, Floats]:
    """Compute attributes of images (N, H, W, 3), each (N,), in units of 1 = full scale."""
    unit = images.astype(np.float64) / 255
    luma = unit @ _LUMA
    red, green, blue = (unit[..., channel].mean(axis=(1, 2)) for channel in range(3))
    height, width = luma.shape[1:]
    return {
        "brightness": luma.mean(axis=(1, 2)),
        "colour (blue to orange)": red - blue,
        "colour (magenta to green)": green - (red + blue) / 2,
        "brightness of top against bottom": _mean(luma[:, : height // 2]) - _mean(luma[:, height // 2 :]),
        "brightness of left against right": _mean(luma[:, :, : width // 2]) - _mean(luma[:, :, width // 2 :]),
        "brightness of centre against border": _middle_against_border(luma),
        "contrast": luma.std(axis=(1, 2)),
    }


def _mean(luma: Floats) -> Floats:
    means: Floats = luma.mean(axis=(1, 2))
    return means


def _middle_against_border(luma: Floats) -> Floats:
    height, width = luma.shape[1:]
    middle = np.zeros((height, width), bool)
    middle[height // 4 : height - height // 4, width // 4 : width - width // 4] = True
    difference: Floats = luma[:, middle].mean(axis=1) - luma[:, ~middle].mean(axis=1)
    return difference


def _strongest(axis: Floats, values: dict[str, Floats]) -> tuple[str, float]:
    """Return the attribute of strongest correlation with a map's axis, and that correlation."""
    correlations = {name: _correlation(axis, attribute) for name, attribute in values.items()}
    return max(correlations.items(), key=lambda entry: abs(entry[1]))


def _correlation(first: Floats, second: Floats) -> float:
    """Pearson's r; 0 if one of the two does not vary."""
    spread = float(first.std() * second.std())
    return float(((first - first.mean()) * (second - second.mean())).mean()) / spread if spread > _LEAST_SPREAD else 0.0


def _explained(values: Floats, predicted: Floats) -> float:
    """R², clipped at 0; 0 if the values do not vary."""
    return max(0.0, float(r2_score(values, predicted))) if float(values.var()) > _LEAST_SPREAD else 0.0
