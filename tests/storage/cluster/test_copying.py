"""Copying a study to where machines share it, and back."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from hpo.config.call_arguments import Location
from hpo.dashboard.save_note import save_note
from hpo.storage import artifacts
from hpo.storage.backend import backend_of, existing_study
from hpo.storage.cluster.copying import copy_to_machines, copy_to_this_machine
from hpo.storage.database import StudyError
from hpo.storage.paths import StudyPaths
from hpo.storage.tables.dashboard_attributes import read_note
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialReported
from hpo.workers.worker import run_trials
from tests.tools.small_study import reopen, run_until

pytestmark = pytest.mark.usefixtures("undrawn")


def facts(study: optuna.Study) -> list[tuple[object, ...]]:
    trials = study.trials
    return [(t.number, t.state, t.params, t.values, t.intermediate_values, t.user_attrs.get("end")) for t in trials]


@pytest.fixture
def target(location: Location, context: TrialContext) -> StudyPaths:
    return StudyPaths(context.paths.folder.with_name("there") / "small", location)


@pytest.fixture
def begun(context: TrialContext, tmp_path: Path) -> TrialContext:
    """One ended trial with a note and a picture, and one that was interrupted after its first report."""
    list(run_trials(context, 1, None))
    run_until(context, TrialReported, n_total=2)
    trial = optuna.trial.Trial(context.study, context.study.trials[1]._trial_id)
    save_note(trial, "of the second trial")
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"picture")
    artifacts.upload_or_replace(trial, context.study, picture, context.paths)
    return context


def test_a_search_goes_on_where_it_was_copied_to_as_it_would_have_here(begun: TrialContext, target: StudyPaths) -> None:
    assert copy_to_machines(begun.study, begun.paths, target) == 2
    there = reopen(begun, target)
    assert facts(there.study) == facts(begun.study)
    second = optuna.trial.Trial(there.study, there.study.trials[1]._trial_id)
    assert read_note(second).startswith("of the second trial")
    (picture,) = artifacts.artifact_files(second, there.study, target).values()
    assert picture.read_bytes() == b"picture"
    events = list(run_trials(there, 3, None))
    list(run_trials(begun, 3, None))
    assert facts(there.study) == facts(begun.study)
    reported = [event.metrics.epoch for event in events if isinstance(event, TrialReported) and event.number == 1]
    assert reported[0] == 2, "it went on from its checkpoint"


def test_a_study_that_is_copied_back_goes_on_here(begun: TrialContext, target: StudyPaths, tmp_path: Path) -> None:
    copy_to_machines(begun.study, begun.paths, target)
    shared = existing_study("small", target)
    assert shared is not None
    back = StudyPaths(tmp_path / "back" / "small")
    assert copy_to_this_machine(shared, target, back) == 2
    here = reopen(replace(begun, study=shared), back)
    assert facts(here.study) == facts(begun.study)
    assert here.paths.checkpoint(1).read_bytes() == begun.paths.checkpoint(1).read_bytes()
    list(run_trials(here, 2, None))
    assert here.study.trials[1].state == TrialState.COMPLETE
    for copying, source, destination in ((copy_to_machines, begun.paths, target), (copy_to_this_machine, target, back)):
        check: Callable[..., int] = copying
        with pytest.raises(StudyError, match="there is a study already"):
            check(shared, source, destination)


def test_a_copy_that_fails_leaves_no_study(
    begun: TrialContext, target: StudyPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr("hpo.storage.cluster.copying._renamed", fail)
    with pytest.raises(ZeroDivisionError):
        copy_to_machines(begun.study, begun.paths, target)
    assert backend_of(target).database.existing_study("small") is None
