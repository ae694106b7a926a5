"""Paths and messages as pages show them."""

from pathlib import Path

import pytest

from hpo.report.shareable_text import shareable_path, without_paths


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("results/train", "results/train"),
        (Path("results") / "a b", "results/a b"),
        (Path.cwd() / "results", "results"),
        ("/home/ann/images", "elsewhere"),
        ("~/images", "elsewhere"),
        ("../ann/images", "elsewhere"),
        (f"{Path.cwd()}-of-ann", "elsewhere"),
    ],
)
def test_paths_are_relative_to_the_working_folder_or_hidden(path: Path | str, shown: str) -> None:
    assert shareable_path(path, "elsewhere") == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("No such file: '/home/ann/my runs/a.png'", "No such file: …"),
        ("/home/ann/a.png: torn, see /home/ann/errors.log", "…: torn, see …"),
        ("file:///home/ann/a.html", "…"),
        ('in "/home/ann", at (/tmp/x)', "in …, at (…)"),
        ("1,100 images/s, 3/4 of them", "1,100 images/s, 3/4 of them"),
        ("see https://arxiv.org/abs/1312.6114", "see https://arxiv.org/abs/1312.6114"),
        ("pruned at epoch 1.5: rank 3 / 4", "pruned at epoch 1.5: rank 3 / 4"),
    ],
)
def test_messages_keep_everything_but_absolute_paths(text: str, shown: str) -> None:
    assert without_paths(text) == shown
