"""A study with every kind of trial that a tracker distinguishes."""

import io

import numpy as np
import pytest
from PIL import Image

from hpo.storage.open_study import OpenStudy
from tests.tools import synthetic

# Every metric is another number, so that none can be taken for another.
METRICS = """epoch,images_seen,train_bpd,val_bpd,val_mse,skipped_updates,elapsed_s,learning_rate
0.5,22500,7.6,7.5,0.02,0,10.0,0.001
1.0,45000,7.2,7.25,0.018,2,20.0,
"""


def animation() -> bytes:
    """Return a GIF of two frames."""
    frames = [Image.fromarray(np.full((8, 8, 3), value, np.uint8)) for value in (0, 255)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> OpenStudy:
    """A finished trial with its table and pictures, a pruned one without, one that failed, one under way."""
    opened = synthetic.create(tmp_path_factory.mktemp("trackers"))
    pictures = {"samples.png": synthetic.tiles(8), "reconstruction_progress.gif": animation()}
    files = {"metrics.csv": METRICS.encode(), "notes.txt": b"from the dashboard", **pictures}
    synthetic.add_trial(opened, 7.5, 7.25, values={"beta": 0.5}, files=files)
    synthetic.add_trial(opened, 7.75, end="pruned at epoch 0.5", values={"latent_dim": 32})
    synthetic.add_trial(opened, end="failed: ValueError: so it is")
    synthetic.add_trial(opened, 7.0, end="running")
    return opened
