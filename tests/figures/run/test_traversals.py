"""Codes of a traversal."""

import numpy as np

from hpo.figures.run.traversals import traverse


def test_traversal_moves_one_dimension_a_row() -> None:
    points = traverse(np.array([1.0, 2.0, 3.0]), np.array([2, 0]), np.array([-3.0, 0.0, 3.0]))
    assert points.tolist() == [
        [[1.0, 2.0, 0.0], [1.0, 2.0, 3.0], [1.0, 2.0, 6.0]],
        [[-2.0, 2.0, 3.0], [1.0, 2.0, 3.0], [4.0, 2.0, 3.0]],
    ]
