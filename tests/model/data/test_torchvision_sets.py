"""Sets of torchvision, written small in their official formats."""

import hashlib
import pickle
import struct
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
from scipy.io import savemat

from model.config import SHAPES, Source
from model.data import torchvision_sets
from model.data.torchvision_import import import_datasets
from model.data.torchvision_sets import load_torchvision
from model.errors import DataError
from tests.model.data.splits import is_uint8_in_channels_last, sizes, splits

N_TRAIN, N_TEST = 200, 50
SETS: tuple[Source, ...] = (
    "torchvision:CIFAR100",
    "torchvision:FashionMNIST",
    "torchvision:MNIST",
    "torchvision:SVHN",
)


def arrays(source: str, n_images: int) -> tuple[Any, Any]:
    """Different images of noise (N, H, W, C), and labels of ten classes."""
    n_channels, height, width = SHAPES[source]
    generator = np.random.default_rng(n_images)
    return generator.integers(0, 256, (n_images, height, width, n_channels), np.uint8), np.arange(n_images) % 10


def write_idx(folder: Path, name: str) -> None:
    """Write the four files of MNIST and Fashion-MNIST: big-endian sizes, then bytes."""
    raw = folder / name / "raw"
    raw.mkdir(parents=True)
    for prefix, n_images in (("train", N_TRAIN), ("t10k", N_TEST)):
        pixels, labels = arrays(f"torchvision:{name}", n_images)
        (raw / f"{prefix}-images-idx3-ubyte").write_bytes(struct.pack(">4i", 2051, n_images, 28, 28) + pixels.tobytes())
        header = struct.pack(">2i", 2049, n_images)
        (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(header + labels.astype(np.uint8).tobytes())


def write_svhn(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write both files of MATLAB, (H, W, C, N), in which 10 stands for the digit 0."""
    kind, listed = import_datasets().SVHN, {}
    for split, n_images in (("train", N_TRAIN), ("test", N_TEST)):
        pixels, labels = arrays("torchvision:SVHN", n_images)
        path = folder / f"{split}_32x32.mat"
        savemat(path, {"X": pixels.transpose(1, 2, 3, 0), "y": np.where(labels == 0, 10, labels)[:, None]})
        listed[split] = [kind.split_list[split][0], path.name, _md5(path)]
    monkeypatch.setattr(kind, "split_list", listed)


def write_cifar100(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the pickles of rows of 3,072 bytes."""
    kind, base = import_datasets().CIFAR100, folder / "cifar-100-python"
    base.mkdir()
    for name, n_images in (("train", N_TRAIN), ("test", N_TEST)):
        pixels, labels = arrays("torchvision:CIFAR100", n_images)
        rows = pixels.transpose(0, 3, 1, 2).reshape(n_images, -1)
        (base / name).write_bytes(pickle.dumps({"data": rows, "fine_labels": labels.tolist()}))
        monkeypatch.setattr(kind, f"{name}_list", [[name, _md5(base / name)]])
    names = [f"class {index}" for index in range(100)]
    (base / "meta").write_bytes(pickle.dumps({"fine_label_names": names}))
    meta = {"filename": "meta", "key": "fine_label_names", "md5": _md5(base / "meta")}
    monkeypatch.setattr(kind, "meta", meta)


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All four sets in one folder; the published md5 sums of two are replaced by those of their small files."""
    for name in ("MNIST", "FashionMNIST"):
        write_idx(tmp_path, name)
    write_svhn(tmp_path, monkeypatch)
    write_cifar100(tmp_path, monkeypatch)
    return tmp_path


@pytest.mark.parametrize("source", SETS)
def test_official_files_are_read_to_the_bit_and_a_tenth_of_the_training_images_validates(
    root: Path, source: Source
) -> None:
    data = load_torchvision(source, root)
    assert (data.source, data.image_shape, sizes(data)) == (source, SHAPES[source], [180, 20, 50])
    assert all(is_uint8_in_channels_last(split.images) for split in splits(data))
    pixels, labels = arrays(source, N_TEST)
    assert np.array_equal(data.test.pixels, pixels)
    assert np.array_equal(data.test.labels, labels)
    assert len(data.class_names) == (100 if source == "torchvision:CIFAR100" else 10)
    written = {image.tobytes() for image in arrays(source, N_TRAIN)[0]}
    assert {image.tobytes() for split in splits(data)[:2] for image in split.pixels} == written


@pytest.mark.parametrize("source", SETS)
def test_a_named_folder_without_the_files_is_refused_with_their_names(tmp_path: Path, source: Source) -> None:
    needed = (
        f"holds no complete {source.partition(':')[2]}; it must have .*(train-images-idx3-ubyte|train, test|train_32)"
    )
    with pytest.raises(DataError, match=needed) as refusal:
        load_torchvision(source, tmp_path)
    assert "\n" not in str(refusal.value)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("source", SETS)
def test_a_failed_download_is_one_line_that_says_where_the_files_go(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise URLError("no route to host")

    for module in ("mnist.download_and_extract_archive", "cifar.download_and_extract_archive", "svhn.download_url"):
        monkeypatch.setattr(f"torchvision.datasets.{module}", fail)
    monkeypatch.setattr(torchvision_sets, "DATA_FOLDER", tmp_path)
    name = source.partition(":")[2]
    with pytest.raises(DataError, match=rf"^{name} could not be downloaded \(.*no route to host.*\. Put ") as refusal:
        load_torchvision(source)
    assert not any(tmp_path.iterdir())
    assert str(refusal.value).endswith(f"into {tmp_path}, or set data.root to the folder that has them")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "contents", [b"", b"no idx file", struct.pack(">4i", 2051, 50, 28, 28), struct.pack(">4i", 2051, 1, 2, 2) + b"1234"]
)
def test_damaged_files_are_refused(root: Path, contents: bytes) -> None:
    (root / "MNIST" / "raw" / "t10k-images-idx3-ubyte").write_bytes(contents)
    with pytest.raises(DataError, match=r"holds (no complete|other images than those of) MNIST"):
        load_torchvision("torchvision:MNIST", root)
