"""The latent map: its points, thumbnails, title and drawing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hpo.figures.run import (
    image_attributes,
    latent_map,
    latent_map_data,
)
from tests.figures.pictures import grey, images, picture, scattered


def test_map_data_of_three_points_is() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    shown = np.concatenate([grey(0), grey(100), grey(200)])
    data = latent_map_data.latent_map_data(
        points, shown, np.array([0, 0, 1]), ("cat", "a name too long to show"), (0.5, 0.125)
    )
    assert data.axis_labels == ("PC 1 · 50% of the variance", "PC 2 · 12% of the variance")
    assert data.has_ticks
    assert data.limits == (-0.02, 1.02, -0.02, 1.02)
    assert data.classes == (
        latent_map_data.ClassPoints("cat", *latent_map_data.LOOKS[0], ((0.0, 0.0), (1.0, 0.0))),
        latent_map_data.ClassPoints("a name too l…", *latent_map_data.LOOKS[1], ((1.0, 1.0),)),
    )
    last = latent_map_data.N_CELLS - 1
    assert data.thumbnails == (
        latent_map_data.Thumbnail(0, 0, last),
        latent_map_data.Thumbnail(2, last, 0),
        latent_map_data.Thumbnail(1, last, last),
    )


def test_classes_apart_are_told_and_classes_mixed_are_not() -> None:
    labels = np.arange(200) % 2
    apart = scattered(200) + 100 * labels[:, None]
    assert image_attributes.map_order(apart, images(200), labels).class_accuracy == 1.0
    assert image_attributes.map_order(scattered(200), images(200), labels).class_accuracy < 0.65
    titles = [
        latent_map_data.latent_map_data(at, images(200), labels, ("a", "b"), None).title
        for at in (apart, scattered(200))
    ]
    assert [title.endswith("rather than class") for title in titles] == [False, True]


def test_principal_axes_rise_with_what_they_follow() -> None:
    levels = np.arange(0, 250, 5)
    shown = np.concatenate([grey(int(level)) for level in levels])
    falling = np.stack([-levels, np.zeros(50)], axis=1).astype(float)
    data = latent_map_data.latent_map_data(falling, shown, np.zeros(50, np.int64), ("one",), (0.9, 0.0))
    assert data.title == "PCA of 50 posterior means: the first axis follows brightness (r = 1.00)"
    assert data.classes[0].points[-1][0] == 245.0
    assert "classes" not in data.caption


def test_no_two_thumbnails_share_a_cell_and_all_lie_where_their_point_is() -> None:
    points = scattered(2000)
    data = latent_map_data.latent_map_data(points, images(2000), np.zeros(2000, np.int64), ("one",), None)
    cells = [(one.column, one.row) for one in data.thumbnails]
    assert len(set(cells)) == len(cells) > 50
    left, right, bottom, top = data.limits
    for one in data.thumbnails:
        x, y = points[one.index]
        assert one.column == int((x - left) / (right - left) * latent_map_data.N_CELLS)
        assert one.row == int((top - y) / (top - bottom) * latent_map_data.N_CELLS)


def test_every_class_has_a_look_of_its_own() -> None:
    assert len(set(latent_map_data.LOOKS)) == len(latent_map_data.LOOKS) == 10


@pytest.mark.parametrize("n_classes", [1, 2, 10, 11, 60])
def test_maps_render_for_classes(n_classes: int, tmp_path: Path) -> None:
    labels = np.arange(120) % n_classes
    names = [f"class {n}" for n in range(n_classes)]
    shown = images(120)
    data = latent_map_data.latent_map_data(scattered(120), shown, labels, names, None)
    assert len(data.classes) == min(n_classes, 11)
    assert sum(len(one.points) for one in data.classes) == 120
    assert (data.classes[-1].name == f"{n_classes - 10} others") == (n_classes > 11)
    latent_map.draw_latent_map(data, shown, tmp_path / "map.png")
    expected = latent_map.mosaic(data, shown)
    side = len(expected)
    # Above and right of it lie margins of 140 and 40 pixels.
    assert np.array_equal(picture(tmp_path / "map.png")[140 : 140 + side, -40 - side : -40], expected)


def test_a_long_caption_makes_the_picture_taller_and_is_not_clipped(tmp_path: Path) -> None:
    data = latent_map_data.latent_map_data(scattered(9), images(9), np.zeros(9, np.int64), ("one",), None)
    latent_map.draw_latent_map(data, images(9), tmp_path / "short.png")
    latent_map.draw_latent_map(replace(data, caption="what is seen here " * 60), images(9), tmp_path / "long.png")
    short, long = picture(tmp_path / "short.png"), picture(tmp_path / "long.png")
    assert len(long) > len(short) + 100
    assert (long[-20:] == 255).all()


def test_points_that_coincide_render(tmp_path: Path) -> None:
    data = latent_map_data.latent_map_data(np.zeros((3, 2)), grey(7, 3), np.zeros(3, np.int64), ("one",), (0.0, 0.0))
    latent_map.draw_latent_map(data, grey(7, 3), tmp_path / "map.png")
    assert len(data.thumbnails) == 1


def test_a_map_of_one_point_is_refused() -> None:
    with pytest.raises(ValueError, match=r"2 points or more, but got \(1, 1, 1\)"):
        latent_map_data.latent_map_data(np.zeros((1, 2)), grey(7), np.zeros(1, np.int64), ("one",), None)
