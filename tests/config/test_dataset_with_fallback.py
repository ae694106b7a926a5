"""Images that a study names: where CIFAR-10 is read from, and when the bundled sample replaces it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpo.config import dataset_with_fallback
from hpo.config.schema import StudyConfig
from model.data.images import ImageData
from model.errors import DataError, DownloadError


def study(**data: Any) -> StudyConfig:
    return StudyConfig.model_validate(
        {
            "name": "mine",
            "budget": {"trials": 1},
            "hyperparameters": {"beta": {"low": 0.5, "high": 2.0}, "batch_size": 16},
            "data": data,
        }
    )


@pytest.fixture
def sample(data: ImageData, monkeypatch: pytest.MonkeyPatch) -> ImageData:
    """Small images in place of the bundled sample, and no CIFAR10_ROOT."""
    monkeypatch.delenv("CIFAR10_ROOT", raising=False)
    sample = replace(data, source="sample")
    monkeypatch.setattr(dataset_with_fallback, "load_sample", lambda: sample)
    return sample


@pytest.fixture
def roots(monkeypatch: pytest.MonkeyPatch, sample: ImageData) -> list[Path | None]:
    """Roots that CIFAR-10 is read from; nothing is read."""
    roots: list[Path | None] = []

    def record(root: Path | None) -> ImageData:
        roots.append(root)
        return sample

    monkeypatch.setattr(dataset_with_fallback, "load_cifar10", record)
    return roots


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, sample: ImageData) -> None:
    """Every download of CIFAR-10 fails."""

    def fail(_root: Path | None) -> ImageData:
        raise DownloadError("CIFAR-10 could not be downloaded (offline)")

    monkeypatch.setattr(dataset_with_fallback, "load_cifar10", fail)


def test_the_variable_overrides_the_file(roots: list[Path | None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIFAR10_ROOT", "/from/the/variable")
    dataset_with_fallback.load_data(study(source="cifar10", root=Path("/from/the/file")))
    assert roots == [Path("/from/the/variable")]


@pytest.mark.parametrize("value", ["", None])
def test_an_empty_variable_counts_as_unset(
    roots: list[Path | None], monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is not None:
        monkeypatch.setenv("CIFAR10_ROOT", value)
    dataset_with_fallback.load_data(study(source="cifar10", root=Path("/from/the/file")))
    dataset_with_fallback.load_data(study(source="cifar10"))
    assert roots == [Path("/from/the/file"), None]


def test_a_tilde_in_a_named_folder_is_the_home_folder(
    roots: list[Path | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    dataset_with_fallback.load_data(study(source="cifar10", root=Path("~/data")))
    assert roots == [Path("/home/me/data")]


def test_the_variable_does_not_turn_another_source_into_cifar10(
    roots: list[Path | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIFAR10_ROOT", "/from/the/variable")
    assert dataset_with_fallback.load_data(study(source="sample"))[1].source == "sample"
    assert roots == []


@pytest.mark.usefixtures("offline")
def test_after_a_failed_download_the_sample_is_used_under_another_study_name(sample: ImageData) -> None:
    config, images, notice = dataset_with_fallback.load_data(study(source="cifar10"))
    assert config.name == "mine-sample"
    assert images is sample
    assert notice is not None
    assert notice.startswith("CIFAR-10 could not be downloaded (offline): ")
    assert "using the bundled sample of 5,000 images, as study 'mine-sample'" in notice
    assert "Set CIFAR10_ROOT or data.root" in notice


@pytest.mark.usefixtures("offline")
def test_without_fallback_a_failed_download_is_an_error() -> None:
    with pytest.raises(DataError) as refusal:
        dataset_with_fallback.load_data(study(source="cifar10", fallback=False))
    assert "data.fallback is false" in str(refusal.value)
    assert "Set CIFAR10_ROOT or data.root" in str(refusal.value)


@pytest.mark.usefixtures("sample")
def test_a_named_folder_never_falls_back_to_the_sample(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no folder cifar-10-batches-py"):
        dataset_with_fallback.load_data(study(source="cifar10", root=tmp_path))


@pytest.mark.usefixtures("offline")
def test_a_study_of_the_sample_keeps_its_name_and_gives_no_notice(sample: ImageData) -> None:
    config, images, notice = dataset_with_fallback.load_data(study(source="sample"))
    assert (config.name, images, notice) == ("mine", sample, None)


def test_a_batch_larger_than_the_training_images_is_refused(monkeypatch: pytest.MonkeyPatch, data: ImageData) -> None:
    monkeypatch.setattr(dataset_with_fallback, "load_folder", lambda *_: data)
    config, n_train = study(source="folder", root=Path("images")), len(data.train)
    fitting, too_large = (
        config.model_copy(
            update={"hyperparameters": config.hyperparameters.model_copy(update={"batch_size": batch_size})}
        )
        for batch_size in (n_train, n_train + 1)
    )
    assert dataset_with_fallback.load_data(fitting)[1].source == "folder"
    with pytest.raises(DataError, match=r"^hyperparameters.batch_size: must be at most 320\b.*, got 321$"):
        dataset_with_fallback.load_data(too_large)


def test_few_validation_images_are_named_with_what_their_scores_tell(data: ImageData) -> None:
    few = replace(data, reading="what was read")
    read, line = dataset_with_fallback.image_notices(few)
    assert read == "what was read"
    assert "only 60 validation images" in line and "up to about 0.10 " in line
    enough = replace(data, validation=replace(data.train, images=data.train.images[:300]))
    assert dataset_with_fallback.image_notices(enough) == []
