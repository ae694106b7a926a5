"""A study file that names images and nothing else that matters."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.tools import warm_process
from tests.tools.fault_injection import make_images

pytestmark = pytest.mark.long


def run(folder: Path, *arguments: str) -> str:
    done = warm_process.run("hpo", arguments, folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_search_space_and_lengths_are_settled_once_and_then_kept(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    make_images(images)
    (tmp_path / "study_configs").mkdir()
    file = tmp_path / "study_configs" / "mine.yaml"
    # Short, so that the test is.
    file.write_text(f"data: {images}\nbudget: {{trials: 1, timeout_minutes: 0.4}}\nconfirmation: {{top: 0}}\n")
    first = run(tmp_path, "tune", "mine")
    (length,) = map(int, re.findall(r"configurations of up to (\d+) epochs", first))
    assert 3 <= length <= 40
    # The tutorial's values, where they are in the space: its 64 is not among the batch sizes, its 128 no latent_dim.
    assert re.search(r"trial 0: beta 1, latent_dim \d+, learning_rate 0.001, batch_size (8|16)\n", first)
    again = run(tmp_path, "tune", "mine")
    assert "Best: trial" in again
    assert f"after {length} epochs" in run(tmp_path, "status", "mine")
    for command in ("report", "export", "clean"):
        run(tmp_path, command, "mine")
    retrained = run(tmp_path, "retrain", "mine")
    metrics = json.loads((tmp_path / "results" / "mine" / "best" / "metrics.json").read_text())
    assert f"Retraining trial {metrics['trial']} for {metrics['epochs']} epochs" in retrained
    assert metrics["epochs"] <= length
    assert metrics["hyperparameters"]["max_shift"] == 1
    low, high = metrics["test_bpd_interval"]
    assert low < metrics["test_bpd"] < high
    # Another space would follow from more images, but what the study reports is that they are others.
    for path in sorted(images.iterdir()):
        shutil.copy(path, path.with_stem(f"{path.stem}-again"))
    refused = warm_process.run("hpo", ("tune", "mine"), tmp_path)
    assert refused.returncode == 2 and "data.digest was" in refused.stderr and "hyperparameters" not in refused.stderr
