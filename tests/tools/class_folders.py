"""A user's own images: a folder for each class."""

from pathlib import Path

from PIL import Image

from model.data.bundled_sample import load_sample
from model.data.images import as_pixels


def write_class_folders(folder: Path) -> None:
    """Write 60 images of each class of the bundled sample, a folder per class."""
    split = load_sample().train
    pixels = as_pixels(split.images)
    for label in range(10):
        (folder / str(label)).mkdir(parents=True)
        for position in (split.labels == label).nonzero().flatten()[:60].tolist():
            Image.fromarray(pixels[position]).save(folder / str(label) / f"{position}.png")
