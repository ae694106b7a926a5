"""Section `data:` of a study file: the one syntax that names images, also in `train --data`."""

import difflib
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, GetJsonSchemaHandler, ValidationInfo, WithJsonSchema, field_validator, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from hpo.config.strict_model import ACROSS_KEYS, StrictModel
from model.config import IMAGE_SHAPE, SHAPES, ImageShape, Source

DATA_SETS = tuple(SHAPES)
# Source of all images of a folder: in records, and in the older form `{source: folder, root: /my/images}`.
FOLDER = "folder"
_FORMS = {
    "anyOf": [
        *({"const": name} for name in DATA_SETS),
        {"type": "string", "format": "path", "description": "Path of a folder of images."},
    ]
}


class Data(StrictModel):
    """Images to train on: a mapping of these keys, or only a source.

    All forms become the same object. Images of a folder have the source "folder" and the folder as `root`.
    """

    source: Annotated[Source, WithJsonSchema(_FORMS)] = Field(
        default="cifar10",
        description="cifar10, sample (5,000 images, part of this repository), torchvision: and the name of a set "
        "(torchvision:CIFAR100, FashionMNIST, MNIST or SVHN) or the path of a folder of images.",
    )
    root: Path | None = Field(
        default=None,
        description="Folder that holds cifar-10-batches-py, for source cifar10, which the variable CIFAR10_ROOT "
        "overrides; for a set of torchvision, the folder that holds its files; in the older form {source: folder, "
        "root: PATH}, now source: PATH, the folder of images.",
    )
    fallback: bool = Field(default=True, description="Use the sample if CIFAR-10 cannot be downloaded.")
    image_size: Literal[28, 32, 64] | None = Field(
        default=None, description="Side in pixels to which images of a folder are resized and cropped; null: 32."
    )
    image_channels: Literal[1, 3] | None = Field(
        default=None, description="Channels that images of a folder are read with, 3 for RGB or 1 for grey; null: 3."
    )

    @property
    def image_shape(self) -> ImageShape:
        """Channels, height and width of an image."""
        n_channels, size, _ = SHAPES.get(self.source, IMAGE_SHAPE)
        size = self.image_size or size
        return self.image_channels or n_channels, size, size

    @model_validator(mode="before")
    @classmethod
    def _normalized(cls, data: Any, info: ValidationInfo) -> Any:
        if isinstance(data, cls):
            return data
        if not isinstance(data, dict):
            # Checked here, so that a fault is one of `data`, not of `data.source`.
            data = {"source": _checked(data)}
        source = data.get("source")
        if source != FOLDER and is_path(source) and data.get("root") is None:
            # Strict mode takes text for a path from JSON alone.
            return {**data, "source": FOLDER, "root": str(source) if info.mode == "json" else Path(source)}
        return data

    @field_validator("source", mode="before")
    @classmethod
    def _named(cls, source: Any) -> Any:
        if source == FOLDER:
            return source
        if is_path(source):
            raise PydanticCustomError("images", "must not be a path where root is given; leave out root")
        return _checked(source)

    @field_validator("root")
    @classmethod
    def _given_for_a_folder(cls, root: Path | None, info: ValidationInfo) -> Path | None:
        if root is None and info.data.get("source") == FOLDER:
            raise PydanticCustomError(ACROSS_KEYS, "must name the folder of images where source is folder")
        return root

    @field_validator("image_size", "image_channels")
    @classmethod
    def _of_a_folder(cls, value: int | None, info: ValidationInfo) -> int | None:
        source = info.data.get("source")
        if value is not None and source in SHAPES:
            raise PydanticCustomError(
                ACROSS_KEYS,
                "must be left out where source is {source}: only images of a folder are resized",
                {"source": source},
            )
        return value

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        mapping = handler.resolve_ref_schema(handler(core_schema))
        return {"description": mapping["description"], "anyOf": [_FORMS, mapping]}


def is_path(source: object) -> bool:
    """Return True if a name of images is a path: it contains a separator, starts with . or ~, or exists.

    The names of data sets mean these even if such a path exists; write ./sample for a folder of this name.
    """
    if isinstance(source, Path):
        return True
    if not isinstance(source, str) or source in DATA_SETS:
        return False
    return "/" in source or os.sep in source or source.startswith((".", "~")) or os.path.exists(source)


def _checked(source: object) -> object:
    """Return a source that names images.

    Raises: PydanticCustomError: it does not; `nearest` in its context is the nearest name of a data set, if one is
        near.
    """
    if source in DATA_SETS or is_path(source):
        return source
    # Also without `torchvision:`.
    names = {key.lower(): name for name in DATA_SETS for key in (name.rpartition(":")[2], name)}
    nearest = difflib.get_close_matches(str(source).lower(), names, n=1)
    raise PydanticCustomError(
        "images",
        f"must be {', '.join(map(repr, DATA_SETS))} or the path of an existing folder of images",
        {"nearest": names[nearest[0]]} if nearest else None,
    )
