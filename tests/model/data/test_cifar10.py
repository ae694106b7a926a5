"""CIFAR-10: its splits, and the refusal of a folder that does not hold it."""

import csv
import errno
import hashlib
import io
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
from itertools import count
from pathlib import Path
from types import TracebackType

import numpy as np
import pytest

from model.data.bundled_sample import load_sample, read_sample
from model.data.cifar10 import load_cifar10
from model.data.images import ImageData
from model.data.locations import SAMPLE_FOLDER as SAMPLE
from model.errors import DataError, DownloadError
from tests.model.data.splits import images_per_class, is_uint8_in_channels_last, splits

CIFAR10_ROOT = os.environ.get("CIFAR10_ROOT")
BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch", "batches.meta")
needs_cifar10 = pytest.mark.skipif(
    not CIFAR10_ROOT, reason="CIFAR10_ROOT names no folder that holds cifar-10-batches-py (.ci/run sets it)"
)


@pytest.fixture(scope="module")
def cifar10() -> ImageData:
    assert CIFAR10_ROOT
    return load_cifar10(Path(CIFAR10_ROOT))


@needs_cifar10
def test_the_splits_have_4500_500_and_1000_uint8_images_of_each_class(cifar10: ImageData) -> None:
    assert images_per_class(cifar10) == [[4500] * 10, [500] * 10, [1000] * 10]
    assert all(is_uint8_in_channels_last(split.images) for split in splits(cifar10))


@needs_cifar10
def test_the_samples_tiles_are_cifar10s_images_at_the_indices_in_its_index(cifar10: ImageData) -> None:
    from model.data.torchvision_import import import_datasets

    pixels = {name: read_sample(SAMPLE).splits[name][0] for name in ("train", "test")}
    with (SAMPLE / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for name in ("train", "test"):
        official = import_datasets().CIFAR10(CIFAR10_ROOT, train=name == "train")
        members = [row for row in rows if row["split"] == name]
        chosen = [int(row["cifar10_index"]) for row in members]
        assert len(set(chosen)) == len(chosen)
        assert np.array_equal(pixels[name], official.data[chosen])
        assert [int(row["label"]) for row in members] == [official.targets[index] for index in chosen]
    assert cifar10.class_names == read_sample(SAMPLE).class_names


@needs_cifar10
def test_the_files_are_read_without_torchvision_whose_import_takes_seconds() -> None:
    script = (
        f"import sys, model.data.cifar10 as c; c.load_cifar10({CIFAR10_ROOT!r}); print('torchvision' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stdout == "False\n", done.stderr


def test_a_missing_folder_and_one_without_the_batches_are_refused(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-python.tar.gz").touch()
    for root in (tmp_path / "nowhere", str(tmp_path)):
        with pytest.raises(DataError, match=f"^{root}: holds no folder cifar-10-batches-py; name the folder that does"):
            load_cifar10(root)


@pytest.mark.parametrize("names", [BATCHES, BATCHES[:2], ()], ids=["corrupt", "corrupt-and-missing", "missing"])
def test_a_folder_with_a_corrupt_or_missing_batch_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    (tmp_path / "cifar-10-batches-py").mkdir()
    for name in names:
        (tmp_path / "cifar-10-batches-py" / name).write_bytes(b"something else")
    with pytest.raises(DataError) as refusal:
        load_cifar10(tmp_path)
    assert str(refusal.value).startswith(f"{tmp_path}/cifar-10-batches-py: a file is missing or does not have its ")
    assert "download the data set again" in str(refusal.value)


@needs_cifar10
@pytest.mark.parametrize("corrupt", BATCHES)
def test_one_flipped_bit_in_any_batch_is_refused(tmp_path: Path, corrupt: str) -> None:
    assert CIFAR10_ROOT
    batches = tmp_path / "cifar-10-batches-py"
    shutil.copytree(Path(CIFAR10_ROOT).resolve() / batches.name, batches, copy_function=os.symlink)
    contents = bytearray((batches / corrupt).read_bytes())
    contents[len(contents) // 2] ^= 1
    (batches / corrupt).unlink()
    (batches / corrupt).write_bytes(contents)
    with pytest.raises(DataError, match="does not have its published md5 sum"):
        load_cifar10(tmp_path)


def test_files_in_the_data_folder_are_downloaded_only_where_they_are_not_complete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_complete, n_downloads, images = [False, True, True], count(), load_sample()

    def read(_: Path) -> ImageData:
        if not is_complete.pop(0):
            raise DataError("a file is missing")
        return images

    monkeypatch.setattr("model.data.cifar10._read", read)
    monkeypatch.setattr("model.data.cifar10._download", lambda: next(n_downloads))
    assert load_cifar10() is images and load_cifar10() is images
    assert is_complete == [] and next(n_downloads) == 1


class Response(io.BytesIO):
    """Response of a server, as `urlopen` returns it."""

    url = "https://example.invalid/"

    def __init__(self, contents: bytes) -> None:
        super().__init__(contents)
        self.length = len(contents)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(urllib.error.URLError(OSError(-3, "Temporary failure in name resolution")), id="no-name-server"),
        pytest.param(urllib.error.URLError("unknown url type"), id="URLError-with-text"),
        pytest.param(urllib.error.HTTPError("https://example.invalid", 403, "Forbidden", None, None), id="forbidden"),  # type: ignore[arg-type]
        pytest.param(TimeoutError("timed out"), id="timeout"),
        pytest.param(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), id="connection-reset"),
        pytest.param(b"<html>Please log in to this network.</html>", id="another-page"),
        pytest.param(OSError(errno.EHOSTUNREACH, "No route to host"), id="no-route"),
        pytest.param(ssl.SSLError("EOF occurred in violation of protocol"), id="broken-encryption"),
    ],
)
def test_every_failure_of_a_download_is_one_error_and_keeps_the_connection_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: BaseException | bytes
) -> None:
    def urlopen(*_args: object, **_options: object) -> Response:
        if isinstance(outcome, bytes):
            return Response(outcome)
        raise outcome

    monkeypatch.setattr("model.data.cifar10.DATA_FOLDER", tmp_path)
    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    timeout = socket.getdefaulttimeout()
    with pytest.raises(DownloadError, match=r"^CIFAR-10 could not be downloaded \([^\n]+\)$"):
        load_cifar10()
    assert socket.getdefaulttimeout() == timeout


@needs_cifar10
def test_a_damaged_file_of_names_is_downloaded_again_as_the_batches_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model.data.torchvision_import import import_datasets

    assert CIFAR10_ROOT
    batches = tmp_path / "cifar-10-batches-py"
    official = Path(CIFAR10_ROOT).resolve() / batches.name
    shutil.copytree(official, batches, copy_function=os.symlink)
    (batches / "batches.meta").unlink()
    (batches / "batches.meta").write_bytes(b"something else")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(official / "batches.meta", f"{batches.name}/batches.meta")
    digest = hashlib.md5(archive.getvalue()).hexdigest()
    monkeypatch.setattr(import_datasets().CIFAR10, "tgz_md5", digest)
    monkeypatch.setattr("model.data.cifar10.DATA_FOLDER", tmp_path)
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_args, **_options: Response(archive.getvalue()))
    assert len(load_cifar10().train) == 45_000


def test_a_full_disk_is_no_failure_of_the_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def urlopen(*_args: object, **_options: object) -> Response:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("model.data.cifar10.DATA_FOLDER", tmp_path)
    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    with pytest.raises(OSError, match="No space left on device"):
        load_cifar10()
