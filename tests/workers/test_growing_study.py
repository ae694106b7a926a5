"""A call whose study file names a wider search space, or longer trials, than the study was created with."""

from pathlib import Path

import pytest

from hpo.config.hyperparameters import Hyperparameters, Range
from hpo.config.schema import Budget, Data, Model, StudyConfig, Training
from hpo.config.study_file import ConfigError
from hpo.storage.backend import existing_study
from hpo.storage.database import StudyError
from hpo.storage.fingerprint import as_trained, stored_fingerprint
from hpo.storage.paths import StudyPaths
from hpo.workers.tuning_session import open_tuning_session


def config(low: int, high: int, epochs: int = 1) -> StudyConfig:
    return StudyConfig(
        name="growing",
        model=Model(channels=(2, 3)),
        hyperparameters=Hyperparameters(latent_dim=Range[int](low=low, high=high)),
        budget=Budget(trials=1),
        data=Data(source="sample"),
        training=Training(epochs=epochs),
    )


def stored_range() -> str:
    study = existing_study("growing", StudyPaths.of("growing"))
    assert study is not None
    return stored_fingerprint(study)["hyperparameters.latent_dim"]


def open_with(low: int, high: int) -> list[str]:
    notices: list[str] = []
    with open_tuning_session(config(low, high), on_notice=notices.append) as session:
        latent_dim = session.context.config.hyperparameters.latent_dim
        assert (latent_dim.low, latent_dim.high) == (low, high)
    return notices


def test_a_wider_range_continues_the_study_a_narrower_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    open_with(8, 64)
    line = "The study goes on with the wider search space of its file: latent_dim from 4 to 192, before from 8 to 64"
    assert line in open_with(4, 192)
    assert not any("wider search space" in notice for notice in open_with(4, 192))
    with pytest.raises(StudyError, match="has different settings"):
        open_with(8, 192)
    # As for a new study; nothing is changed.
    before = stored_range()
    with pytest.raises(ConfigError, match="latent_dim: must be at most 192"):
        open_with(4, 193)
    assert stored_range() == before


def epochs_with(epochs: int | None, in_file: int = 1) -> tuple[int, list[str]]:
    """Return the length of a trial in a call with this option, and the call's notices."""
    notices: list[str] = []
    with open_tuning_session(config(8, 64, in_file), epochs=epochs, on_notice=notices.append) as session:
        return session.context.config.training.n_epochs, notices


def test_trials_become_longer_stay_so_and_never_become_shorter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert epochs_with(2)[0] == 2, "of a new study, in place of the file's"
    n_epochs, notices = epochs_with(3)
    assert n_epochs == 3 and any(notice.startswith("Trials have 3 epochs from now on, before 2") for notice in notices)
    assert epochs_with(None)[0] == 3
    assert epochs_with(None, in_file=4)[0] == 4
    with pytest.raises(StudyError, match=r"^--epochs 3: trials of .*growing have 4 epochs, and cannot become shorter$"):
        epochs_with(3)
    with pytest.raises(ConfigError, match="epochs: must be >= 1, got 0"):
        epochs_with(0)
    assert open_study_epochs() == 4


def open_study_epochs() -> int:
    study = existing_study("growing", StudyPaths.of("growing"))
    assert study is not None
    return as_trained(study, config(8, 64)).training.n_epochs
