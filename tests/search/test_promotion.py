"""Paused trials go on from where they were, also across kills and workers: no epoch is trained twice or otherwise."""

from collections import Counter
from pathlib import Path

import pytest
from optuna.trial import TrialState

from hpo.analysis.trial_table import trial_row
from hpo.config.schema import Confirmation, Pruner, Training
from hpo.search.best_trial import best_trial_of
from hpo.search.configurations import CONFIRMS, CONTINUES, configurations_of, group_trials, is_first
from hpo.storage.create_study import attach_sampler_and_pruner
from hpo.storage.paths import StudyPaths
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import Notice, TrialReported, TrialStarted
from hpo.workers.worker import run_trials
from model.data.images import ImageData
from model.device import Runtime
from tests.storage.test_create_study import CONFIG, begin, place_of
from tests.tools.fault_injection import (
    STUDY,
    audit,
    audit_the_end,
    checkout,
    finish,
    kill,
    load,
    make_images,
    outcome,
    undisturbed,
)

N_CONFIGURATIONS = 6
HALVING = CONFIG.model_copy(
    update={
        "training": Training(epochs=4),
        "pruner": Pruner(name="halving", reduction_factor=2),
        "confirmation": Confirmation(top=1, seeds=2),
    }
)


@pytest.fixture
def place(tmp_path: Path, data: ImageData, runtime: Runtime) -> TrialContext:
    paths = StudyPaths(tmp_path / "results" / "small")
    place = place_of(paths, begin(paths, data), data, runtime)
    config = HALVING.model_copy(update={"model": place.config.model})
    attach_sampler_and_pruner(place.study, config)
    return TrialContext(config, paths, place.study, data, runtime)


@pytest.mark.usefixtures("undrawn")
def test_a_study_pauses_promotes_finishes_and_confirms_and_trains_no_epoch_twice(place: TrialContext) -> None:
    events = list(run_trials(place, N_CONFIGURATIONS, None))
    trials = place.study.trials
    assert all(trial.state.is_finished() for trial in trials)
    known = group_trials(trials)
    assert len(known) == N_CONFIGURATIONS == sum(map(is_first, trials))
    continued = [trial for trial in trials if CONTINUES in trial.user_attrs]
    assert continued, "somebody was promoted"
    for trial in continued:
        before = trials[trial.user_attrs[CONTINUES]]
        assert before.state == TrialState.PRUNED
        assert before.user_attrs["end"].startswith("pruned at epoch ")
        assert before.params == trial.params
        n_before = len(before.intermediate_values)
        assert list(trial.intermediate_values.values())[:n_before] == list(before.intermediate_values.values())
    first = {trial.number: one.number for one in known for trial in one.trials}
    trained = Counter(
        (first[event.number], event.metrics.epoch)
        for event in events
        if isinstance(event, TrialReported) and event.number in first
    )
    assert set(trained.values()) == {1}
    assert len(trained) == sum(len(one.scores) for one in known)


@pytest.mark.usefixtures("undrawn")
def test_a_promoted_trial_says_whose_course_it_goes_on_with_and_where(place: TrialContext) -> None:
    started = [event for event in run_trials(place, N_CONFIGURATIONS, None) if isinstance(event, TrialStarted)]
    goes_on = [event for event in started if event.continues is not None]
    assert goes_on
    for event in goes_on:
        assert event.continues is not None
        assert event.epoch == len(place.study.trials[event.continues].intermediate_values)
    assert sum(event.confirms is not None for event in started) == 2


@pytest.mark.usefixtures("undrawn")
def test_the_confirmed_choice_has_new_seeds_and_none_of_them_is_pruned(place: TrialContext) -> None:
    list(run_trials(place, N_CONFIGURATIONS, None))
    best = best_trial_of(configurations_of(place.study))
    assert best is not None
    (one,) = (one for one in configurations_of(place.study) if one.last_trial.number == best.number)
    assert len(one.confirmation_scores) == 2 and len({*one.confirmation_scores, one.value}) == 3
    confirmations = [trial for trial in place.study.trials if trial.user_attrs.get(CONFIRMS) == one.number]
    assert [trial.state for trial in confirmations] == [TrialState.COMPLETE] * 2


@pytest.mark.usefixtures("undrawn")
def test_a_trial_whose_checkpoint_is_gone_begins_anew_and_comes_to_the_same(place: TrialContext) -> None:
    events = run_trials(place, N_CONFIGURATIONS, None)
    for event in events:
        if isinstance(event, TrialStarted) and event.continues is not None:
            break
    events.close()
    (under_way,) = (trial for trial in place.study.trials if trial.state == TrialState.RUNNING)
    before = place.study.trials[under_way.user_attrs[CONTINUES]]
    place.paths.checkpoint(under_way.number).unlink()
    place.paths.checkpoint(before.number).write_bytes(b"torn")
    notices = [event.text for event in run_trials(place, N_CONFIGURATIONS, None) if isinstance(event, Notice)]
    assert any("starting over" in text for text in notices)
    scores = place.study.trials[under_way.number].intermediate_values
    assert scores[1] == before.intermediate_values[1]
    row = trial_row(place.study.trials[under_way.number], place.config, place.study.trials)
    assert (row.own_epochs, row.own_elapsed_s) == (row.epoch, row.elapsed_s), "it has trained all of them"


@pytest.mark.usefixtures("undrawn")
def test_a_promoted_trial_whose_checkpoint_was_not_kept_says_that_it_begins_at_the_start(
    place: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpo.storage.checkpoints.N_PAUSED_KEPT", 0)
    events = run_trials(place, N_CONFIGURATIONS, None)
    started = next(event for event in events if isinstance(event, TrialStarted) and event.continues is not None)
    assert started.epoch == 0
    reported = next(event for event in events if isinstance(event, TrialReported))
    assert (reported.number, reported.metrics.epoch) == (started.number, 1)
    events.close()


def test_the_checkpoints_kept_are_of_the_best_and_of_those_that_can_go_on(place: TrialContext) -> None:
    list(run_trials(place, N_CONFIGURATIONS, None))
    kept = {path.name for path in place.paths.checkpoints.glob("*.pt")}
    known = configurations_of(place.study)
    paused = {place.paths.checkpoint(one.last_trial.number).name for one in known if one.is_paused}
    complete = [trial for trial in place.study.trials if trial.state == TrialState.COMPLETE]
    best = sorted(complete, key=lambda trial: (trial.value, trial.number))[:3]
    assert kept == paused | {place.paths.checkpoint(trial.number).name for trial in best}
    frames = {path.name for path in place.paths.checkpoints.iterdir() if path.is_dir()}
    assert frames == {name.removesuffix(".pt") for name in paused}


STUDY_THAT_HALVES = (
    STUDY.replace("epochs: 3, precision", "epochs: 5, precision")
    .replace("{name: median, startup_trials: 1, warmup_epochs: 1}", "{name: halving, reduction_factor: 2}")
    .replace("{top: 0}", "{top: 1, seeds: 1}")
)
TUNE = ("tune", "small", "--trials", str(N_CONFIGURATIONS))
# Around the moments in which a paused trial is promoted and takes over a checkpoint.
MOMENTS = [
    ("before", "optuna.Study.enqueue_trial", 2),
    ("after", "optuna.Study.enqueue_trial", 2),
    ("before", "hpo.workers.objective.inherit_checkpoint", 1),
    ("after", "hpo.workers.objective.inherit_checkpoint", 1),
    ("after", "hpo.storage.checkpoints._share", 1),
    ("after", "hpo.workers.objective.save_state", 7),
    ("before", "optuna.Study.tell", 8),
]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def whole(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same study, undisturbed."""
    folder = checkout(tmp_path_factory.mktemp("whole") / "checkout", images, STUDY_THAT_HALVES)
    finish(folder, *TUNE)
    return folder


def audit_against_the_reference(folder: Path) -> None:
    """Every trial reported, to the last bit, what its values give when trained in one go with its seed."""
    trials = load(folder).trials
    assert sum(map(is_first, trials)) == N_CONFIGURATIONS
    audit_the_end(folder, len(trials))
    for trial, reports in zip(trials, undisturbed(folder, trials), strict=True):
        assert list(trial.intermediate_values.values()) == reports


@pytest.mark.faults
@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: " ".join(map(str, moment)))
def test_a_study_killed_while_it_promotes_ends_as_if_never_killed(
    moment: tuple[str, str, int], whole: Path, images: Path, tmp_path: Path
) -> None:
    folder = checkout(tmp_path / "checkout", images, STUDY_THAT_HALVES)
    kill(folder, moment, *TUNE)
    audit(folder)
    finish(folder, *TUNE)
    assert outcome(folder) == outcome(whole)
    audit_against_the_reference(folder)


@pytest.mark.faults
def test_two_workers_go_on_with_what_a_killed_one_was_promoting_and_every_course_is_as_of_one(
    images: Path, tmp_path: Path
) -> None:
    folder = checkout(tmp_path / "checkout", images, STUDY_THAT_HALVES)
    # Two workers alone may come to the rungs in an order in which nobody is overtaken, and so nobody promoted.
    kill(folder, ("before", "optuna.Study.enqueue_trial", 2), *TUNE)
    paused = {trial.number for trial in load(folder).trials}
    finish(folder, *TUNE, "--workers", "2")
    continued = [trial.user_attrs[CONTINUES] for trial in load(folder).trials if CONTINUES in trial.user_attrs]
    assert len(set(continued)) == len(continued), "each is continued once"
    assert paused & set(continued), "also one of whom was killed before"
    audit_against_the_reference(folder)
