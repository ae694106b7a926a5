"""Promotion: paused trials continue from where they were, also across kills and workers, and train no epoch twice."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.trial import TrialState

from hpo.analysis.trial_table import trial_row
from hpo.config.call_arguments import N_BEST_KEPT
from hpo.config.schema import Confirmation, Pruner, Training
from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES
from hpo.search.best_trial import best_trial_of
from hpo.search.configurations import CONFIRMS, configurations_of, is_first
from hpo.storage.paths import StudyPaths
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import Notice, TrialEvent, TrialReported, TrialStarted
from hpo.workers.worker import run_trials
from model.data.images import ImageData
from model.device import Runtime
from tests.tools.fault_injection import (
    STUDY,
    audit,
    audit_the_end,
    checkout,
    finish,
    kill,
    load,
    make_images,
    results_of,
    uninterrupted_scores,
)
from tests.tools.small_study import CONFIG, create_context, reopen, running

N_CONFIGURATIONS = 6
HALVING = CONFIG.model_copy(
    update={
        # With this seed a trial is promoted, and the best one stays the best while it is confirmed.
        "seed": 2,
        "training": Training(epochs=4),
        "pruner": Pruner(name="halving", reduction_factor=2),
        "confirmation": Confirmation(top=1, seeds=2),
    }
)


def with_halving(context: TrialContext) -> TrialContext:
    return reopen(replace(context, config=HALVING))


@pytest.fixture(scope="module")
def search(
    tmp_path_factory: pytest.TempPathFactory, few_images: ImageData, runtime: Runtime
) -> Iterator[tuple[TrialContext, Sequence[TrialEvent]]]:
    """A whole search, and its events."""
    paths = StudyPaths(tmp_path_factory.mktemp("search") / "results" / "small")
    context = with_halving(create_context(paths, few_images, runtime))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hpo.workers.pictures.trial_pictures.draw_trial", lambda *_: [])
        events = list(run_trials(context, N_CONFIGURATIONS, None))
    yield context, events


def test_no_epoch_is_trained_twice(search: tuple[TrialContext, Sequence[TrialEvent]]) -> None:
    context, events = search
    trials = context.study.trials
    assert all(trial.state.is_finished() for trial in trials)
    configurations = configurations_of(context.study)
    assert len(configurations) == N_CONFIGURATIONS == sum(map(is_first, trials))
    first = {trial.number: configuration.number for configuration in configurations for trial in configuration.trials}
    trained = Counter(
        (first[event.number], event.metrics.epoch)
        for event in events
        if isinstance(event, TrialReported) and event.number in first
    )
    assert set(trained.values()) == {1}
    assert len(trained) == sum(len(configuration.scores) for configuration in configurations)


def test_a_promoted_trial_continues_a_paused_one_where_it_stopped(
    search: tuple[TrialContext, Sequence[TrialEvent]],
) -> None:
    context, events = search
    trials = context.study.trials
    started = {event.number: event for event in events if isinstance(event, TrialStarted)}
    promoted = [trial for trial in trials if CONTINUES in trial.user_attrs]
    assert promoted, "at least one trial was promoted"
    for trial in promoted:
        before = trials[trial.user_attrs[CONTINUES]]
        assert before.state == TrialState.PRUNED
        assert before.user_attrs["end"].startswith("pruned at epoch ")
        assert before.params == trial.params
        n_before = len(before.intermediate_values)
        assert list(trial.intermediate_values.values())[:n_before] == list(before.intermediate_values.values())
        assert (started[trial.number].continues, started[trial.number].epoch) == (before.number, n_before)


def test_the_best_trial_is_confirmed_with_new_seeds_that_are_not_pruned(
    search: tuple[TrialContext, Sequence[TrialEvent]],
) -> None:
    context, events = search
    best = best_trial_of(configurations_of(context.study))
    assert best is not None
    assert len(best.confirmation_scores) == 2 and len({*best.confirmation_scores, best.val_bpd}) == 3
    confirmations = [trial for trial in context.study.trials if CONFIRMS in trial.user_attrs]
    assert [trial.state for trial in confirmations] == [TrialState.COMPLETE] * 2
    assert all(trial.params == best.params for trial in confirmations)
    assert sum(event.confirms is not None for event in events if isinstance(event, TrialStarted)) == 2


def test_the_checkpoints_of_the_best_and_of_paused_trials_are_kept(
    search: tuple[TrialContext, Sequence[TrialEvent]],
) -> None:
    context, _ = search
    paths, configurations = context.paths, configurations_of(context.study)
    paused = {paths.checkpoint(entry.last_trial.number).name for entry in configurations if entry.is_paused}
    finished = [trial for trial in context.study.trials if trial.state == TrialState.COMPLETE]
    complete = [trial for trial in finished if CONFIRMS not in trial.user_attrs]
    best = sorted(complete, key=lambda trial: (trial.value, trial.number))[:N_BEST_KEPT]
    kept = {path.name for path in paths.checkpoints.glob("*.pt")}
    assert kept == paused | {paths.checkpoint(trial.number).name for trial in best}
    frames = {path.name for path in paths.checkpoints.iterdir() if path.is_dir()}
    assert frames == {name.removesuffix(".pt") for name in kept}


@pytest.mark.usefixtures("undrawn")
def test_a_promoted_trial_without_its_checkpoint_starts_over_with_the_same_scores(context: TrialContext) -> None:
    context = with_halving(context)
    events = run_trials(context, N_CONFIGURATIONS, None)
    for event in events:
        if isinstance(event, TrialStarted) and event.continues is not None:
            break
    events.close()
    (interrupted,) = running(context.study)
    before = context.study.trials[interrupted.user_attrs[CONTINUES]]
    context.paths.checkpoint(interrupted.number).unlink()
    context.paths.checkpoint(before.number).write_bytes(b"torn")
    notices = [event.text for event in run_trials(context, N_CONFIGURATIONS, None) if isinstance(event, Notice)]
    assert any("starting over" in text for text in notices)
    trial = context.study.trials[interrupted.number]
    assert trial.intermediate_values[1] == before.intermediate_values[1]
    row = trial_row(trial, context.config, context.study.trials)
    assert (row.own_epochs, row.own_elapsed_s) == (row.epoch, row.elapsed_s), "it trained all epochs itself"


@pytest.mark.usefixtures("undrawn")
def test_a_promoted_trial_whose_checkpoint_was_not_kept_reports_from_the_first_epoch_on(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpo.storage.checkpoints.N_PAUSED_KEPT", 0)
    events = run_trials(with_halving(context), N_CONFIGURATIONS, None)
    started = next(event for event in events if isinstance(event, TrialStarted) and event.continues is not None)
    assert started.epoch == 0
    reported = next(event for event in events if isinstance(event, TrialReported))
    assert (reported.number, reported.metrics.epoch) == (started.number, 1)
    events.close()


HALVING_STUDY = (
    # With this network trials overtake each other, and so are promoted.
    STUDY.replace("model: {channels", "model: {architecture: norm_free, channels")
    .replace("epochs: 3, precision", "epochs: 5, precision")
    .replace("{name: median, startup_trials: 1, warmup_epochs: 1}", "{name: halving, reduction_factor: 2}")
    .replace("{top: 0}", "{top: 1, seeds: 1}")
)
TUNE = ("tune", "small", "--trials", str(N_CONFIGURATIONS))
# Calls around the promotion of a paused trial and the inheritance of its checkpoint.
MOMENTS = [
    ("before", "optuna.Study.enqueue_trial", 2),
    ("after", "optuna.Study.enqueue_trial", 2),
    ("before", "hpo.storage.checkpoints.inherit_checkpoint", 1),
    ("after", "hpo.storage.checkpoints.inherit_checkpoint", 1),
    ("after", "hpo.storage.checkpoints._link_or_copy", 1),
    ("after", "hpo.workers.objective.save_state", 7),
    ("before", "optuna.Study.tell", 8),
]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def whole(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the same study without a kill, and check it against the reference."""
    folder = checkout(tmp_path_factory.mktemp("whole") / "checkout", images, HALVING_STUDY)
    finish(folder, *TUNE)
    audit_against_the_reference(folder)
    return folder


def audit_against_the_reference(folder: Path) -> None:
    """Check that every trial reported, to the last bit, what its values and seed give when trained in one go."""
    trials = load(folder).trials
    assert sum(map(is_first, trials)) == N_CONFIGURATIONS
    audit_the_end(folder, len(trials))
    for trial, reports in zip(trials, uninterrupted_scores(folder, trials), strict=True):
        assert list(trial.intermediate_values.values()) == reports


@pytest.mark.faults
@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: " ".join(map(str, moment)))
def test_a_study_killed_during_a_promotion_ends_as_if_never_killed(
    moment: tuple[str, str, int], whole: Path, images: Path, tmp_path: Path
) -> None:
    folder = checkout(tmp_path / "checkout", images, HALVING_STUDY)
    kill(folder, moment, *TUNE)
    audit(folder)
    finish(folder, *TUNE)
    assert results_of(folder) == results_of(whole)
    audit_the_end(folder, len(load(whole).trials))


@pytest.mark.faults
def test_two_workers_resume_the_promotion_of_a_killed_one_and_every_learning_curve_is_that_of_one_worker(
    images: Path, tmp_path: Path
) -> None:
    folder = checkout(tmp_path / "checkout", images, HALVING_STUDY)
    # Two workers alone may reach the rungs in an order in which no trial is overtaken, and so none is promoted.
    kill(folder, ("before", "optuna.Study.enqueue_trial", 2), *TUNE)
    paused = {trial.number for trial in load(folder).trials}
    finish(folder, *TUNE, "--workers", "2")
    continued = [trial.user_attrs[CONTINUES] for trial in load(folder).trials if CONTINUES in trial.user_attrs]
    assert len(set(continued)) == len(continued), "each is continued once"
    assert paused & set(continued), "also a trial from before the kill"
    audit_against_the_reference(folder)
