"""Leases on trials of a shared study: one owner for each report, whatever happens to a worker."""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import optuna
import pytest
import sqlalchemy
from optuna.trial import TrialState

from benchmarks.scale.postgres import Postgres
from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES
from hpo.search.configurations import CONFIRMS, Configuration, configurations_of
from hpo.search.scheduler import Step, limit_of, n_alike
from hpo.storage.backend import backend_of, interrupted_trials
from hpo.storage.cluster import connection, leases
from hpo.storage.cluster.fenced_storage import _CALLS, FencedStorage, Report
from hpo.storage.interface import Claims, Fenced, Loss
from hpo.storage.tables.bulk_reading_storage import BulkReadingStorage
from hpo.workers.crash_retries import CRASHES, LOSSES, crash_verdict
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialEnded, TrialReported, TrialStarted
from hpo.workers.worker import run_trials
from tests.search.trial_lists import make_trials
from tests.storage.cluster.conftest import storage_of
from tests.tools.small_study import CONFIG, SPACE, run_to

pytestmark = pytest.mark.usefixtures("undrawn")

AnotherMachine = Callable[[], TrialContext]


def claims_of(context: TrialContext) -> Claims:
    return backend_of(context.paths).claims


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a server that has just started count as one that runs for long."""
    monkeypatch.setattr(leases, "_UPTIME", sqlalchemy.text("SELECT 1000"))


@pytest.fixture
def short_leases(monkeypatch: pytest.MonkeyPatch, settled: None) -> None:
    """Leases that live 0.3 s, and are not renewed."""
    monkeypatch.setattr(leases, "LIFE_S", 0.3)
    monkeypatch.setattr(leases, "RENEWAL_S", 1000.0)
    # On a busy machine, so long may pass between two statements.
    monkeypatch.setattr(leases.LeaseKeeper, "may_take_over", lambda *_: True)


@pytest.mark.usefixtures("short_leases")
def test_every_write_of_a_worker_that_has_lost_its_trial_is_refused(
    shared: TrialContext, another_machine: AnotherMachine
) -> None:
    ours = claims_of(shared).take_waiting(shared.study) or pytest.fail()
    ours.trial.set_user_attr("before", 1)
    time.sleep(0.4)
    other = another_machine()
    theirs = claims_of(other).take_interrupted(other.study) or pytest.fail()
    assert theirs.loss == "lost" and theirs.trial.number == ours.trial.number
    storage, trial_id = storage_of(shared), ours.trial._trial_id
    writes: list[Callable[[], object]] = [
        lambda: ours.trial.report(1.0, 1),
        lambda: ours.trial.set_user_attr("after", 1),
        lambda: ours.trial.suggest_float("x", 0, 1),
        lambda: shared.study.tell(ours.trial, 1.0),
        lambda: storage.report(Report(trial_id, storage.keeper.token(trial_id), 1, 1.0, "key")),
        lambda: storage.set_trial_system_attr(trial_id, "after", 1),
    ]
    for write in writes:
        with pytest.raises(Fenced):
            write()
    frozen = other.study.trials[0]
    assert frozen.state == TrialState.RUNNING and frozen.user_attrs == {"before": 1}
    assert not frozen.params and not frozen.intermediate_values
    theirs.trial.report(2.0, 1)
    ours.release()
    assert other.study.trials[0].intermediate_values == {1: 2.0}
    assert interrupted_trials(shared.study, shared.paths) == [], "giving back a lost lease frees nothing"


@pytest.mark.usefixtures("short_leases")
def test_a_take_over_waits_for_a_transaction_that_has_shown_its_token(
    shared: TrialContext, another_machine: AnotherMachine
) -> None:
    ours, storage = claims_of(shared).take_waiting(shared.study) or pytest.fail(), storage_of(shared)
    trial_id, token = ours.trial._trial_id, storage.keeper.token(ours.trial._trial_id) or pytest.fail()
    time.sleep(0.4)
    other, taken = another_machine(), threading.Event()

    def take_over() -> None:
        assert claims_of(other).take_interrupted(other.study)
        taken.set()

    with storage.engine.begin() as connection:
        leases.show(connection, trial_id, token)
        thread = threading.Thread(target=take_over)
        thread.start()
        assert not taken.wait(0.5)
    thread.join()
    assert taken.is_set()


@pytest.mark.usefixtures("short_leases")
def test_a_worker_that_is_frozen_in_a_transaction_holds_nobody_up(
    shared: TrialContext, another_machine: AnotherMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_IDLE_IN_TRANSACTION_S", 1)
    frozen, other = another_machine(), another_machine()
    ours, storage = claims_of(frozen).take_waiting(frozen.study) or pytest.fail(), storage_of(frozen)
    trial_id, token = ours.trial._trial_id, storage.keeper.token(ours.trial._trial_id) or pytest.fail()
    time.sleep(0.4)
    for engine in (storage.engine, storage.keeper.engine):
        with engine.connect() as transaction:
            transaction.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(hashtext('hpo_deciding'), 1)"))
            leases.show(transaction, trial_id, token)
            before = time.monotonic()
            with claims_of(other).deciding(other.study):
                assert 0.5 < time.monotonic() - before < 10
            with pytest.raises(sqlalchemy.exc.DBAPIError) as error:
                leases.show(transaction, trial_id, token)
            assert connection.is_outage(error.value), "so that what was begun is tried again"
            transaction.invalidate()
    theirs = claims_of(other).take_interrupted(other.study) or pytest.fail()
    assert theirs.trial.number == ours.trial.number
    with pytest.raises(Fenced):
        ours.trial.report(1.0, 1)


def test_a_trial_of_a_live_worker_is_taken_by_nobody_and_renewed(
    shared: TrialContext, another_machine: AnotherMachine, monkeypatch: pytest.MonkeyPatch, settled: None
) -> None:
    monkeypatch.setattr(leases, "LIFE_S", 0.6)
    monkeypatch.setattr(leases, "RENEWAL_S", 0.1)
    ours = claims_of(shared).take_waiting(shared.study) or pytest.fail()
    other = another_machine()
    for _ in range(4):
        time.sleep(0.3)
        assert claims_of(other).take_interrupted(other.study) is None
    assert claims_of(other).held(other.study, other.study.trials) == {ours.trial.number}
    ours.release()
    assert interrupted_trials(other.study, other.paths) == [ours.trial.number]


@pytest.mark.usefixtures("settled")
def test_what_a_worker_lets_go_of_is_no_loss_and_what_its_parent_saw_crash_is_a_crash(
    shared: TrialContext, another_machine: AnotherMachine
) -> None:
    claims, others = claims_of(shared), another_machine()
    claims.take_waiting(shared.study)
    losses: tuple[Loss | None, ...] = (None, "crashed")
    for loss in losses:
        claims.let_go([], loss)
        taken = claims_of(others).take_interrupted(others.study) or pytest.fail()
        assert taken.loss == loss


def test_a_trial_is_given_up_after_more_than_ten_losses_at_one_report_and_after_three_crashes(
    shared: TrialContext,
) -> None:
    events = run_trials(shared, 1, None)
    run_to(events, TrialStarted)
    for attribute, allowed in ((LOSSES, 10), (CRASHES, 2)):
        trial = optuna.trial.Trial(shared.study, shared.study.trials[0]._trial_id)
        trial.set_user_attr(attribute, {"report": 0, "times": allowed})
        assert crash_verdict(trial, CONFIG.training.n_epochs) is None
        trial.set_user_attr(attribute, {"report": 0, "times": allowed + 1})
        assert "times after report 0" in str(crash_verdict(trial, CONFIG.training.n_epochs))
        trial.set_user_attr(attribute, {"report": 0, "times": 0})


def test_after_an_outage_nobody_takes_a_trial_over_for_one_life_of_a_lease(
    shared: TrialContext, another_machine: AnotherMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims_of(shared).take_waiting(shared.study)
    claims_of(shared).let_go()
    other = another_machine()
    keeper = storage_of(other).keeper
    monkeypatch.setattr(leases, "_UPTIME", sqlalchemy.text("SELECT 29"))
    assert claims_of(other).take_interrupted(other.study) is None, "the server has just started"
    monkeypatch.setattr(leases, "_UPTIME", sqlalchemy.text("SELECT 31"))
    keeper._last_contact -= 31
    assert claims_of(other).take_interrupted(other.study) is None, "this worker has heard nothing for so long"
    keeper._quiet_until -= 31
    assert claims_of(other).take_interrupted(other.study) is not None


def test_two_workers_promote_a_configuration_once(shared: TrialContext, another_machine: AnotherMachine) -> None:
    shared.study.tell(shared.study.ask(), state=TrialState.PRUNED)
    workers, n_rounds = (shared, another_machine()), 200
    barrier = threading.Barrier(2)

    def promote(context: TrialContext, number: int) -> bool:
        last = context.study.get_trials(deepcopy=False)[number]
        step = Step("enqueue", Configuration([last]), ((CONTINUES, number),))
        limit = limit_of(step, context.study.get_trials(deepcopy=False), None)
        barrier.wait()
        claim = claims_of(context).begin(context.study, step, limit)
        if claim:
            context.study.tell(claim.trial, state=TrialState.PRUNED)
            claim.release()
        barrier.wait()
        return claim is not None

    with ThreadPoolExecutor(2) as pool:
        for number in range(n_rounds):
            assert sorted(pool.map(promote, workers, (number, number))) == [False, True]
    trials = shared.study.trials
    assert [trial.user_attrs.get(CONTINUES) for trial in trials] == [None, *range(n_rounds)]
    assert len(configurations_of(shared.study)) == 1


def test_the_database_counts_trials_that_are_alike_as_the_scheduler_does(shared: TrialContext) -> None:
    shared.study.tell(shared.study.ask(), state=TrialState.PRUNED)
    shared.study.add_trials(make_trials(("finished", [6.5], {}), ("pruned", [7.0], {}), ("finished", [7.0], {})))
    claims, first = claims_of(shared), Configuration([shared.study.trials[0]])
    steps = Step("start"), *(Step("enqueue", first, ((name, 0),)) for name in (CONTINUES, CONFIRMS))
    for step in steps:
        for _ in range(2):
            n_now = n_alike(shared.study.trials, step)
            assert claims.begin(shared.study, step, n_now) is None
            begun = claims.begin(shared.study, step, n_now + 1) or pytest.fail()
            assert dict(step.attributes) == begun.trial.user_attrs
            assert n_alike(shared.study.trials, step) == n_now + 1
    shared.study.enqueue_trial({})
    assert claims.begin(shared.study, Step("start"), 99) is None, "a trial waits, which comes first"


def test_plain_optuna_holds_no_lease_and_passes(shared: TrialContext, server: Postgres) -> None:
    url = str(shared.paths.location and shared.paths.location.storage).replace("postgresql:", "postgresql+psycopg:")
    plain = optuna.load_study(study_name="small", storage=url)
    trial = plain.ask()
    trial.suggest_float("beta", 0.1, 10.0, log=True)
    plain.tell(trial, 7.0)
    list(run_trials(shared, 2, None))
    assert [each.state for each in plain.trials] == [TrialState.COMPLETE] * 2


def test_the_trials_are_those_of_one_machine_bit_for_bit(shared: TrialContext, context: TrialContext) -> None:
    def results(one: TrialContext) -> list[tuple[object, ...]]:
        list(run_trials(one, 5, None))
        names = SPACE.entries()
        return [
            (t.number, t.state, {name: t.params.get(name) for name in names}, t.values, t.intermediate_values)
            for t in one.study.trials
        ]

    assert results(shared) == results(context)


@pytest.mark.usefixtures("short_leases")
def test_a_worker_that_was_frozen_drops_its_trial_without_a_word(
    shared: TrialContext, another_machine: AnotherMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = run_trials(shared, 1, None)
    run_to(frozen, TrialReported)
    time.sleep(0.4)
    # The next lease must not expire as well.
    monkeypatch.setattr(leases, "LIFE_S", 60.0)
    other = another_machine()
    resumed = run_trials(other, 1, None)
    started = run_to(resumed, TrialStarted)
    assert isinstance(started, TrialStarted) and started.epoch == 1, "it goes on from the report that was committed"
    assert not any(isinstance(event, TrialEnded) for event in run_briefly(frozen))
    ended = run_to(resumed, TrialEnded)
    assert isinstance(ended, TrialEnded) and ended.end == "finished"
    trial = shared.study.trials[0]
    assert sorted(trial.intermediate_values) == [1, 2, 3] and trial.user_attrs[LOSSES] == {"report": 1, "times": 1}


def run_briefly(events: Iterable[object]) -> list[object]:
    """Run a worker to the first event of another trial, or to its end; it waits while another worker has the trial."""
    found: list[object] = []

    def collect() -> None:
        found.extend(events)

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    thread.join(2)
    return found


def test_every_call_that_reaches_the_database_waits_for_it(shared: TrialContext) -> None:
    own = {name for kind in (FencedStorage, BulkReadingStorage) for name in vars(kind) if callable(vars(kind)[name])}
    # They call nothing, or only what is called by name below them; `deciding` holds a lock, which does not outlive it.
    others = {"__init__", "learn", "deciding", "_fenced", "_show_token", "_starts_with"}
    assert own - others <= set(_CALLS)
    storage = storage_of(shared)
    assert all(hasattr(getattr(storage, name), "__wrapped__") for name in _CALLS)


def test_trials_start_at_the_local_time_of_any_place(shared: TrialContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        claims_of(shared).take_waiting(shared.study)
        claims_of(shared).begin(shared.study, Step("start"), 9)
        starts = [trial.datetime_start for trial in shared.study.get_trials()]
        assert len(starts) == 2
        assert all(start and abs((datetime.now() - start).total_seconds()) < 60 for start in starts)
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_an_idle_worker_stops_when_it_is_asked_to(shared: TrialContext, another_machine: AnotherMachine) -> None:
    claims_of(shared).take_waiting(shared.study)
    other, asked = another_machine(), threading.Event()
    threading.Timer(1.0, asked.set).start()
    # The only trial has a worker: there is nothing to do but to wait for it.
    assert list(run_trials(other, 1, None, should_stop=asked.is_set)) == []
    assert asked.is_set()


@pytest.mark.usefixtures("settled")
def test_a_trial_that_has_ended_is_taken_over_by_nobody(shared: TrialContext, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = claims_of(shared).take_waiting(shared.study) or pytest.fail()
    shared.study.tell(claim.trial, 1.0)
    claim.release()
    trial_id = claim.trial._trial_id
    # As a list that was read just before it ended.
    monkeypatch.setattr(leases, "free", lambda *_: [trial_id])
    assert claims_of(shared).take_interrupted(shared.study) is None
