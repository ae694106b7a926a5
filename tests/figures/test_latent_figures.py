"""The pictures of images and of the latent space: what they show, in data; and that they draw it unchanged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hpo.figures import tile_rows, tile_sheet
from hpo.figures.run import (
    image_attributes,
    interpolations,
    kl_per_dimension,
    latent_map,
    latent_map_data,
    reconstructions,
    samples,
    traversals,
)
from hpo.figures.style import Pixels
from tests.figures.test_run_pictures import contains, images


def picture(path: Path) -> Pixels:
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB"))


def grey(level: int, n: int = 1) -> Pixels:
    return np.full((n, 32, 32, 3), level, np.uint8)


def scattered(n: int, seed: int = 0) -> image_attributes.Floats:
    return np.random.default_rng(seed).normal(size=(n, 2))


def test_tile_rows_are_equal_by_pixels_and_words() -> None:
    assert tile_sheet.TileRow(images(3), "a") == tile_sheet.TileRow(images(3), "a")
    assert tile_sheet.TileRow(images(3), "a") != tile_sheet.TileRow(images(3), "b")
    assert tile_sheet.TileRow(images(3), "a") != tile_sheet.TileRow(images(3, seed=1), "a")


def test_text_wraps_without_losing_a_word_and_fits() -> None:
    text = "Look for steps that are pictures of their own, not two laid over each other."
    lines = tile_sheet.wrapped(text, 300)
    assert len(lines) > 2
    assert " ".join(lines) == text
    assert tile_sheet.wrapped("", 300) == []


def test_breaks_set_tiles_apart_and_keep_columns_aligned() -> None:
    whole = tile_sheet.TileRow(images(4), breaks=(1,), first_column=0)
    inner = tile_sheet.TileRow(images(3, seed=1), breaks=(1,), first_column=1)
    drawn = tile_sheet.sheet([whole, inner], scale=2)
    left, top, tile, gap = 28, 28, 64, 4
    second = left + tile + gap + 3 * gap
    assert np.array_equal(drawn[top : top + tile, left : left + tile], tile_sheet.strip(images(4)[:1], 2, gap))
    assert np.array_equal(
        drawn[top : top + tile, second : second + 3 * tile + 2 * gap], tile_sheet.strip(images(4)[1:], 2, gap)
    )
    below = top + tile + gap
    expected = tile_sheet.strip(images(3, seed=1), 2, gap)
    assert np.array_equal(drawn[below : below + tile, second : second + expected.shape[1]], expected)
    assert (drawn[below : below + tile, :second] == 255).all()


def test_a_heading_wider_than_its_row_is_not_clipped() -> None:
    row = tile_sheet.TileRow(
        images(1), headings=((0, "A heading much wider than the only image that stands below it"),)
    )
    drawn = tile_sheet.sheet([row], scale=2)
    assert drawn.shape[1] > 600
    assert (drawn[:, -28:] == 255).all()


def test_squared_errors_are_those_of_pixels_in_the_unit_interval() -> None:
    assert tile_rows.mse_per_image(grey(0, 2), np.concatenate([grey(0), grey(51)])) == [0.0, pytest.approx(0.04)]


def test_reconstruction_sheet_has_every_group_with_its_errors() -> None:
    groups = [
        reconstructions.ReconstructionGroup("fixed", grey(0, 11), grey(51, 11)),
        reconstructions.ReconstructionGroup("best", grey(9, 2), grey(9, 2)),
    ]
    shown = reconstructions.reconstruction_sheet(groups, 0.04)
    assert shown.rows == (
        tile_sheet.TileRow(grey(0, 10), "original", starts_group=True, headings=((0, "fixed"),)),
        tile_sheet.TileRow(grey(51, 10), "reconstruction", below=("0.0400",) * 10),
        tile_sheet.TileRow(grey(0), "original", starts_group=True),
        tile_sheet.TileRow(grey(51), "reconstruction", below=("0.0400",)),
        tile_sheet.TileRow(grey(9, 2), "original", starts_group=True, headings=((0, "best"),)),
        tile_sheet.TileRow(grey(9, 2), "reconstruction", below=("0.0000",) * 2),
    )
    assert "0.0400 on average" in shown.title


def test_sample_sheet_puts_prior_left_and_mixture_right() -> None:
    prior, mixture = images(10), images(10, seed=1)
    shown = samples.sample_sheet(prior, mixture, 10)
    assert shown.rows == (
        tile_sheet.TileRow(
            np.concatenate([prior[:8], mixture[:8]]),
            headings=((0, "z from the prior N(0, I)"), (8, "z from 10 Gaussians fitted to the encodings")),
            breaks=(8,),
        ),
        tile_sheet.TileRow(np.concatenate([prior[8:], mixture[8:]]), breaks=(2,)),
    )


def test_samples_are_drawn_unchanged(tmp_path: Path) -> None:
    prior, mixture = images(64), images(64, seed=1)
    samples.draw_samples(prior, mixture, 10, tmp_path / "samples.png")
    drawn = picture(tmp_path / "samples.png")
    for side in (prior, mixture):
        assert all(contains(drawn, tile_sheet.strip(side[i : i + 8], 3, 6)) for i in range(0, 64, 8))


def test_interpolations_begin_and_end_with_the_real_images() -> None:
    ends, steps, draw = images(2), images(3, seed=1), images(3, seed=2)
    shown = interpolations.interpolation_sheet([interpolations.Interpolation("cat → dog", ends, steps)], [draw])
    (way, between) = shown.rows
    assert way.label == "cat → dog"
    assert way.above == ("original", "0", "1/2", "1", "original")
    assert np.array_equal(way.images, np.concatenate([ends[:1], steps, ends[1:]]))
    assert way.breaks == between.breaks == (1, 4)
    assert (between.first_column, between.above, between.starts_group) == (1, ("0", "1/2", "1"), True)
    assert np.array_equal(between.images, draw)


def test_traversals_name_dimension_kl_and_offset_and_show_the_image_once() -> None:
    original, rows = (
        images(1),
        [traversals.Traversal(17, 3.24, images(3, seed=1)), traversals.Traversal(4, 1.0, images(3, seed=2))],
    )
    shown = traversals.traversal_sheet(original, [-3.0, 0.0, 3.0], rows)
    assert [row.label for row in shown.rows] == ["original", "z17 · KL 3.2 nats", "z4 · KL 1.0 nats"]
    assert [row.above for row in shown.rows] == [(), ("−3", "0", "+3"), ()]
    assert shown.rows[0] == tile_sheet.TileRow(original, "original", first_column=1)


def test_sheets_render(tmp_path: Path) -> None:
    way, rows = (
        interpolations.Interpolation("cat → dog", images(2), images(3)),
        [traversals.Traversal(17, 3.24, images(3))],
    )
    interpolations.draw_interpolations([way], [images(3)], tmp_path / "interpolations.png")
    traversals.draw_traversals(images(1), [-3.0, 0.0, 3.0], rows, tmp_path / "traversals.png")
    assert contains(picture(tmp_path / "interpolations.png"), tile_sheet.strip(images(3), 4, 8))
    assert contains(picture(tmp_path / "traversals.png"), tile_sheet.strip(images(3), 4, 8))


def test_unequal_numbers_of_samples_are_refused() -> None:
    with pytest.raises(ValueError, match=r"mixture must be uint8 \(3, 32, 32, 3\).*but got uint8 \(2,"):
        samples.sample_sheet(images(3), images(2), 10)


def test_no_point_is_its_own_neighbour() -> None:
    order = image_attributes.order_of(scattered(2), images(2), np.array([0, 1]))
    assert order.class_accuracy == 0.0


def test_brightness_and_balances_are_those_of_the_picture() -> None:
    half = grey(0)
    half[:, :16] = 255
    found = image_attributes.attributes(half)
    assert found["brightness"][0] == pytest.approx(0.5)
    assert found["brightness of top against bottom"][0] == pytest.approx(1.0)
    assert found["brightness of left against right"][0] == pytest.approx(0.0)
    assert found["contrast"][0] == pytest.approx(0.5)
    red = np.zeros((1, 32, 32, 3), np.uint8)
    red[..., 0] = 255
    assert image_attributes.attributes(red)["colour (blue to orange)"][0] == pytest.approx(1.0)


def test_a_map_laid_out_by_brightness_is_found_to_be_so() -> None:
    levels = np.arange(0, 250, 2)
    shown = np.concatenate([grey(int(level)) for level in levels])
    order = image_attributes.order_of(np.stack([-levels, levels % 7], axis=1).astype(float), shown, levels // 2 % 2)
    name, correlation = order.correlations[0]
    assert name == "brightness"
    assert correlation == pytest.approx(-1.0)
    assert order.shared[0][0] == "brightness" and order.shared[0][1] > 0.95
    assert order.class_chance == pytest.approx(63 / 125)


def test_classes_apart_are_told_and_classes_mixed_are_not() -> None:
    labels = np.arange(200) % 2
    apart = scattered(200) + 100 * labels[:, None]
    assert image_attributes.order_of(apart, images(200), labels).class_accuracy == 1.0
    assert image_attributes.order_of(scattered(200), images(200), labels).class_accuracy < 0.65
    titles = [
        latent_map_data.latent_map_data(at, images(200), labels, ("a", "b"), None).title
        for at in (apart, scattered(200))
    ]
    assert [title.endswith("rather than class") for title in titles] == [False, True]


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


def test_kl_is_sorted_and_units_are_active_above_the_threshold() -> None:
    data = kl_per_dimension.kl_per_dimension_data(np.array([0.001, 3.0, 1.0]), np.array([0.01, 0.9, 0.5]))
    assert data == kl_per_dimension.KlPerDimension(
        (1, 2, 0), (3.0, 1.0, 0.001), (True, True, False), 4.001, half_rank=1
    )


@pytest.mark.parametrize("kl", [[0.0], [0.0, 0.0], [3.0, 1.0, 0.001], [1.0] * 512])
def test_kl_renders(kl: list[float], tmp_path: Path) -> None:
    data = kl_per_dimension.kl_per_dimension_data(np.array(kl), np.array(kl))
    kl_per_dimension.draw_kl_per_dimension(data, tmp_path / "kl.png")
    assert picture(tmp_path / "kl.png").std() > 5
