"""A trained model in the formats of other programs: safetensors, ONNX and torch.export, with a model card.

B batch, C channels, H W pixels, Z latent.
"""

import contextlib
import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from hpo.analysis.run_metrics import read_run_metrics
from hpo.report.model_card import model_card
from hpo.storage.paths import ModelPaths, RunPaths
from hpo.storage.run_record import RunError
from hpo.user_commands import how_to_install
from model.atomic_files import replacing, write_text
from model.device import seeded_generator
from model.errors import UserError
from model.training.model_file import SavedModel, read_model

_PACKAGES = ("onnx", "onnxruntime", "onnxscript", "safetensors")
# Largest difference between ONNX Runtime and PyTorch, relative to 1 + |value|.
_TOLERANCE = 1e-4
# The exported parts take any number of images or codes, whatever they were traced with.
_N_TRACED, _N_CHECKED = 2, 3


def export(source: RunPaths, target: ModelPaths) -> float:
    """Write the model of a finished run.

    Args:
        source: the run.
        target: where the files go; files of these names are replaced.

    Returns: largest difference between ONNX Runtime and PyTorch, relative to 1 + |value|.

    Raises:
        UserError: a package is missing, or the folder holds no finished run.
        RunError: ONNX Runtime computes something else.
    """
    if missing := [name for name in _PACKAGES if find_spec(name) is None]:
        raise UserError(
            f"export-model needs packages that are not installed ({', '.join(missing)}); {how_to_install('share')}"
        )
    if not source.metrics_json.exists():
        raise RunError(f"{source.folder}: holds no finished run (there is no {source.metrics_json.name} in it)")
    saved, metrics = read_model(source.model), read_run_metrics(source.metrics_json)
    target.folder.mkdir(parents=True, exist_ok=True)
    differences = [_export_part(name, part, inputs, target) for name, part, inputs in _parts(saved)]
    _write_weights(saved, target)
    write_text(target.settings, json.dumps({"config": asdict(saved.config), "sigma": saved.sigma}, indent=1) + "\n")
    write_text(target.card, model_card(metrics, saved.config, target))
    return max(differences)


def _parts(saved: SavedModel) -> Iterator[tuple[str, nn.Module, Tensor]]:
    """Yield name, module and random inputs of the encoder and of the decoder."""
    generator = seeded_generator(0)
    images_BCHW = torch.rand(_N_CHECKED, *saved.config.image_shape, generator=generator)
    yield "encoder", saved.network.encoder, images_BCHW
    yield "decoder", saved.network.decoder, torch.randn(_N_CHECKED, saved.config.latent_dim, generator=generator)


def _export_part(name: str, part: nn.Module, inputs: Tensor, target: ModelPaths) -> float:
    """Write a part as torch.export and as ONNX; return the largest relative difference of ONNX Runtime."""
    names = {"encoder": (["images"], ["mean", "log_variance"]), "decoder": (["codes"], ["images"])}[name]
    with _quiet():
        program = torch.export.export(part, (inputs[:_N_TRACED],), dynamic_shapes=({0: Dim("batch", min=1)},))
        with replacing(target.program(name)) as temporary, temporary.open("wb") as file:
            torch.export.save(program, file)
        with replacing(target.onnx(name)) as temporary:
            _write_onnx(program, inputs[:_N_TRACED], temporary, *names)
            difference = _compare(temporary, part, inputs)
            if not difference <= _TOLERANCE:
                raise RunError(f"{target.onnx(name)}: ONNX Runtime differs from PyTorch by {difference:.1e}")
    return difference


def _write_onnx(program: ExportedProgram, inputs: Tensor, path: Path, sources: list[str], results: list[str]) -> None:
    exported = torch.onnx.export(
        program, (inputs,), dynamo=True, input_names=sources, output_names=results, verbose=False
    )
    assert exported is not None, "the exporter of torch.export returns a program"
    exported.save(path, external_data=False)


def _compare(path: Path, part: nn.Module, inputs: Tensor) -> float:
    """Return the largest difference between ONNX Runtime and PyTorch, relative to 1 + |value|."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: inputs.numpy()})
    with torch.inference_mode():
        computed = part(inputs)
    expected = [tensor.numpy() for tensor in (computed if isinstance(computed, tuple) else (computed,))]
    return max(float(np.max(np.abs(a - b) / (1 + np.abs(b)))) for a, b in zip(found, expected, strict=True))


def _write_weights(saved: SavedModel, target: ModelPaths) -> None:
    from safetensors.torch import save

    # Copies: a linear path belongs to both parts, and each name has a tensor of its own in the file.
    tensors = {name: tensor.contiguous().clone() for name, tensor in saved.network.state_dict().items()}
    with replacing(target.weights) as temporary:
        temporary.write_bytes(save(tensors, metadata={"format": "pt"}))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what the exporters say to their developers."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logger.setLevel(level)
