"""Sheets and rows of tiles: positions, texts and unchanged pixels."""

from __future__ import annotations

import numpy as np
import pytest

from hpo.figures import tile_rows, tile_sheet
from tests.figures.pictures import grey, images


def test_tile_rows_are_equal_if_pixels_and_texts_are() -> None:
    assert tile_sheet.TileRow(images(3), "a") == tile_sheet.TileRow(images(3), "a")
    assert tile_sheet.TileRow(images(3), "a") != tile_sheet.TileRow(images(3), "b")
    assert tile_sheet.TileRow(images(3), "a") != tile_sheet.TileRow(images(3, seed=1), "a")


def test_wrapped_lines_keep_every_word() -> None:
    text = "Look for steps that are pictures of their own, not two laid over each other."
    lines = tile_sheet.wrapped_lines(text, 300)
    assert len(lines) > 2
    assert " ".join(lines) == text
    assert tile_sheet.wrapped_lines("", 300) == []


def test_joined_tiles_enlarge_every_pixel_to_a_square_and_keep_its_value() -> None:
    images_of_a_pixel = np.array([[[[1, 2, 3]]], [[[250, 251, 252]]]], np.uint8)
    expected = np.array([[[1, 2, 3]] * 2 + [[255] * 3] + [[250, 251, 252]] * 2] * 2, np.uint8)
    assert np.array_equal(tile_sheet.joined_tiles(images_of_a_pixel, scale=2, gap=1), expected)


@pytest.mark.parametrize(("side", "width"), [(28, 4 * 28), (32, 4 * 32), (64, 4 * 32)])
def test_tiles_of_large_images_are_as_wide_as_others(side: int, width: int) -> None:
    large = np.zeros((1, side, side, 3), np.uint8)
    assert tile_sheet.tile_scale(large, 4) * side == width


def test_breaks_separate_tiles_and_keep_columns_aligned() -> None:
    whole = tile_sheet.TileRow(images(4), breaks=(1,), first_column=0)
    inner = tile_sheet.TileRow(images(3, seed=1), breaks=(1,), first_column=1)
    drawn = tile_sheet.draw_sheet([whole, inner], scale=2)
    left, top, tile, gap = 28, 28, 64, 4
    second = left + tile + gap + 3 * gap
    assert np.array_equal(drawn[top : top + tile, left : left + tile], tile_sheet.joined_tiles(images(4)[:1], 2, gap))
    assert np.array_equal(
        drawn[top : top + tile, second : second + 3 * tile + 2 * gap], tile_sheet.joined_tiles(images(4)[1:], 2, gap)
    )
    below = top + tile + gap
    expected = tile_sheet.joined_tiles(images(3, seed=1), 2, gap)
    assert np.array_equal(drawn[below : below + tile, second : second + expected.shape[1]], expected)
    assert (drawn[below : below + tile, :second] == 255).all()


def test_a_heading_wider_than_its_row_is_not_clipped() -> None:
    row = tile_sheet.TileRow(
        images(1), headings=((0, "A heading much wider than the only image that stands below it"),)
    )
    drawn = tile_sheet.draw_sheet([row], scale=2)
    assert drawn.shape[1] > 600
    assert (drawn[:, -28:] == 255).all()


def test_every_reconstruction_is_below_its_original() -> None:
    originals, reconstructed = images(11), images(11, seed=1)
    rows = tile_rows.paired_rows(originals, reconstructed, columns=8)
    assert [row.label for row in rows] == ["original", "reconstruction"] * 2
    assert [row.starts_group for row in rows] == [True, False, True, False]
    assert np.array_equal(np.concatenate([row.images for row in rows[::2]]), originals)
    assert np.array_equal(np.concatenate([row.images for row in rows[1::2]]), reconstructed)


def test_squared_errors_are_those_of_pixels_in_the_unit_interval() -> None:
    assert tile_rows.mse_per_image(grey(0, 2), np.concatenate([grey(0), grey(51)])) == [0.0, pytest.approx(0.04)]


def test_images_that_are_not_uint8_are_refused() -> None:
    with pytest.raises(ValueError, match=r"uint8.*but got float64 \(2, 32, 32, 3\)"):
        tile_rows.plain_rows(np.zeros((2, 32, 32, 3)), columns=8)  # type: ignore[arg-type]


def test_unequal_numbers_of_originals_and_reconstructions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"like the originals, but got uint8 \(2,"):
        tile_rows.paired_rows(images(3), images(2), columns=8)
