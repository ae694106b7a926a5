"""Figure of a latent map: its points, thumbnails, title and drawing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hpo.figures.run import image_attributes, latent_map, latent_map_data
from tests.figures.pictures import grey, images, read_picture, scattered


def test_map_data_of_three_points() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    pictures = np.concatenate([grey(0), grey(100), grey(200)])
    data = latent_map_data.latent_map_data(
        points, pictures, np.array([0, 0, 1]), ("cat", "a name too long to show"), (0.5, 0.0035)
    )
    assert data.axis_labels == ("PC 1 · 50% of the variance", "PC 2 · 0.4% of the variance")
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


def test_title_states_whether_neighbours_share_a_class() -> None:
    labels = np.arange(200) % 2
    apart = scattered(200) + 100 * labels[:, None]
    assert image_attributes.map_order(apart, images(200), labels).class_accuracy == 1.0
    assert image_attributes.map_order(scattered(200), images(200), labels).class_accuracy < 0.65
    titles = [
        latent_map_data.latent_map_data(points, images(200), labels, ("a", "b"), None).title
        for points in (apart, scattered(200))
    ]
    assert [title.endswith("rather than class") for title in titles] == [False, True]


def test_principal_axes_rise_with_the_attribute_they_follow() -> None:
    levels = np.arange(0, 250, 5)
    pictures = np.concatenate([grey(int(level)) for level in levels])
    falling = np.stack([-levels, np.zeros(50)], axis=1).astype(float)
    data = latent_map_data.latent_map_data(falling, pictures, np.zeros(50, np.int64), ("only",), (0.9, 0.0))
    assert data.title == "PCA of 50 posterior means: the first axis follows brightness (r = 1.00)"
    assert data.classes[0].points[-1][0] == 245.0
    assert "classes" not in data.caption


def test_each_thumbnail_has_the_cell_of_its_point_to_itself() -> None:
    points = scattered(600)
    data = latent_map_data.latent_map_data(points, images(600), np.zeros(600, np.int64), ("only",), None)
    cells = [(thumbnail.column, thumbnail.row) for thumbnail in data.thumbnails]
    assert len(set(cells)) == len(cells) > 50
    left, right, bottom, top = data.limits
    for thumbnail in data.thumbnails:
        x, y = points[thumbnail.index]
        assert thumbnail.column == int((x - left) / (right - left) * latent_map_data.N_CELLS)
        assert thumbnail.row == int((top - y) / (top - bottom) * latent_map_data.N_CELLS)


def test_every_class_has_its_own_colour_and_marker() -> None:
    assert len(set(latent_map_data.LOOKS)) == len(latent_map_data.LOOKS) == 10


@pytest.mark.parametrize("n_classes", [1, 2, 10, 11, 60])
def test_map_shows_ten_classes_and_the_rest_as_one(n_classes: int) -> None:
    labels = np.arange(120) % n_classes
    names = [f"class {n}" for n in range(n_classes)]
    data = latent_map_data.latent_map_data(scattered(120), images(120), labels, names, None)
    assert len(data.classes) == min(n_classes, 11)
    assert sum(len(group.points) for group in data.classes) == 120
    assert (data.classes[-1].name == f"{n_classes - 10} others") == (n_classes > 11)


@pytest.mark.parametrize("n_classes", [1, 60])
def test_map_is_drawn_with_its_thumbnails_unchanged(n_classes: int, tmp_path: Path) -> None:
    names, pictures = [f"class {n}" for n in range(n_classes)], images(120)
    data = latent_map_data.latent_map_data(scattered(120), pictures, np.arange(120) % n_classes, names, None)
    latent_map.draw_latent_map(data, pictures, tmp_path / "map.png")
    expected = latent_map.mosaic(data, pictures)
    side = len(expected)
    # The margins above and right of it are 140 and 40 pixels.
    assert np.array_equal(read_picture(tmp_path / "map.png")[140 : 140 + side, -40 - side : -40], expected)


def test_a_long_caption_makes_the_picture_taller_and_is_not_clipped(tmp_path: Path) -> None:
    data = latent_map_data.latent_map_data(scattered(9), images(9), np.zeros(9, np.int64), ("only",), None)
    latent_map.draw_latent_map(data, images(9), tmp_path / "short.png")
    latent_map.draw_latent_map(replace(data, caption="what is seen here " * 60), images(9), tmp_path / "long.png")
    short, long = read_picture(tmp_path / "short.png"), read_picture(tmp_path / "long.png")
    assert len(long) > len(short) + 100
    assert (long[-20:] == 255).all()


def test_a_map_of_equal_points_renders(tmp_path: Path) -> None:
    data = latent_map_data.latent_map_data(np.zeros((3, 2)), grey(7, 3), np.zeros(3, np.int64), ("only",), (0.0, 0.0))
    latent_map.draw_latent_map(data, grey(7, 3), tmp_path / "map.png")
    assert len(data.thumbnails) == 1


def test_a_map_of_one_point_is_refused() -> None:
    with pytest.raises(ValueError, match=r"2 points or more, but got \(1, 1, 1\)"):
        latent_map_data.latent_map_data(np.zeros((1, 2)), grey(7), np.zeros(1, np.int64), ("only",), None)
