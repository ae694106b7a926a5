"""Status of a study: its lines in the terminal, and that determining it changes nothing."""

import shutil
from pathlib import Path

import optuna
import pytest
from optuna.artifacts import upload_artifact
from optuna.trial import TrialState

from hpo.analysis.findings import findings, next_command
from hpo.analysis.ppca_baseline import ppca_baseline_of
from hpo.analysis.status import status_of
from hpo.cli.commands.show.status import status_lines
from hpo.search.samplers import ConfigurationSampler
from hpo.storage.artifacts import artifact_store
from hpo.storage.call_log import Call, record_call
from hpo.storage.local.file_locks import hold_lock
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialReported
from hpo.workers.worker import run_trials
from tests.tools import synthetic
from tests.tools.small_study import CONFIG, run_until

pytestmark = pytest.mark.usefixtures("undrawn", "sample")


@pytest.fixture
def sample(context: TrialContext) -> None:
    context.study.set_user_attr("data", {"source": "sample"})


def lines_of(context: TrialContext) -> dict[str, list[str]]:
    """Return the status lines by the word that each starts with."""
    lines: dict[str, list[str]] = {}
    for line in status_lines(status_of(context.study, CONFIG, context.paths), CONFIG, "small"):
        word, _, rest = line.partition(": ")
        lines.setdefault(word, []).append(rest)
    return lines


def test_a_new_study_has_no_trials_and_needs_no_attention(context: TrialContext) -> None:
    lines = lines_of(context)
    assert lines[str(context.paths.folder)] == [
        "0 of 6 configurations ended, 0 running, 1 waiting, on the bundled sample"
    ]
    assert lines["best"] == ["no trial has finished yet"]
    assert lines["workers"] == ["none"]
    assert lines["attention"] == ["none"]
    assert lines["Next"] == ["make tune STUDY=small"]


def test_while_no_trial_has_finished_the_one_that_is_expected_to_end_best_is_named(context: TrialContext) -> None:
    run_until(context, TrialReported)
    (score,) = context.study.trials[0].intermediate_values.values()
    expected = f"Trial 0 is expected to end best, at {score:.4f} bits per dimension."
    assert lines_of(context)["best"] == [f"no trial has finished yet. {expected}"]
    assert (
        findings(context.study, CONFIG, ppca_baseline_of(context.study, context.paths), context.paths)[-1] == expected
    )
    assert (
        next_command(context.study, CONFIG, "small") == "Next: make tune STUDY=small; or make best-retrain STUDY=small"
    )


def test_trials_are_counted_by_how_they_ended_and_the_best_is_named(context: TrialContext) -> None:
    list(run_trials(context, 8, None))
    status = status_of(context.study, CONFIG, context.paths)
    states = [trial.state for trial in context.study.trials]
    n_finished, n_pruned = states.count(TrialState.COMPLETE), states.count(TrialState.PRUNED)
    assert n_finished and n_pruned
    assert status.counts == {"finished": n_finished, "pruned": n_pruned}
    best = min(trial.value for trial in context.study.trials if trial.state == TrialState.COMPLETE and trial.value)
    assert f"val_bpd {best:.4f} after 3 epochs: beta " in lines_of(context)["best"][0]


def test_the_best_is_the_confirmed_one_with_the_mean_of_its_new_seeds(tmp_path: Path) -> None:
    opened = synthetic.create(tmp_path, "confirmed")
    lucky, steady = (synthetic.add_trial(opened, *[7.0] * 5, score) for score in (6.5, 6.6))
    for number, scores in ((lucky, (6.8, 6.7)), (steady, (6.61, 6.63))):
        for score in scores:
            synthetic.add_trial(opened, *[7.0] * 5, score, confirms=number)
    line = status_lines(status_of(opened.study, opened.config, opened.paths), opened.config, "small")[1]
    epochs = opened.config.training.epochs
    assert line.startswith(
        f"best: trial {steady}, val_bpd 6.6000 after {epochs} epochs (confirmed with 2 new seeds: 6.6200): beta "
    )


def test_the_outlook_is_what_another_call_with_as_many_workers_is_expected_to_bring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = synthetic.create(tmp_path, "timed", {"budget": {"timeout_minutes": 5}})

    def outlook() -> list[str]:
        lines = status_lines(status_of(opened.study, opened.config, opened.paths), opened.config, "small")
        return [line for line in lines if line.startswith("outlook: ")]

    assert outlook() == []
    for number in range(16):
        synthetic.add_trial(opened, *[7.0] * 5, 6.5 + number / 100, elapsed_s=60.0)
    record_call(opened.study, Call(None, 5.0, 2, "CPU"))
    expected = "outlook: another 5 minutes, about 10 configurations, are expected to lower the best score by about 0"
    (line,) = outlook()
    assert line.startswith(expected)
    assert float(line.removeprefix(expected[:-1])) > 0
    monkeypatch.setattr(ConfigurationSampler, "predict_gain", lambda *_: None)
    assert outlook() == []


def test_a_trial_with_a_live_worker_is_distinguished_from_an_interrupted_one(context: TrialContext) -> None:
    events = run_trials(context, 6, None)
    while not isinstance(next(events), TrialReported):
        pass
    lines = lines_of(context)
    assert lines["workers"] == ["1 alive: trial 0 after epoch 1"]
    assert lines["attention"] == ["none"]
    events.close()
    lines = lines_of(context)
    assert lines["workers"] == ["none"]
    assert lines["attention"] == ["trial 0 was interrupted; make tune STUDY=small resumes it after epoch 1"]
    context.paths.checkpoint(0).unlink()
    (line,) = lines_of(context)["attention"]
    assert line.endswith("starts it over")


def test_a_trial_whose_worker_died_after_writing_its_end_still_counts_as_running(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(optuna.Study, "tell", die)
        list(run_trials(context, 1, None))
    assert context.study.trials[0].user_attrs["end"] == "finished"
    status = status_of(context.study, CONFIG, context.paths)
    assert (status.counts, [trial.number for trial in status.running]) == ({}, [0])


def test_failed_trials_an_interrupted_retraining_and_a_running_call_are_named(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("hpo.workers.objective.train", lambda *_: 1 / 0)
        list(run_trials(context, 1, None))
    state = context.paths.best.under_way.state
    state.parent.mkdir(parents=True)
    state.touch()
    assert lines_of(context)["attention"] == [
        "trial 0 failed: ZeroDivisionError: division by zero",
        "a retraining was interrupted; make best-retrain STUDY=small resumes it",
    ]
    with hold_lock(context.paths.lock, "it"):
        lines = lines_of(context)
        assert lines["workers"] == ["a search is running, between trials"]
        assert lines["Next"] == ["make dashboard STUDY=small, or wait"]
        with hold_lock(context.paths.best.lock, "it"):
            assert len(lines_of(context)["attention"]) == 1


def test_a_damaged_checkpoint_and_lost_artifacts_need_attention(context: TrialContext) -> None:
    list(run_trials(context, 1, None))
    run_until(context, TrialReported, n_total=6)
    context.paths.checkpoint(1).write_bytes(b"torn")
    (context.paths.folder / "file").write_text("content")
    upload_artifact(
        study_or_trial=context.study,
        file_path=str(context.paths.folder / "file"),
        artifact_store=artifact_store(context.paths),
    )
    shutil.rmtree(context.paths.artifacts)
    interrupted, lost = lines_of(context)["attention"]
    assert interrupted == "trial 1 was interrupted; make tune STUDY=small starts it over"
    assert "1 of 1 files of the study are missing (file of the study)" in lost


def test_the_next_command_after_the_search_is_to_retrain_and_then_to_look(context: TrialContext) -> None:
    list(run_trials(context, 6, None))
    assert lines_of(context)["Next"] == ["make best-retrain STUDY=small"]
    context.paths.best.folder.mkdir()
    context.paths.best.metrics_json.touch()
    assert lines_of(context)["Next"] == [f"open {context.paths.best.page}"]


def test_disk_use_counts_every_file_and_names_large_parts(context: TrialContext) -> None:
    (context.paths.checkpoints / "deep").mkdir(parents=True)
    (context.paths.checkpoints / "deep" / "large").write_bytes(bytes(2_000_000))
    status = status_of(context.study, CONFIG, context.paths)
    whole = sum(file.stat().st_size for file in context.paths.folder.rglob("*") if file.is_file())
    assert sum(use.n_bytes for use in status.disk) == whole
    assert lines_of(context)["disk"][0].startswith(f"{whole / 1e6:.1f} MB: checkpoints 2.0 MB")


def test_determining_the_status_changes_no_file(context: TrialContext) -> None:
    list(run_trials(context, 2, None))
    before = sorted(context.paths.folder.rglob("*"))
    lines_of(context)
    assert sorted(context.paths.folder.rglob("*")) == before
