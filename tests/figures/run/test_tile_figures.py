"""Sheets of one model: reconstructions, samples, interpolations and traversals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hpo.figures import tile_sheet
from hpo.figures.run import interpolations, reconstructions, samples, traversals
from tests.figures.pictures import contains, grey, images, read_picture


def test_reconstructions_have_every_group_with_its_errors() -> None:
    groups = [
        reconstructions.ReconstructionGroup("fixed", grey(0, 11), grey(51, 11)),
        reconstructions.ReconstructionGroup("best", grey(9, 2), grey(9, 2)),
    ]
    sheet = reconstructions.reconstructions_data(groups, 0.04)
    assert sheet.rows == (
        tile_sheet.TileRow(grey(0, 10), "original", starts_group=True, headings=((0, "fixed"),)),
        tile_sheet.TileRow(grey(51, 10), "reconstruction", below=("0.0400",) * 10),
        tile_sheet.TileRow(grey(0), "original", starts_group=True),
        tile_sheet.TileRow(grey(51), "reconstruction", below=("0.0400",)),
        tile_sheet.TileRow(grey(9, 2), "original", starts_group=True, headings=((0, "best"),)),
        tile_sheet.TileRow(grey(9, 2), "reconstruction", below=("0.0000",) * 2),
    )
    assert "0.0400 on average" in sheet.title


def test_reconstructions_are_drawn_unchanged(tmp_path: Path) -> None:
    originals, reconstructed = images(8), images(8, seed=1)
    reconstructions.draw_reconstructions(
        [reconstructions.ReconstructionGroup("Eight pairs", originals, reconstructed)], 0.01, tmp_path / "pair.png"
    )
    drawn = read_picture(tmp_path / "pair.png")
    for tiles in (originals, reconstructed):
        assert contains(drawn, tile_sheet.joined_tiles(tiles, scale=4, gap=8))


def test_samples_of_the_prior_are_left_of_those_of_the_mixture() -> None:
    prior, mixture = images(10), images(10, seed=1)
    sheet = samples.samples_data(prior, mixture, 10)
    assert sheet.rows == (
        tile_sheet.TileRow(
            np.concatenate([prior[:8], mixture[:8]]),
            headings=((0, "z from the prior N(0, I)"), (8, "z from 10 Gaussians fitted to the encodings")),
            breaks=(8,),
        ),
        tile_sheet.TileRow(np.concatenate([prior[8:], mixture[8:]]), breaks=(2,)),
    )


def test_samples_are_drawn_unchanged(tmp_path: Path) -> None:
    prior, mixture = images(16), images(16, seed=1)
    samples.draw_samples(prior, mixture, 10, tmp_path / "samples.png")
    drawn = read_picture(tmp_path / "samples.png")
    for side in (prior, mixture):
        assert all(contains(drawn, tile_sheet.joined_tiles(side[i : i + 8], 3, 6)) for i in range(0, 16, 8))


def test_unequal_numbers_of_samples_are_refused() -> None:
    with pytest.raises(ValueError, match=r"mixture must be uint8 \(3, 32, 32, 3\).*but got uint8 \(2,"):
        samples.samples_data(images(3), images(2), 10)


def test_interpolations_start_and_end_with_the_real_images() -> None:
    ends, steps, draw = images(2), images(3, seed=1), images(3, seed=2)
    sheet = interpolations.interpolations_data([interpolations.Interpolation("cat → dog", ends, steps)], [draw])
    (between_images, between_draws) = sheet.rows
    assert between_images.label == "cat → dog"
    assert between_images.above == ("original", "0", "1/2", "1", "original")
    assert np.array_equal(between_images.images, np.concatenate([ends[:1], steps, ends[1:]]))
    assert between_images.breaks == between_draws.breaks == (1, 4)
    assert (between_draws.first_column, between_draws.above, between_draws.starts_group) == (1, ("0", "1/2", "1"), True)
    assert np.array_equal(between_draws.images, draw)


def test_traversals_name_dimension_kl_and_offset_and_show_the_image_once() -> None:
    original = images(1)
    rows = [traversals.Traversal(17, 3.24, images(3, seed=1)), traversals.Traversal(4, 1.0, images(3, seed=2))]
    sheet = traversals.traversals_data(original, [-3.0, 0.0, 3.0], rows)
    assert [row.label for row in sheet.rows] == ["original", "z17 · KL 3.2 nats", "z4 · KL 1.0 nats"]
    assert [row.above for row in sheet.rows] == [(), ("−3", "0", "+3"), ()]
    assert sheet.rows[0] == tile_sheet.TileRow(original, "original", first_column=1)


def test_interpolations_and_traversals_are_drawn_unchanged(tmp_path: Path) -> None:
    real = [interpolations.Interpolation("cat → dog", images(2), images(3))]
    rows = [traversals.Traversal(17, 3.24, images(3))]
    interpolations.draw_interpolations(real, [images(3)], tmp_path / "interpolations.png")
    traversals.draw_traversals(images(1), [-3.0, 0.0, 3.0], rows, tmp_path / "traversals.png")
    assert contains(read_picture(tmp_path / "interpolations.png"), tile_sheet.joined_tiles(images(3), 4, 8))
    assert contains(read_picture(tmp_path / "traversals.png"), tile_sheet.joined_tiles(images(3), 4, 8))
