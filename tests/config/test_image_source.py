"""Names of images: the same in a study file and in `train --data`."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml

from hpo.config.image_source import Data
from hpo.config.search_space import trial_config
from hpo.config.study_file import ConfigError
from hpo.runs.train import read_options
from model.config import SETTINGS
from tests.config.study_file_texts import IMAGES_RULE, VALID, faults, read

pytestmark = pytest.mark.usefixtures("empty_checkout")
OPTIONS = {name: setting.default for name, setting in SETTINGS.items()} | {"reconstruction_interval": "1", "fps": 2.0}


def folder(path: str) -> Data:
    """The object that every record of a folder of images has held since the first version."""
    return Data(source="folder", root=Path(path))


@pytest.fixture(autouse=True)
def images(empty_checkout: Path) -> None:
    """Folders `images` and `sample` in the working directory."""
    for name in ("images", "sample"):
        (empty_checkout / name).mkdir()


NAMES = {
    "cifar10": Data(source="cifar10"),
    # The data set, although there is a folder of this name.
    "sample": Data(source="sample"),
    "./sample": folder("sample"),
    "/my/images": folder("/my/images"),
    "~/images": folder("~/images"),
    "../images": folder("../images"),
    ".images": folder(".images"),
    "my/images": folder("my/images"),
    "images": folder("images"),
}


@pytest.mark.parametrize(("name", "expected"), NAMES.items(), ids=NAMES.keys())
def test_a_name_means_the_same_everywhere(name: str, expected: Data) -> None:
    assert read(f"{VALID}data: {name}").data == expected
    assert read(f"{VALID}data: {{source: {name}}}").data == expected
    assert read_options(OPTIONS, name).data == expected
    assert Data.model_validate({"source": name}) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{source: folder, root: /my/images}", folder("/my/images")),
        (
            "{source: /my/images, root: null, fallback: false}",
            folder("/my/images").model_copy(update={"fallback": False}),
        ),
        ("{source: cifar10, root: /data}", Data(source="cifar10", root=Path("/data"))),
        ("{root: /data}", Data(source="cifar10", root=Path("/data"))),
        ("{fallback: false}", Data(fallback=False)),
    ],
)
def test_a_mapping_may_also_name_the_folder_of_cifar10_or_of_images(text: str, expected: Data) -> None:
    assert read(f"{VALID}data: {text}").data == expected


def test_images_stay_the_same_on_the_way_to_a_worker_process() -> None:
    config = read(f"{VALID}data: /my/images")
    assert pickle.loads(pickle.dumps(config)) == config
    assert config.data.model_dump(mode="json") == {
        "source": "folder",
        "root": "/my/images",
        "fallback": True,
        "image_size": None,
        "image_channels": None,
    }


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("cifar10", (3, 32, 32)),
        ("torchvision:FashionMNIST", (1, 28, 28)),
        ("{source: torchvision:SVHN, root: /data}", (3, 32, 32)),
        ("/my/images", (3, 32, 32)),
        ("{source: /my/images, image_size: 64}", (3, 64, 64)),
        ("{source: /my/images, image_size: 28, image_channels: 1}", (1, 28, 28)),
        ("{source: folder, root: /my/images, image_channels: 1}", (1, 32, 32)),
    ],
)
def test_the_images_say_which_shape_a_network_has(text: str, shape: tuple[int, int, int]) -> None:
    config = read(f"{VALID}data: {text}\ntraining: {{epochs: 2}}")
    assert config.data.image_shape == shape
    assert trial_config(config, config.hyperparameters.fixed() | {"beta": 1.0}, 0).image_shape == shape


def test_an_option_of_train_sets_the_size_of_a_folders_images() -> None:
    options = OPTIONS | {"image_size": 28, "image_channels": 1}
    assert read_options(options, "/my/images").data.image_shape == (1, 28, 28)
    with pytest.raises(ConfigError, match=r"^--image-size: must be left out where --data is sample: only"):
        read_options(OPTIONS | {"image_size": 28}, "sample")
    with pytest.raises(ConfigError, match=r"^--image-size: must be 28, 32 or 64, got 48$"):
        read_options(OPTIONS | {"image_size": 48}, "/my/images")


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("cifar-10", "; did you mean 'cifar10'?"),
        ("CIFAR10", "; did you mean 'cifar10'?"),
        ("samples", "; did you mean 'sample'?"),
        ("mnist", "; did you mean 'torchvision:MNIST'?"),
        ("torchvision:fashion-mnist", "; did you mean 'torchvision:FashionMNIST'?"),
        ("imagenet", ""),
        ("folder", ""),
    ],
)
def test_an_unknown_word_is_refused_with_the_nearest_known_one(name: str, suggestion: str) -> None:
    message = f"{IMAGES_RULE}, got '{name}'{suggestion}"
    assert faults(f"{VALID}data: {name}") == [f"data: {message}"]
    if name != "folder":
        assert faults(f"{VALID}data: {{source: {name}}}") == [f"data.source: {message}"]
    with pytest.raises(ConfigError) as refusal:
        read_options(OPTIONS, name)
    assert str(refusal.value) == f"--data: {message}"


@pytest.mark.parametrize("value", [5, None, [1], True, ""])
def test_a_value_that_is_no_name_is_refused(value: Any) -> None:
    text = yaml.safe_dump({"data": value})
    assert faults(VALID + text) == [f"data: {IMAGES_RULE}, got {value!r}"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "{source: /my/images, image_size: 48, image_channels: 2}",
            ["data.image_size: must be 28, 32 or 64, got 48", "data.image_channels: must be 1 or 3, got 2"],
        ),
        (
            "{source: sample, image_size: 32}",
            ["data.image_size: must be left out where source is sample: only images of a folder are resized"],
        ),
        ("{source: folder}", ["data.root: must name the folder of images where source is folder"]),
        (
            "{source: /my/images, root: /other}",
            ["data.source: must not be a path where root is given; leave out root, got '/my/images'"],
        ),
        (
            "{source: imagenet, roots: x}",
            [
                f"data.source: {IMAGES_RULE}, got 'imagenet'",
                "data.roots: unknown key; did you mean 'root'?",
            ],
        ),
    ],
)
def test_faults_of_a_mapping_are_reported_by_key(text: str, lines: list[str]) -> None:
    assert faults(f"{VALID}data: {text}") == lines
