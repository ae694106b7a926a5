"""Import of torchvision beside a CPU-only build of PyTorch, where its C++ library does not load.

On Linux the wheel on the package index is a CUDA build. Beside a CPU-only PyTorch, `import torchvision` fails with
`operator torchvision::nms does not exist` (pytorch/vision#9085). Data sets and image files need none of these
operators, so it is enough to declare their schemas.
"""

import warnings
from types import ModuleType

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
# Kept alive: a Library deletes its definitions when it is garbage-collected.
_libraries: list[torch.library.Library] = []


def import_datasets() -> ModuleType:
    """Import `torchvision.datasets`, declaring the missing operators first if the C++ library does not load."""
    try:
        from torchvision import datasets
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        _declare_missing_operators()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from torchvision import datasets
    return datasets  # type: ignore[no-any-return]


def _declare_missing_operators() -> None:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in _SCHEMAS:
        library.define(schema)
    _libraries.append(library)
