"""Reports of a study that machines share are stored beside the training."""

import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace

import optuna
import pytest
from optuna.study import Study
from optuna.trial import FrozenTrial

from hpo.storage.backend import backend_of
from hpo.storage.cluster.objects.object_store import FilesError, Objects
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialEvent, TrialReported
from hpo.workers.worker import run_trials
from tests.tools.small_study import run_to

put = Objects.put


@pytest.fixture
def may_put(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Let each upload of a checkpoint wait until the test allows it."""
    allowed = threading.Semaphore(0)

    def put_when_allowed(objects: Objects, key: str, content: bytes) -> None:
        if key.startswith("checkpoints/"):
            assert allowed.acquire(timeout=60)
        put(objects, key, content)

    monkeypatch.setattr(Objects, "put", put_when_allowed)
    return allowed


@pytest.fixture
def unpruned(shared: TrialContext) -> TrialContext:
    shared.study.pruner = optuna.pruners.NopPruner()
    return shared


def stored(context: TrialContext) -> list[int]:
    return sorted(context.study.get_trials()[0].intermediate_values)


def reach(events: Generator[TrialEvent]) -> int:
    event = run_to(events, TrialReported)
    assert isinstance(event, TrialReported)
    return round(event.metrics.epoch)


def test_training_goes_on_while_a_report_is_being_stored_and_at_most_one_is_behind(
    unpruned: TrialContext, may_put: threading.Semaphore
) -> None:
    events = run_trials(unpruned, 1, None)
    assert reach(events) == 1 and stored(unpruned) == []
    with ThreadPoolExecutor(1) as threads:
        second = threads.submit(reach, events)
        assert not wait([second], 0.5).done, "the first report is behind"
        may_put.release()
        assert second.result(60) == 2 and stored(unpruned) == [1]
        may_put.release(2)
        list(events)
    assert stored(unpruned) == [1, 2, 3] and unpruned.study.trials[0].state.is_finished()


@pytest.mark.parametrize("is_lost", [False, True], ids=["held", "lost"])
def test_a_worker_that_stops_waits_for_its_last_report(
    is_lost: bool, unpruned: TrialContext, may_put: threading.Semaphore
) -> None:
    events = run_trials(unpruned, 1, None)
    assert reach(events) == 1
    if is_lost:
        # Another worker may have it from now on.
        backend_of(unpruned.paths).claims.let_go()
    with ThreadPoolExecutor(1) as threads:
        closed = threads.submit(events.close)
        assert not wait([closed], 0.5).done
        may_put.release()
        closed.result(60)
    assert stored(unpruned) == ([] if is_lost else [1])


def test_the_pruner_decides_from_a_study_that_has_the_report(
    shared: TrialContext, may_put: threading.Semaphore
) -> None:
    found: list[list[int]] = []

    class Recorder(optuna.pruners.BasePruner):
        def prune(self, study: Study, trial: FrozenTrial) -> bool:
            found.append(stored(replace(shared, study=study)))
            return False

    shared.study.pruner = Recorder()
    for _ in range(3):
        threading.Timer(0.3, may_put.release).start()
    list(run_trials(shared, 1, None))
    assert found == [[1], [1, 2]]


def test_a_report_that_could_not_be_stored_ends_the_worker_at_the_next_one(
    unpruned: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(objects: Objects, key: str, content: bytes) -> None:
        if key.startswith("checkpoints/trial_0000/r002"):
            raise FilesError("--files: the bucket is full")
        put(objects, key, content)

    monkeypatch.setattr(Objects, "put", refuse)
    events = run_trials(unpruned, 1, None)
    assert [reach(events), reach(events)] == [1, 2]
    with pytest.raises(FilesError, match="the bucket is full"):
        list(events)
    assert stored(unpruned) == [1] and not unpruned.study.trials[0].state.is_finished()
