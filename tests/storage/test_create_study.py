"""The search: repeatable however it is cut into calls, guarded against changes, readable by plain Optuna."""

import json
import math
import sqlite3
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from hpo.analysis.earlier_best import earlier_best
from hpo.config.hyperparameters import Choices, Hyperparameters, Range
from hpo.config.schema import Budget, Confirmation, Pruner, StudyConfig, Training
from hpo.config.search_space import at_edge, distributions, searched, suggest, trial_config, tutorial_values
from hpo.search.configurations import CONFIRMS
from hpo.search.pruners import make_pruner, pruning_reason
from hpo.search.samplers import ConfigurationSampler, startup_trials
from hpo.storage.checkpoints import N_BEST_KEPT, unneeded_checkpoints
from hpo.storage.create_study import attach_sampler_and_pruner, create_study
from hpo.storage.database import StudyError, existing_study
from hpo.storage.file_locks import hold_lock
from hpo.storage.fingerprint import check_unchanged, fingerprint
from hpo.storage.paths import StudyPaths, move_aside
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialReported
from hpo.workers.worker import run_trials
from model.config import TrainConfig
from model.data.images import ImageData
from model.device import Runtime

pytestmark = pytest.mark.usefixtures("undrawn")

SPACE = Hyperparameters(
    beta=Range[float](low=0.1, high=10.0, log=True),
    latent_dim=Choices[int](choices=(2, 4, 128)),
    learning_rate=Range[float](low=1e-4, high=1e-2, log=True),
    batch_size=32,
)
CONFIG = StudyConfig.model_construct(
    name="small",
    hyperparameters=SPACE,
    training=Training(epochs=3),
    budget=Budget(trials=6),
    pruner=Pruner(name="median"),
    confirmation=Confirmation(top=0),
)


@pytest.fixture
def paths(tmp_path: Path) -> StudyPaths:
    return StudyPaths(tmp_path / "results" / "small")


def begin(paths: StudyPaths, data: ImageData, n_startup: int = 3) -> optuna.Study:
    attributes = {"startup_trials": n_startup, "identity": fingerprint(CONFIG, data)}
    study = create_study(CONFIG, paths, attributes)
    attach_sampler_and_pruner(study, CONFIG)
    return study


def place_of(paths: StudyPaths, study: optuna.Study, data: ImageData, runtime: Runtime) -> TrialContext:
    config = CONFIG.model_copy(update={"model": CONFIG.model.model_copy(update={"channels": (4, 4, 8, 8)})})
    return TrialContext(config, paths, study, data, runtime)


def begun(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return study.get_trials(states=(TrialState.RUNNING,))


def imitated(trial: optuna.trial.Trial) -> float:
    """A score that depends on the suggestions as a real one does."""
    values = suggest(trial, SPACE)
    distance: float = (
        math.log(values["beta"]) ** 2 + math.log10(values["learning_rate"] / 1e-3) ** 2 + 1 / values["latent_dim"]
    )
    return distance


@pytest.mark.parametrize("calls", [(3, 4, 5), (1,) * 12])
def test_a_search_cut_into_calls_suggests_what_one_call_would(tmp_path: Path, calls: tuple[int, ...]) -> None:
    def run(database: Path, cuts: tuple[int, ...]) -> list[dict[str, object]]:
        url = f"sqlite:///{database}"
        for n_trials in cuts:
            study = optuna.create_study(study_name="s", storage=url, load_if_exists=True)
            study.sampler = ConfigurationSampler("tpe", distributions(SPACE), seed=0, n_startup_trials=4, n_reports=3)
            for _ in range(n_trials):
                trial = study.ask()
                study.tell(trial, imitated(trial))
        return [trial.params for trial in study.trials]

    whole, parts = run(tmp_path / "whole.db", (12,)), run(tmp_path / "parts.db", calls)
    assert whole == parts
    assert len({str(params) for params in whole}) == 12, "no suggestion comes twice"


def test_an_interrupted_search_ends_as_if_never_interrupted(tmp_path: Path, data: ImageData, runtime: Runtime) -> None:
    def outcome(folder: Path, stops: tuple[int, ...]) -> list[tuple[object, ...]]:
        paths = StudyPaths(folder / "small")
        study = begin(paths, data)
        for stop in (*stops, None):
            study = existing_study("small", paths) or study
            attach_sampler_and_pruner(study, CONFIG)
            for index, _ in enumerate(run_trials(place_of(paths, study, data, runtime), 6, None), start=1):
                if index == stop:
                    break
        assert not begun(study)
        assert list(paths.claims.iterdir()) == [paths.claiming_lock]
        assert unneeded_checkpoints(study, paths, N_BEST_KEPT, CONFIG.pruner) == []
        return [
            (t.number, t.state, t.params, t.value, t.intermediate_values, t.user_attrs["end"]) for t in study.trials
        ]

    whole = outcome(tmp_path / "whole", ())
    assert len(whole) == 6
    # Stops right after a trial began, after its first report, and further on.
    assert outcome(tmp_path / "cut", (1, 2, 1, 5, 4)) == whole


def test_a_trial_carries_its_rate_distortion_sigma_speed_and_end(
    paths: StudyPaths, data: ImageData, runtime: Runtime
) -> None:
    study = begin(paths, data)
    events = list(run_trials(place_of(paths, study, data, runtime), 1, None))
    last = [event for event in events if isinstance(event, TrialReported)][-1].metrics
    trial = study.trials[0]
    assert trial.state == TrialState.COMPLETE
    assert trial.value == last.val_bpd
    attributes = trial.user_attrs
    for name in ("val_rate_nats", "val_distortion_nats", "val_mse", "sigma", "skipped_updates"):
        assert attributes[name] == asdict(last)[name]
    assert attributes["images_per_second"] > 0
    assert attributes["end"] == "finished"
    assert (attributes["device"], attributes["precision"]) == ("cpu", "float32")


def test_the_first_trial_has_the_tutorials_values_where_the_space_admits_them(
    paths: StudyPaths, data: ImageData
) -> None:
    study = begin(paths, data)
    attach_sampler_and_pruner(study, CONFIG)
    assert [trial.state for trial in study.trials] == [TrialState.WAITING], "enqueued once, however often prepared"
    assert suggest(study.ask(), SPACE) | {"seed": 0} == suggest_tutorial() | {"seed": 0}
    narrow = Hyperparameters(beta=Range[float](low=2.0, high=3.0), latent_dim=Choices[int](choices=(32, 128)))
    assert tutorial_values(narrow) == {"latent_dim": 128}


def suggest_tutorial() -> dict[str, object]:
    tutorial = asdict(TrainConfig())
    return {name: tutorial[name] for name in SPACE.entries()} | {"batch_size": 32}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 1}, "seed was 0, is now 1"),
        ({"training": Training(epochs=4)}, "training.epochs was 3, is now 4"),
        ({"training": Training(epochs=3, report_every=0.5)}, "training.report_every"),
        ({"objectives": ("val_bpd", "latent_dim")}, 'objectives was ["val_bpd"], is now ["val_bpd", "latent_dim"]'),
        ({"hyperparameters": SPACE.model_copy(update={"batch_size": 64})}, "hyperparameters.batch_size was 32"),
        ({"hyperparameters": SPACE.model_copy(update={"beta": 1.0})}, "hyperparameters.beta"),
        ({"hyperparameters": SPACE.model_copy(update={"reconstruction": "bce"})}, "hyperparameters.reconstruction"),
        ({"model": CONFIG.model.model_copy(update={"channels": (1, 2, 3, 4)})}, "model"),
    ],
)
def test_a_study_begun_otherwise_is_refused_with_the_remedy(
    paths: StudyPaths, data: ImageData, change: dict[str, object], named: str
) -> None:
    study = begin(paths, data)
    check_unchanged(study, fingerprint(CONFIG, data), paths)
    with pytest.raises(StudyError, match="--fresh") as refusal:
        check_unchanged(study, fingerprint(CONFIG.model_copy(update=change), data), paths)
    assert named in str(refusal.value)


def test_a_study_begun_on_other_images_is_refused(paths: StudyPaths, data: ImageData) -> None:
    study = begin(paths, data)
    other = ImageData("sample", data.class_names, data.train, data.validation, data.test, digest="others")
    with pytest.raises(StudyError, match=r"data\.source was \"folder\", is now \"sample\""):
        check_unchanged(study, fingerprint(CONFIG, other), paths)


def test_a_study_from_before_there_was_a_choice_of_model_goes_on_with_the_model_of_then(
    paths: StudyPaths, data: ImageData
) -> None:
    begun = fingerprint(CONFIG, data)
    del begun["hyperparameters.adam_beta2"], begun["objectives"]
    begun["model"] = json.dumps({"channels": json.loads(begun["model"])["channels"]})
    study = create_study(CONFIG, paths, {"startup_trials": 3, "identity": begun})
    with pytest.raises(StudyError, match=r'adam_beta2 was 0.999, is now 0.98; model was {"architecture":"plain"'):
        check_unchanged(study, fingerprint(CONFIG, data), paths)
    then = {
        "model": CONFIG.model.model_copy(update={"architecture": "plain"}),
        "hyperparameters": SPACE.model_copy(update={"adam_beta2": 0.999}),
    }
    check_unchanged(study, fingerprint(CONFIG.model_copy(update=then), data), paths)


def test_budget_pruner_and_retraining_may_change(paths: StudyPaths, data: ImageData) -> None:
    study = begin(paths, data)
    changed = CONFIG.model_copy(update={"budget": Budget(trials=99), "pruner": Pruner(name="none")})
    check_unchanged(study, fingerprint(changed, data), paths)


def test_an_old_study_is_moved_aside_whole(paths: StudyPaths, data: ImageData) -> None:
    assert move_aside(paths.folder) is None
    begin(paths, data)
    moved = move_aside(paths.folder)
    assert moved is not None and not paths.folder.exists()
    assert (moved / paths.database.name).exists()


def test_a_database_that_is_none_is_named_with_the_remedy(paths: StudyPaths) -> None:
    paths.folder.mkdir(parents=True)
    paths.database.write_bytes(b"this is not SQLite" * 100)
    with pytest.raises(StudyError, match="--fresh"):
        existing_study("small", paths)


def test_an_empty_database_counts_as_no_study(paths: StudyPaths) -> None:
    paths.folder.mkdir(parents=True)
    sqlite3.connect(paths.database).close()
    assert existing_study("small", paths) is None


def test_a_study_that_was_half_begun_is_begun_anew(paths: StudyPaths, data: ImageData) -> None:
    two = CONFIG.model_copy(update={"objectives": ("val_bpd", "latent_dim")})
    create_study(two, paths, {"startup_trials": 3})
    assert existing_study("small", paths) is None
    study = begin(paths, data)
    assert [direction.name for direction in study.directions] == ["MINIMIZE"]
    assert existing_study("small", paths) is not None


def test_a_study_of_another_program_is_left_alone(paths: StudyPaths) -> None:
    paths.folder.mkdir(parents=True)
    study = optuna.create_study(study_name="small", storage=f"sqlite:///{paths.database}")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    with pytest.raises(StudyError, match="its study small was begun by something else"):
        existing_study("small", paths)


def test_one_process_at_a_time_works_on_a_study(paths: StudyPaths) -> None:
    code = (
        f"from pathlib import Path; from hpo.storage.file_locks import hold_lock\n"
        f"with hold_lock(Path({str(paths.lock)!r}), 'x'): pass"
    )
    with hold_lock(paths.lock, "x"):
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert second.returncode != 0
        assert "another process is at work" in second.stderr
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_storage_is_in_wal_mode(paths: StudyPaths, data: ImageData) -> None:
    begin(paths, data)
    assert sqlite3.connect(paths.database).execute("PRAGMA journal_mode").fetchone() == ("wal",)


def optuna_cli(paths: StudyPaths, *arguments: str) -> Any:
    """What Optuna's own command line answers about a study, as JSON."""
    command = [sys.executable, "-c", "from optuna.cli import main; main()", *arguments]
    command += ["--storage", f"sqlite:///{paths.database}", "-f", "json"]
    answered = subprocess.run(command, capture_output=True, text=True)
    assert answered.returncode == 0, answered.stderr
    return json.loads(answered.stdout)


def test_a_study_opens_in_plain_optuna_and_its_command_line(
    paths: StudyPaths, data: ImageData, runtime: Runtime
) -> None:
    list(run_trials(place_of(paths, begin(paths, data), data, runtime), 2, None))
    study = optuna.load_study(study_name="small", storage=f"sqlite:///{paths.database}")
    (listed,) = optuna_cli(paths, "studies")
    assert (listed["name"], listed["direction"], listed["n_trials"]) == ("small", ["MINIMIZE"], 2)
    trials = optuna_cli(paths, "trials", "--study-name", "small")
    assert [trial["number"] for trial in trials] == [0, 1]
    assert [trial["params"] for trial in trials] == [trial.params for trial in study.trials]
    best = optuna_cli(paths, "best-trial", "--study-name", "small")
    assert best["number"] == study.best_trial.number
    assert best["params"] == study.best_params
    assert best["value"] == {"val_bpd": study.best_value}


def test_the_median_pruner_waits_for_trials_and_epochs(paths: StudyPaths, data: ImageData) -> None:
    study = begin(paths, data)
    training = Training(epochs=3, report_every=0.5)
    study.pruner = make_pruner(Pruner(name="median", startup_trials=2, warmup_epochs=1), training)

    def verdicts(scores: list[float]) -> list[bool]:
        trial = study.ask()
        found = []
        for step, score in enumerate(scores, start=1):
            trial.report(score, step)
            found.append(trial.should_prune())
        study.tell(trial, scores[-1])
        return found

    assert verdicts([7.0, 6.9, 6.8]) == [False] * 3
    assert verdicts([7.1, 7.0, 6.9]) == [False] * 3
    assert verdicts([8.0, 8.0, 8.0]) == [False, True, True], "not before one epoch, that is two reports"
    assert verdicts([6.9, 6.8, 6.7]) == [False] * 3


def test_trials_that_confirm_the_best_do_not_count_in_the_median() -> None:
    study = optuna.create_study(pruner=make_pruner(Pruner(name="median", startup_trials=2), Training(epochs=3)))

    def add(score: float, **attributes: int) -> None:
        scores = {1: score, 2: score}
        study.add_trial(create_trial(value=score, intermediate_values=scores, user_attrs=attributes))

    def is_pruned(score: float) -> bool:
        trial = study.ask()
        for step in (1, 2):
            trial.report(score, step)
        return trial.should_prune()

    add(7.0)
    for _ in range(2):
        add(6.5, **{CONFIRMS: 0})
    assert not is_pruned(8.0), "one trial of the search is too few"
    add(7.0)
    assert is_pruned(7.1) and not is_pruned(6.9), "against 7.0, whatever the confirmations came to"
    assert pruning_reason(study, 5, 2.0, [7.2, 7.1]).endswith("7.1000 against the median 7.0000")


def test_at_most_a_third_of_the_affordable_trials_is_unguided() -> None:
    assert [startup_trials(n) for n in (1, 5, 6, 12, 15.9, 30, 1000)] == [1, 1, 2, 4, 5, 10, 10]


def test_a_trials_seed_stays_with_it_and_differs_between_trials_and_studies() -> None:
    values = suggest_tutorial()
    seeds = [trial_config(CONFIG.model_copy(update={"seed": s}), values, n).seed for s in (0, 1) for n in range(50)]
    assert len(set(seeds)) == 100


def test_values_at_the_end_of_their_range_are_named() -> None:
    spaces = searched(SPACE)
    assert at_edge(spaces["beta"], 9.9) and at_edge(spaces["beta"], 0.1)
    assert not at_edge(spaces["beta"], 1.0)
    assert at_edge(spaces["latent_dim"], 128) and not at_edge(spaces["latent_dim"], 4)
    assert at_edge(Range[int](low=16, high=256, log=True), 256)
    assert not at_edge(Range[int](low=16, high=256, log=True), 200)


def test_an_earlier_epoch_is_named_where_it_was_notably_better() -> None:
    rows = [{"val_bpd": value} for value in (7.0, 6.5, 6.6)]
    assert earlier_best(rows) == rows[1]
    assert earlier_best([{"val_bpd": value} for value in (7.0, 6.5, 6.505)]) is None
