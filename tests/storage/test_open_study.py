"""Studies found by their names, wherever their files lay."""

from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

from hpo.config.schema import SAMPLE_SUFFIX, StudyConfig
from hpo.config.study_file import NoStudyFile, read_config
from hpo.storage.create_study import create_study
from hpo.storage.database import FINGERPRINT
from hpo.storage.open_study import remember_config, study_config
from hpo.storage.paths import StudyPaths

FILE = """
data: {source: folder, root: images}
hyperparameters: {beta: {low: 0.5, high: 2.0}, latent_dim: {choices: [2, 4]}, batch_size: 32}
budget: {trials: 3}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StudyConfig]:
    """The configuration of a file in another folder than the one that studies run in."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "emoji.yaml").write_text(FILE)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    yield read_config(tmp_path / "elsewhere" / "emoji.yaml")


def begin(config: StudyConfig, name: str) -> optuna.Study:
    return create_study(config.model_copy(update={"name": name}), StudyPaths.of(name), {FINGERPRINT: "{}"})


@pytest.mark.parametrize("suffix", ["", SAMPLE_SUFFIX], ids=["its images", "the sample"])
def test_a_study_is_found_by_its_name_with_the_last_file_that_it_ran_with(config: StudyConfig, suffix: str) -> None:
    study = begin(config, f"emoji{suffix}")
    remember_config(study, config)
    # From another folder, its images would be elsewhere.
    expected = config.model_copy(update={"data": config.data.model_copy(update={"root": Path.cwd() / "images"})})
    assert study_config("emoji") == expected
    assert study_config("emoji").model_fields_set == config.model_fields_set
    budget = config.budget.model_copy(update={"trials": 9})
    remember_config(study, config.model_copy(update={"budget": budget}))
    assert study_config("emoji").budget == budget
    # A file comes first.
    Path("study_configs").mkdir()
    Path("study_configs/emoji.yaml").write_text(FILE)
    assert study_config("emoji") == config


def test_shipped_studies_are_found_from_any_folder_after_one_of_this_name_that_has_run(config: StudyConfig) -> None:
    assert study_config("quick").data.source == "sample"
    remember_config(begin(config, "quick"), config.model_copy(update={"name": "quick"}))
    assert study_config("quick").data.source == "folder"


def test_an_unknown_study_is_named_with_the_files_and_studies_there_are(config: StudyConfig) -> None:
    remember_config(begin(config, "emoji"), config)
    with pytest.raises(NoStudyFile, match=r"available: cifar10, gpu, pareto, quick; in results: emoji$"):
        study_config("emojis")
    with pytest.raises(NoStudyFile, match=r"available: cifar10, gpu, pareto, quick$"):
        study_config("../emoji")
