"""A trained model in the formats of other programs, which other programs read."""

import re
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hpo.analysis.run_metrics import read_run_metrics
from hpo.runs import export_model
from hpo.runs.export_model import export
from hpo.storage.paths import ModelPaths, RunPaths
from hpo.storage.run_record import RunError
from model.data.images import ImageData
from model.device import Runtime
from model.errors import UserError
from model.training.model_file import read_model
from tests.tools.small_run import finish, small_run

IS_INSTALLED = all(find_spec(name) for name in export_model._PACKAGES)
needs_packages = pytest.mark.skipif(not IS_INSTALLED, reason="needs the packages of requirements-share.txt")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, few_images: ImageData, runtime: Runtime) -> RunPaths:
    """A finished run with every layer that the default network has, and the smallest of them."""
    paths = RunPaths(tmp_path_factory.mktemp("run") / "best")
    small = small_run(few_images, runtime)
    config = replace(small.config, architecture="linear_skip", channels=(4, 8, 8), epochs=1)
    finish(replace(small, config=config), paths)
    return paths


@pytest.fixture(scope="module")
def exported(run: RunPaths) -> ModelPaths:
    paths = ModelPaths.of_run(run.folder)
    assert export(run, paths) < 1e-5
    return paths


@needs_packages
@pytest.mark.parametrize("n", [1, 5])
def test_onnx_runtime_and_torch_export_compute_what_the_model_computes_for_any_number_of_images(
    run: RunPaths, exported: ModelPaths, n: int
) -> None:
    import onnxruntime

    network = read_model(run.model).network
    images, codes = torch.rand(n, 3, 32, 32), torch.randn(n, 4)
    with torch.inference_mode():
        expected = {"encoder": [*network.encoder(images)], "decoder": [network.decoder(codes)]}
        for part, (name, inputs) in {"encoder": ("images", images), "decoder": ("codes", codes)}.items():
            session = onnxruntime.InferenceSession(exported.onnx(part))
            program = torch.export.load(exported.program(part)).module()(inputs)
            programs = program if isinstance(program, tuple) else (program,)
            for found, loaded, computed in zip(
                session.run(None, {name: inputs.numpy()}), programs, expected[part], strict=True
            ):
                np.testing.assert_allclose(found, computed.numpy(), atol=1e-4)
                torch.testing.assert_close(loaded, computed, atol=1e-4, rtol=1e-4)


@needs_packages
def test_the_code_in_the_model_card_runs_and_its_weights_are_the_models(
    run: RunPaths, exported: ModelPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(exported.folder)
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", exported.card.read_text(), re.DOTALL):
        exec(code, names)
    assert names["images"].shape == (16, 3, 32, 32) and names["mean"].shape == (16, 4)
    weights = names["network"].state_dict()
    for name, tensor in read_model(run.model).network.state_dict().items():
        assert weights[name].equal(tensor)


@needs_packages
def test_the_model_card_has_the_scores_and_no_path_of_this_machine(run: RunPaths, exported: ModelPaths) -> None:
    text, metrics = exported.card.read_text(), read_run_metrics(run.metrics_json)
    assert f"| {metrics.val_bpd:.4f} |" in text and "4 latent dimensions" in text
    assert text.startswith("---\nlicense: mit\n") and str(run.folder) not in text


@needs_packages
def test_a_model_that_onnx_runtime_computes_differently_is_not_written(
    run: RunPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_model, "_compare", lambda *_: float("nan"))
    with pytest.raises(RunError, match="ONNX Runtime differs from PyTorch by nan"):
        export(run, ModelPaths(tmp_path))
    assert not list(tmp_path.glob("*.onnx")) and not (tmp_path / "README.md").exists()


def test_what_is_missing_is_one_line(run: RunPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_model, "find_spec", lambda name: None if name == "onnx" else True)
    with pytest.raises(
        UserError, match=r"^export-model needs packages that are not installed \(onnx\); \.venv/bin/pip install -r"
    ):
        export(run, ModelPaths(tmp_path / "export"))
    monkeypatch.setattr(export_model, "find_spec", lambda _: True)
    with pytest.raises(RunError, match=r"holds no finished run \(there is no metrics.json in it\)"):
        export(RunPaths(tmp_path), ModelPaths(tmp_path / "export"))
    shutil.copy(run.metrics_json, tmp_path)
    with pytest.raises(UserError, match=r"model\.pt"):
        export(RunPaths(tmp_path), ModelPaths(tmp_path / "export"))
    assert not (tmp_path / "export").exists()
