"""Weights of a trained model as 16-bit numbers, half the size of model.pt, for the showcase."""

import copy
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import UserError
from model.trained_model import load_model
from model.training.model_file import read_model, save_model

# Bits per dimension: the score of the same images may move by so much.
_MOST = 1e-3


def write_half_weights(source: Path, target: Path, images: NDArray[np.uint8]) -> float:
    """Write the weights of `source` as 16-bit numbers; `load_model` reads both.

    Returns: by how much the score of the images has moved, in bits per dimension.

    Raises: UserError: by more than 0.001; then nothing is written.
    """
    saved = read_model(source)
    before = load_model(source, "cpu").score(images).bpd
    temporary = target.with_name(f".{target.name}.half")
    save_model(temporary, copy.deepcopy(saved.network).half(), saved.sigma, saved.config)
    moved = abs(load_model(temporary, "cpu").score(images).bpd - before)
    # Also if it is no number.
    if not moved <= _MOST:
        temporary.unlink()
        raise UserError(f"{source}: with 16-bit weights its score moves by {moved:.4f} bits per dimension")
    temporary.replace(target)
    return moved
