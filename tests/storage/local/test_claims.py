"""Claims of trials by worker processes."""

from pathlib import Path

import optuna
import pytest

from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES
from hpo.search.configurations import CONFIRMS, Configuration
from hpo.search.scheduler import Step
from hpo.storage.backend import interrupted_trials
from hpo.storage.local.claims import PARENT_DIED, LocalClaims, parent_died
from hpo.storage.local.file_locks import is_locked, try_lock
from hpo.storage.paths import StudyPaths
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialStarted
from hpo.workers.worker import run_trials
from tests.search.trial_lists import make_trials


@pytest.mark.usefixtures("undrawn")
def test_claims_that_were_left_behind_are_removed_after_their_trials_have_ended(context: TrialContext) -> None:
    list(run_trials(context, 2, None))
    events = run_trials(context, 3, None)
    assert isinstance(next(events), TrialStarted)
    for number in (0, 1):
        context.paths.claim(number).touch()
    LocalClaims(context.paths).clean(context.study)
    assert not context.paths.claim(0).exists() and not context.paths.claim(1).exists()
    assert context.paths.claim(2).exists(), "its trial is running"
    events.close()


def test_a_claim_that_an_earlier_version_marked_is_recognized(tmp_path: Path) -> None:
    claim = tmp_path / "claim"
    for text, expected in ((PARENT_DIED, True), ("its leader died", True), ("", False)):
        claim.write_text(text)
        assert parent_died(claim) == expected


@pytest.fixture
def paths(tmp_path: Path) -> StudyPaths:
    return StudyPaths(tmp_path / "small")


@pytest.fixture
def study() -> optuna.Study:
    """One finished trial, and two that run."""
    study = optuna.create_study()
    study.add_trials(make_trials(("finished", [6.5], {}), ("running", [], {}), ("running", [7.0], {})))
    return study


def test_a_running_trial_without_a_live_worker_was_interrupted(study: optuna.Study, paths: StudyPaths) -> None:
    with try_lock(paths.claim(2)) or pytest.fail():
        assert LocalClaims(paths).held(study, study.trials) == {2}
        assert interrupted_trials(study, paths) == [1]
    assert interrupted_trials(study, paths) == [1, 2]


def test_the_claim_of_a_worker_that_still_draws_its_ended_trial_stays(study: optuna.Study, paths: StudyPaths) -> None:
    with try_lock(paths.claim(0)) or pytest.fail():
        LocalClaims(paths).clean(study)
        assert paths.claim(0).exists()
    LocalClaims(paths).clean(study)
    assert not paths.claim(0).exists()


def test_a_claim_that_another_process_removes_meanwhile_is_no_error(
    study: optuna.Study, paths: StudyPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StudyPaths, "trial_claims", lambda paths: [paths.claim(0)])
    LocalClaims(paths).clean(study)
    LocalClaims(paths).let_go()
    assert not paths.claim(0).exists(), "it is not created again"


def test_all_claims_are_marked_when_the_parent_process_stops(paths: StudyPaths) -> None:
    paths.claims.mkdir(parents=True)
    for path in (paths.claim(0), paths.claim(1), paths.claiming_lock):
        path.touch()
    LocalClaims(paths).let_go()
    assert [parent_died(path) for path in (paths.claim(0), paths.claim(1), paths.claiming_lock)] == [True, True, False]


def test_a_trial_is_released_however_its_training_ends(study: optuna.Study, paths: StudyPaths) -> None:
    with try_lock(paths.claim(2)) or pytest.fail():
        claim = LocalClaims(paths).take_interrupted(study) or pytest.fail()
    assert claim.trial.number == 1 and claim.loss is None
    assert is_locked(paths.claim(1)) and not is_locked(paths.claiming_lock)
    claim.release()
    assert not paths.claim(1).exists()


def test_only_a_claim_that_was_left_behind_without_a_mark_is_of_a_crashed_worker(
    study: optuna.Study, paths: StudyPaths
) -> None:
    for text, loss in (("", "crashed"), (PARENT_DIED, None)):
        paths.claims.mkdir(exist_ok=True, parents=True)
        paths.claim(1).write_text(text)
        claim = LocalClaims(paths).take_interrupted(study) or pytest.fail()
        assert claim.loss == loss
        claim.release()


def test_a_step_that_another_worker_has_taken_meanwhile_is_not_begun(study: optuna.Study, paths: StudyPaths) -> None:
    claims, configuration = LocalClaims(paths), Configuration([study.trials[0]])
    for step, limit in (
        (Step("start"), 3),
        (Step("enqueue", configuration, ((CONTINUES, 0),)), 1),
        (Step("enqueue", configuration, ((CONFIRMS, 0),)), 1),
    ):
        begun = claims.begin(study, step, limit + (step.relation is None)) or pytest.fail()
        assert claims.begin(study, step, limit + (step.relation is None)) is None
        begun.release()
    assert [trial.user_attrs for trial in study.trials[3:]] == [{}, {CONTINUES: 0}, {CONFIRMS: 0}]
    study.enqueue_trial({})
    assert claims.begin(study, Step("start"), 9) is None, "a trial waits, which comes first"
