"""Names that `model` and `hpo` export, imported on first use."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import get_args

import pytest

import hpo
import model
from hpo.runs.full_length_run import RunEvent
from hpo.workers.trial_events import TrialEvent

ROOT = Path(__file__).resolve().parents[2]


def test_about_a_dozen_names_of_the_model_are_exported() -> None:
    assert 10 <= len(model.__all__) <= 14


@pytest.mark.parametrize("package", [model, hpo], ids=lambda package: package.__name__)
def test_every_exported_name_is_listed_for_completion(package: ModuleType) -> None:
    assert set(package.__all__) <= set(dir(package))


@pytest.mark.parametrize("package,name", [(package, name) for package in (model, hpo) for name in package.__all__])
def test_every_exported_name_exists_and_is_documented(package: ModuleType, name: str) -> None:
    exported = getattr(package, name)
    assert exported.__name__ == name
    assert exported.__doc__ and not exported.__doc__.startswith(f"{name}("), "a dataclass has its signature by default"


def test_every_event_that_a_listener_gets_is_exported() -> None:
    assert set(get_args(TrialEvent) + get_args(RunEvent)) <= {getattr(hpo, name) for name in hpo.__all__}


@pytest.mark.parametrize(
    "function",
    [model.load_model, model.load_cifar10, model.load_folder, model.load_sample, model.train]
    + [getattr(model.TrainedModel, name) for name in ("sample", "encode", "decode", "reconstruct", "score")]
    + [getattr(hpo, name) for name in hpo.__all__ if isinstance(getattr(hpo, name), FunctionType)],
    ids=lambda function: function.__name__,
)
def test_every_public_function_documents_arguments_errors_and_an_example(function: Callable[..., object]) -> None:
    documentation = str(function.__doc__)
    takes_arguments = function is not model.load_sample
    for section in ("Returns:", "Raises:", "Example:", *(["Args:"] if takes_arguments else [])):
        assert section in documentation
    if takes_arguments:
        parameters = set(inspect.signature(function).parameters) - {"self"}
        assert {name for name in parameters if f"    {name}: " not in documentation} == set()


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
