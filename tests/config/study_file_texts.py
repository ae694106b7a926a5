"""Texts of study files, and what reading them gives."""

from pathlib import Path

import pytest

from hpo.config.schema import StudyConfig
from hpo.config.study_file import ConfigError, read_config

MINE = Path("study_configs/mine.yaml")
BUDGET = "budget: {trials: 3}\n"
SEARCH = "hyperparameters: {beta: {low: 0.1, high: 1.0}}\n"
VALID = BUDGET + SEARCH
NAME_RULE = "must be letters, digits, dots, dashes and underscores, and begin with a letter or a digit"
IMAGES_RULE = (
    "must be 'cifar10', 'sample', 'torchvision:CIFAR100', 'torchvision:FashionMNIST', 'torchvision:MNIST', "
    "'torchvision:SVHN' or the path of an existing folder of images"
)


def with_entry(entry: str) -> str:
    """Return a valid study file to which an entry of `hyperparameters` is added."""
    return f"{BUDGET}hyperparameters:\n  max_grad_norm: {{low: 1, high: 2}}\n  {entry}\n"


def read(text: str) -> StudyConfig:
    """Read a text as study_configs/mine.yaml."""
    MINE.write_text(text, encoding="utf-8")
    return read_config(MINE)


def faults(text: str | bytes) -> list[str]:
    """Return the lines that refuse a study file of this text, without the file's name, with which each begins."""
    MINE.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as refusal:
        read_config(MINE)
    lines = str(refusal.value).splitlines()
    assert all(line.startswith(f"{MINE}: ") for line in lines)
    return [line.removeprefix(f"{MINE}: ") for line in lines]
