"""Names that `model` exports, imported on first use."""

import subprocess
import sys
from pathlib import Path

import pytest

import hpo
import model

ROOT = Path(__file__).resolve().parents[2]


def test_about_a_dozen_names_are_exported_and_listed() -> None:
    assert 10 <= len(model.__all__) <= 14
    assert set(model.__all__) <= set(dir(model))


@pytest.mark.parametrize("name", model.__all__)
def test_every_exported_name_exists_and_is_documented(name: str) -> None:
    exported = getattr(model, name)
    assert exported.__name__ == name
    assert exported.__doc__ and not exported.__doc__.startswith(f"{name}("), "a dataclass has its signature by default"


@pytest.mark.parametrize(
    "function",
    [model.load_model, model.load_cifar10, model.load_folder, model.load_sample, model.train]
    + [getattr(model.TrainedModel, name) for name in ("sample", "encode", "decode", "reconstruct", "score")],
    ids=lambda function: function.__name__,
)
def test_every_public_function_documents_arguments_errors_and_an_example(function: object) -> None:
    documentation = str(function.__doc__)
    takes_arguments = function is not model.load_sample
    for section in ("Raises:", "Example:", *(["Args:"] if takes_arguments else [])):
        assert section in documentation


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'model' has no attribute 'absent'"):
        _ = model.absent


def test_configuration_and_errors_are_imported_without_torch() -> None:
    command = "import sys, model, model.config, model.errors; model.TrainConfig(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_both_packages_ship_their_types() -> None:
    for package in (model, hpo):
        assert package.__file__ and Path(package.__file__).with_name("py.typed").exists()
