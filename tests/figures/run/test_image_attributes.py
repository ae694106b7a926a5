"""Attributes of images, and how much of them neighbours on a map share."""

from __future__ import annotations

import numpy as np
import pytest

from hpo.figures.run import image_attributes
from tests.figures.pictures import grey, images, scattered


def test_brightness_contrast_and_colour_of_simple_images() -> None:
    half = grey(0)
    half[:, :16] = 255
    values = image_attributes.attributes(half)
    assert values["brightness"][0] == pytest.approx(0.5)
    assert values["brightness of top against bottom"][0] == pytest.approx(1.0)
    assert values["brightness of left against right"][0] == pytest.approx(0.0)
    assert values["contrast"][0] == pytest.approx(0.5)
    red = np.zeros((1, 32, 32, 3), np.uint8)
    red[..., 0] = 255
    assert image_attributes.attributes(red)["colour (blue to orange)"][0] == pytest.approx(1.0)


def test_map_order_finds_that_a_map_is_ordered_by_brightness() -> None:
    levels = np.arange(0, 250, 2)
    pictures = np.concatenate([grey(int(level)) for level in levels])
    order = image_attributes.map_order(np.stack([-levels, levels % 7], axis=1).astype(float), pictures, levels // 2 % 2)
    name, correlation = order.correlations[0]
    assert name == "brightness"
    assert correlation == pytest.approx(-1.0)
    assert order.shared[0][0] == "brightness" and order.shared[0][1] > 0.95
    assert order.class_chance == pytest.approx(63 / 125)


def test_no_point_is_its_own_neighbour() -> None:
    order = image_attributes.map_order(scattered(2), images(2), np.array([0, 1]))
    assert order.class_accuracy == 0.0
