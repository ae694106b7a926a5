"""Lets torchvision be imported beside a CPU-only build of PyTorch.

On Linux the wheel on the package index is a CUDA build, whose C++ library does not load beside a CPU-only PyTorch;
`import torchvision` then stops at `operator torchvision::nms does not exist` (pytorch/vision#9085). Data sets and
image files need none of those operators, so naming their schemas is enough.
"""

import warnings
from types import ModuleType

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
# A Library takes its definitions with it when it is collected.
_registered: list[torch.library.Library] = []


def import_datasets() -> ModuleType:
    """Return `torchvision.datasets`, naming the missing operators first where the C++ library does not load."""
    try:
        from torchvision import datasets
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        _name_missing_operators()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from torchvision import datasets
    return datasets  # type: ignore[no-any-return]


def _name_missing_operators() -> None:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in _SCHEMAS:
        library.define(schema)
    _registered.append(library)
