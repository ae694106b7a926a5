"""Python code in README, docs/ and CONTRIBUTING runs, and the changes shown there have the effect that they promise."""

import ast
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import hpo
import model
from model.config import TrainConfig
from model.network.vae import ConvVAE
from model.training.model_file import save_model
from tests.tools.markdown_pages import CONTRIBUTING, GUIDES, ROOT, doc

SEARCH, USE = doc("python-api").code_blocks("python")
BLOCKS = [block for page in GUIDES for block in page.code_blocks("python")]


@pytest.mark.parametrize("block", BLOCKS)
def test_python_code_uses_names_and_arguments_that_exist(block: str) -> None:
    tree = ast.parse(block)
    exec("\n".join(ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)), {})
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("hpo.", "model.")):
            module, name = ast.unparse(node.func).split(".")
            function = getattr({"hpo": hpo, "model": model}[module], name)
            inspect.signature(function).bind(*node.args, **{str(word.arg): word.value for word in node.keywords})


def test_names_of_the_python_api_exist() -> None:
    found = [re.match(r"(?:hpo|model)\.\w+", code) for code in doc("python-api").inline_code()]
    named = {match[0] for match in found if match}
    assert {"hpo.open_study", "hpo.UserError"} <= named
    assert [name for name in named if name.split(".")[1] not in {*hpo.__all__, *model.__all__}] == []
    assert issubclass(hpo.ConfigError, hpo.UserError)


def test_results_have_the_fields_that_are_shown() -> None:
    assert "results.best.number" in SEARCH and 'run.metrics["test_bpd"]' in SEARCH
    assert "best" in hpo.StudyResults.__dataclass_fields__ and "metrics" in hpo.RunFinished.__dataclass_fields__


def test_the_code_for_a_trained_model_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = TrainConfig(latent_dim=5, channels=(4, 4, 8, 8))
    (path,) = re.findall(r'load_model\("([^"]+)"\)', USE)
    (tmp_path / path).parent.mkdir(parents=True)
    torch.manual_seed(0)
    save_model(tmp_path / path, ConvVAE.from_config(config).eval(), 0.1, config)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(USE, names)
    written = np.asarray(Image.open("samples.png"))
    assert np.array_equal(written, model.load_model(path).sample(8, seed=0).reshape(8 * 32, 32, 3))
    assert names["means"].shape == names["log_variances"].shape == (8, 5)
    assert names["reconstructions"].shape == names["decoded"].shape == (8, 32, 32, 3)


TINY = """
data: sample
model: {channels: [2, 2, 2, 2]}
hyperparameters: {learning_rate: 2e-3, ENTRY}
budget: {trials: 2}
training: {epochs: 2}
"""
SUGGEST_AND_BUILD = """
import json, optuna, torch, typer
from pathlib import Path
from hpo.cli.app import app
from hpo.config.json_schema import study_file_schema
from hpo.config.search_space import suggest, trial_config
from hpo.config.study_file import read_config
from model.device import Runtime
from model.training.train_state import TrainState
config = read_config(Path("mine.yaml"))
values = suggest(optuna.create_study().ask(), config.hyperparameters)
state = TrainState(trial_config(config, values, 0), Runtime(torch.device("cpu"), "float32"))
options = [option.name for option in typer.main.get_command(app).commands["train"].params]
keys = study_file_schema()["properties"]["hyperparameters"]["properties"]
print(json.dumps([values["adam_beta1"], state.optimizer.defaults["betas"][0], options, list(keys)]))
"""


def test_the_changes_shown_add_a_hyperparameter(tmp_path: Path) -> None:
    for package in ("model", "hpo"):
        shutil.copytree(ROOT / package, tmp_path / package)  # With its bytecode, which saves seconds.
    (diff,) = CONTRIBUTING.code_blocks("diff")
    for name, lines in re.findall(r"^--- (\S+)\n((?:[ +-] .*\n)+)", diff, re.MULTILINE):
        apply_change(tmp_path / name, lines.splitlines())
    (entry,) = re.findall(r"`(adam_beta1: \{[^`]+)`", CONTRIBUTING.text)
    (tmp_path / "mine.yaml").write_text(TINY.replace("ENTRY", entry))
    suggested, used, options, keys = json.loads(run_python(SUGGEST_AND_BUILD, tmp_path).splitlines()[-1])
    assert 0.5 <= suggested <= 0.99
    assert used == suggested
    assert "adam_beta1" in options and "adam_beta1" in keys


def apply_change(path: Path, lines: list[str]) -> None:
    """Make a change given as lines that start with a space (kept), a minus or a plus."""
    text = path.read_text()
    before, after = ("".join(f"{line[1:]}\n" for line in lines if line[0] in kept) for kept in (" -", " +"))
    assert text.count(before) == 1, f"{path.name} has the lines shown {text.count(before)} times"
    path.write_text(text.replace(before, after))


def run_python(source: str, folder: Path) -> str:
    """Run Python code in a folder whose packages it imports, and return what it prints."""
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run([sys.executable, "-c", source], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
