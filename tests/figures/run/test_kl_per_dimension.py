"""Figure of the KL of each latent dimension."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hpo.figures.run import kl_per_dimension
from tests.figures.pictures import read_picture


def test_kl_is_sorted_and_units_are_active_above_the_threshold() -> None:
    data = kl_per_dimension.kl_per_dimension_data(np.array([0.001, 3.0, 1.0]), np.array([0.01, 0.9, 0.5]))
    assert data == kl_per_dimension.KlPerDimension(
        (1, 2, 0), (3.0, 1.0, 0.001), (True, True, False), 4.001, half_rank=1
    )


@pytest.mark.parametrize("kl", [[0.0], [0.0, 0.0], [3.0, 1.0, 0.001], [1.0] * 512])
def test_kl_figure_renders_for(kl: list[float], tmp_path: Path) -> None:
    data = kl_per_dimension.kl_per_dimension_data(np.array(kl), np.array(kl))
    kl_per_dimension.draw_kl_per_dimension(data, tmp_path / "kl.png")
    assert read_picture(tmp_path / "kl.png").std() > 5
