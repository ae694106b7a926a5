"""The lock of a study, and files of earlier studies that are moved aside under it."""

from dataclasses import replace
from pathlib import Path

import pytest

from hpo.config.prepared_study import PreparedStudy
from hpo.storage.database import StudyError
from hpo.storage.local.file_locks import Busy, hold_lock
from hpo.storage.paths import StudyPaths
from hpo.storage.study_lock import locked_study
from hpo.workers.trial_context import TrialContext
from model.data.images import ImageData
from model.device import Runtime
from tests.tools.small_study import CONFIG


@pytest.fixture
def prepared(context: TrialContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PreparedStudy:
    """The study of `context`, as a command started in `tmp_path` prepares it."""
    monkeypatch.chdir(tmp_path)
    return PreparedStudy(context.config, context.runtime, context.data, ())


def test_one_process_at_a_time_works_on_a_study_and_after_an_error_study_db_has_every_trial(
    prepared: PreparedStudy, context: TrialContext
) -> None:
    log = context.paths.database.with_name("study.db-wal")
    with pytest.raises(ZeroDivisionError), locked_study(prepared, fresh=False) as (study, moved):
        assert study is not None and len(study.trials) == 1 and moved is None
        with pytest.raises(Busy, match=r"^results/small: another process"), locked_study(prepared, fresh=True):
            pass
        study.enqueue_trial({"beta": 1.0})
        assert log.stat().st_size > 0
        raise ZeroDivisionError
    assert not log.exists() or log.stat().st_size == 0
    with locked_study(prepared, fresh=False) as (study, _):
        assert study is not None and len(study.trials) == 2


def test_a_study_with_other_settings_or_images_is_refused(prepared: PreparedStudy) -> None:
    other_images = replace(prepared.data, digest="others")
    for changed, named in (
        (replace(prepared, config=prepared.config.model_copy(update={"seed": 7})), "seed was 0, is now 7"),
        (replace(prepared, data=other_images), "data.digest was"),
    ):
        with pytest.raises(StudyError, match=rf"^results/small: .*: {named}"), locked_study(changed, fresh=False):
            pass


def test_a_fresh_start_moves_the_whole_study_aside_but_not_during_a_retraining(prepared: PreparedStudy) -> None:
    paths = StudyPaths.of("small")
    with (
        hold_lock(paths.best.lock, "the retraining"),
        pytest.raises(Busy, match=r"^results/small/best: another process"),
        locked_study(prepared, fresh=True),
    ):
        pass
    with locked_study(prepared, fresh=True) as (study, moved):
        assert study is None and moved is not None
        assert not paths.folder.exists() and StudyPaths(moved).database.exists()
    with locked_study(prepared, fresh=True) as (study, moved):
        assert study is None and moved is None


@pytest.mark.parametrize("name", ["checkpoints", "artifacts"])
def test_files_of_a_study_without_its_database_are_moved_aside(
    name: str, tmp_path: Path, few_images: ImageData, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    prepared = PreparedStudy(CONFIG, runtime, few_images, ())
    folder = StudyPaths.of(CONFIG.name).folder
    (folder / name).mkdir(parents=True)
    (folder / name / "trial_0000.pt").touch()
    with locked_study(prepared, fresh=False) as (study, moved):
        assert study is None and moved is not None
        assert (moved / name / "trial_0000.pt").exists() and not (folder / name).exists()
