"""Points of interpolations, compared with values computed by hand."""

import math

import numpy as np
import pytest

from hpo.figures.run.interpolations import linear_interpolation, spherical_interpolation


def test_a_quarter_turn_on_the_unit_circle() -> None:
    half = math.sqrt(0.5)
    points = spherical_interpolation(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 3)
    assert points == pytest.approx(np.array([[1, 0], [half, half], [0, 1]]))


def test_spherical_steps_turn_evenly_and_their_norms_change_evenly() -> None:
    generator = np.random.default_rng(0)
    start, end = generator.normal(size=(2, 128)) * [[1.0], [3.0]]
    points = spherical_interpolation(start, end, 9)
    norms = np.linalg.norm(points, axis=1)
    assert norms == pytest.approx(np.linspace(np.linalg.norm(start), np.linalg.norm(end), 9))
    units = points / norms[:, None]
    angles = np.arccos((units[1:] * units[:-1]).sum(axis=1))
    assert angles == pytest.approx(np.full(8, angles[0]))
    assert angles.sum() == pytest.approx(np.arccos(units[0] @ units[-1]))
    assert points[[0, -1]] == pytest.approx(np.stack([start, end]))


def test_spherical_agrees_with_shoemake_where_norms_are_equal() -> None:
    start, end = np.array([2.0, 0.0, 0.0]), np.array([1.0, math.sqrt(3), 0.0])
    angle, t = math.pi / 3, np.linspace(0, 1, 5)[:, None]
    shoemake = (np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / math.sin(angle)
    assert spherical_interpolation(start, end, 5) == pytest.approx(shoemake)


def test_between_parallel_vectors_spherical_is_linear() -> None:
    start = np.array([1.0, 2.0, 2.0])
    for end in (start, 3 * start):
        assert spherical_interpolation(start, end, 5) == pytest.approx(linear_interpolation(start, end, 5))


def test_nearly_parallel_vectors_lose_nothing_to_rounding() -> None:
    points = spherical_interpolation(np.array([1.0, 0.0]), np.array([1.0, 1e-7]), 3)
    assert points[1] == pytest.approx([1.0, 5e-8], rel=1e-6, abs=1e-12)
    assert points[2] == pytest.approx([1.0, 1e-7], rel=1e-6, abs=1e-12)


def test_between_opposite_vectors_spherical_keeps_the_norm() -> None:
    start = np.array([3.0, 4.0, 0.0])
    points = spherical_interpolation(start, -start, 5)
    assert np.linalg.norm(points, axis=1) == pytest.approx(np.full(5, 5.0))
    assert points[2] @ start == pytest.approx(0.0, abs=1e-9)
    assert points[[0, -1]] == pytest.approx(np.stack([start, -start]))


def test_the_zero_vector_has_no_direction() -> None:
    with pytest.raises(ValueError, match="must not be zero, but got norms"):
        spherical_interpolation(np.zeros(2), np.ones(2), 3)


def test_linear_steps_are_even() -> None:
    points = linear_interpolation(np.array([0.0, 4.0]), np.array([1.0, 0.0]), 3)
    assert points.tolist() == [[0.0, 4.0], [0.5, 2.0], [1.0, 0.0]]
