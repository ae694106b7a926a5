"""Data of the sliders on a run's page, with which the page itself decodes codes that a reader changes.

Only the features of some codes and of the strongest dimensions are stored, since the decoder's first layer is linear:
half a megabyte at any length of the code.

F features, N codes, Z latent.
"""

import base64
import json
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hpo.figures.arrays import Floats
from hpo.figures.class_labels import class_labels
from hpo.runs.run_figures import highest, kl_per_dimension, posterior_means
from hpo.storage.paths import RunPaths
from model.atomic_files import write_text
from model.data.images import ImageData
from model.device import Runtime
from model.network.decoder_steps import Array, Layer, code_features, decoder_steps
from model.network.vae import ConvVAE
from model.picture_inputs import fixed_positions

N_SLIDERS, N_STARTS = 10, 8


def write_code_sliders(model: ConvVAE, data: ImageData, runtime: Runtime, paths: RunPaths) -> None:
    """Write the decoder, the codes to start from, and the strongest dimensions, as JSON."""
    split = data.validation
    chosen = fixed_positions(split, N_STARTS)
    means_NZ = posterior_means(model, split.images[chosen.to(runtime.device)], runtime)
    kl = kl_per_dimension(model, split.images, runtime)
    labels = class_labels(data.class_names)
    names = [labels[int(label)] for label in split.labels[chosen]]
    content = sliders(model, means_NZ, names, highest(kl, N_SLIDERS).tolist(), kl)
    write_text(paths.code_sliders, json.dumps(content, separators=(",", ":")) + "\n")


def sliders(model: ConvVAE, means_NZ: Floats, names: list[str], dimensions: list[int], kl_Z: Floats) -> dict[str, Any]:
    """Return what the page needs; the last start is the mean of the prior.

    Arrays are base64 of float16, little-endian; the features of a dimension are those of one unit of it.
    """
    codes_NZ = torch.from_numpy(np.vstack([means_NZ, np.zeros_like(means_NZ[:1])])).float()
    features_NF = code_features(model, codes_NZ)
    units = torch.zeros(len(dimensions), model.latent_dim)
    units[range(len(dimensions)), dimensions] = 1.0
    columns_NF = code_features(model, units) - code_features(model, torch.zeros(1, model.latent_dim))
    described = decoder_steps(model)
    return {
        "shapes": described.shapes,
        "pixels": described.n_pixels,
        "colours": _n_colours(described.steps[-1].layers),
        "margin": described.margin,
        "offset": described.offset,
        "output": described.output,
        "steps": [
            {
                "source": step.source,
                "target": step.target,
                "scale": step.scale,
                "layers": [_layer(layer) for layer in step.layers],
            }
            for step in described.steps
        ],
        "starts": [
            {"name": name, "features": _encoded(row), "values": _rounded(code[dimensions])}
            for name, row, code in zip([*names, "mean of the prior"], features_NF, codes_NZ, strict=True)
        ],
        "dimensions": [
            {"number": dimension, "kl": round(float(kl_Z[dimension]), 2), "features": _encoded(column)}
            for dimension, column in zip(dimensions, columns_NF, strict=True)
        ],
    }


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "shape": layer.weight.shape,
        "stride": layer.stride,
        "padding": layer.padding,
        "activation": layer.activation,
        "weight": _encoded(layer.weight),
        "bias": _encoded(layer.bias),
    }


def _n_colours(layers: tuple[Layer, ...]) -> int:
    return int(layers[-1].weight.shape[1])


def _rounded(values: Tensor) -> list[float]:
    return [round(float(value), 3) for value in values]


def _encoded(values: Array) -> str:
    return base64.b64encode(values.astype("<f2").tobytes()).decode("ascii")
