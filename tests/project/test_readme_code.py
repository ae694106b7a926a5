"""The Python that the README shows runs as it stands, and the changes that it shows do what it says."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from model.config import TrainConfig
from model.device import Runtime
from model.fixed_inputs import as_pixels
from model.network.vae import ConvVAE
from model.scoring.evaluation import decode
from model.training.checkpoint import save_model

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_the_python_shown_samples_from_a_saved_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: Runtime
) -> None:
    (shown,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(shown.splitlines()) <= 10
    assert set(re.findall(r"^(?:from|import) (\w+)", shown, re.MULTILINE)) <= {"model", "torch", "PIL", "pathlib"}
    config = TrainConfig(latent_dim=5, channels=(4, 4, 8, 8))
    (path,) = re.findall(r'Path\("([^"]+)"\)', shown)
    (tmp_path / path).parent.mkdir(parents=True)
    torch.manual_seed(0)
    model = ConvVAE(config.latent_dim, config.channels).eval()
    save_model(tmp_path / path, model, 0.1, config)
    # Far from the origin, where an untrained decoder's images differ.
    draws = 100 * torch.randn(8, config.latent_dim, generator=torch.Generator().manual_seed(0))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch, "randn", lambda *shape: draws.reshape(shape))
    exec(shown, {})
    pixels = np.asarray(Image.open("samples.png"))
    assert np.array_equal(pixels, np.hstack(list(as_pixels(decode(model, draws, runtime)))))
    assert pixels.std() > 5


TINY = """
data: {source: sample}
model: {channels: [2, 2, 2, 2]}
hyperparameters: {learning_rate: 2e-3, ENTRY}
budget: {trials: 2}
"""
SUGGEST_AND_BUILD = """
import json, optuna, torch
from pathlib import Path
from hpo.config_file import read_config
from hpo.objective import trial_config
from hpo.search_space import suggest
from model.runtime import Runtime
from model.train import TrainState
config = read_config(Path("mine.yaml"))
values = suggest(optuna.create_study().ask(), config.hyperparameters)
state = TrainState(trial_config(config, values, 0), Runtime(torch.device("cpu"), "float32"))
print(json.dumps([values["weight_decay"], state.optimizer.defaults["weight_decay"]]))
"""


def test_the_changes_shown_make_a_new_hyperparameter_searchable(tmp_path: Path) -> None:
    for package in ("model", "hpo"):
        shutil.copytree(ROOT / package, tmp_path / package)
    (diff,) = re.findall(r"```diff\n(.*?)```", README, re.DOTALL)
    for name, lines in re.findall(r"^--- (\S+)\n((?:[ +-] .*\n)+)", diff, re.MULTILINE):
        apply(tmp_path / name, lines.splitlines())
    (entry,) = re.findall(r"`(weight_decay: \{[^`]+)`", README)
    (tmp_path / "mine.yaml").write_text(TINY.replace("ENTRY", entry))
    suggested, used = json.loads(run_python(SUGGEST_AND_BUILD, tmp_path).splitlines()[-1])
    assert 1e-6 <= suggested <= 1e-2
    assert used == suggested


def apply(path: Path, lines: list[str]) -> None:
    """Make a change given as lines that begin with a space (kept), a minus or a plus."""
    text = path.read_text()
    before, after = ("".join(f"{line[1:]}\n" for line in lines if line[0] in kept) for kept in (" -", " +"))
    assert text.count(before) == 1, f"{path.name}: the lines shown stand there {text.count(before)} times"
    path.write_text(text.replace(before, after))


def run_python(source: str, folder: Path) -> str:
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run([sys.executable, "-c", source], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
