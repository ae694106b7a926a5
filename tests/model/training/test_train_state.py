"""State of a training: its position and its noise."""

from dataclasses import replace

import pytest
import torch

from model.device import Runtime, seeded_generator
from model.training.train_state import TrainState
from tests.model.conftest import SMALL


@pytest.mark.parametrize(("step", "reports"), [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2)])
def test_reports_are_done_once_their_images_were_seen(step: int, reports: int, runtime: Runtime) -> None:
    # 100 images in batches of 32: half of them after 2 updates, all after 4.
    state = TrainState(replace(SMALL, epochs=1, report_every=0.5), runtime)
    state.step = step
    assert state.reports_done(n_train=100) == reports


@pytest.mark.parametrize("seed", [0, 5])
def test_noise_follows_the_seed(seed: int, runtime: Runtime) -> None:
    """A run that an earlier version saved or reported then repeats: its noise is stream 1 of its seed."""
    noise = TrainState(replace(SMALL, seed=seed), runtime).noise
    assert torch.equal(torch.randn(3, generator=noise), torch.randn(3, generator=seeded_generator(seed, 1)))
