"""Notes in the dashboard: their content, and that text of a user is never lost."""

import optuna
import pytest
from optuna_dashboard import get_note, save_note
from optuna_dashboard.artifact import get_artifact_path

from hpo.analysis.score_explanation import SCORE_EXPLANATION
from hpo.analysis.trial_table import Kind, TrialRow
from hpo.config.schema import Pruner
from hpo.dashboard import save_note as ours
from hpo.dashboard.study_note import study_note
from hpo.dashboard.trial_note import trial_note
from hpo.storage import artifacts
from hpo.workers.trial_context import TrialContext
from hpo.workers.worker import run_trials


def row(kind: Kind, end: str, *, reported: bool = True) -> TrialRow:
    return TrialRow(
        number=3,
        state="pruned" if kind == "pruned" else "complete",
        kind=kind,
        end=end,
        values={"beta": 1.23456, "latent_dim": 64, "schedule": "cosine"},
        val_bpd=6.93124 if reported else None,
        epoch=2.0 if reported else 0.0,
        rate_nats=101.26 if reported else None,
        distortion_nats=-2345.67 if reported else None,
        mse=0.0123456 if reported else None,
        sigma=0.1111 if reported else None,
        elapsed_s=1234.4 if reported else None,
        images_per_second=1300.2 if reported else None,
        curve=((1.0, 7.0), (2.0, 6.93124)) if reported else (),
        earlier_best=None,
        started=None,
        completed=None,
        continues=None,
        continued_by=None,
        confirms=None,
        own_epochs=2.0 if reported else 0.0,
        own_elapsed_s=1234.4 if reported else None,
        objectives=(6.93124,) if kind == "finished" else (),
    )


def test_note_of_a_trial_has_its_end_picture_results_and_hyperparameters() -> None:
    note = trial_note(
        row("pruned", "pruned at epoch 2: 6.9312 against the median 6.8420"),
        Pruner(name="median"),
        "/artifacts/1/4/abc",
    )
    assert note.startswith("**Pruned at epoch 2: 6.9312 against the median 6.8420.**\n")
    assert "worse than the median of the finished trials at this epoch" in note
    assert "![Originals above, their reconstructions below, after epoch 2](/artifacts/1/4/abc)" in note
    lines = note.splitlines()
    for line in (
        *("| val_bpd | 6.9312 bits/dim; lower is better |", "| rate | 101.3 nats per image |"),
        *("| distortion | -2345.7 nats per image |", "| mean squared error | 0.01235, pixels in [0, 1] |"),
        *("| seconds | 1,234 |", "| beta | 1.235 |", "| latent_dim | 64 |", "| schedule | cosine |"),
    ):
        assert line in lines


@pytest.mark.parametrize(
    ("kind", "end", "explanation"),
    [
        ("finished", "finished", "last epoch"),
        ("diverged", "diverged: the score is not finite", "ranks it last"),
        ("out of memory", "out of memory: CUDA", "fit into memory"),
        ("failed", "failed: AssertionError: x", "traceback"),
    ],
)
def test_note_explains_how_a_trial_ended(kind: Kind, end: str, explanation: str) -> None:
    note = trial_note(row(kind, end, reported=False), Pruner(), None)
    assert explanation in note
    assert "val_bpd" not in note and "![" not in note, "the trial made no report"


def test_note_explains_the_score_in_four_sentences() -> None:
    assert SCORE_EXPLANATION.count(". ") + 1 == 4
    for phrase in (
        *("lower is better", "β is not part of it", "probabilistic PCA (pPCA)", "validation split"),
        "undertrained or has overfitted",
    ):
        assert phrase in SCORE_EXPLANATION


def test_note_of_a_study_has_its_findings_and_its_retrained_model() -> None:
    attributes = {"retrained_trial": 2, "retrained_epochs": 20, "val_bpd": 6.39123, "test_bpd": 6.39441}
    bare = study_note("mine", ["Best: trial 2", "3 of 9 trials pruned"], {}, None)
    assert "- Best: trial 2\n- 3 of 9 trials pruned" in bare and SCORE_EXPLANATION in bare
    assert "Retrained" not in bare
    whole = study_note("mine", ["Best: trial 2"], attributes, "/artifacts/1/abc")
    assert "trial 2 for 20 epochs, val_bpd 6.3912" in whole and "test_bpd 6.3944" in whole
    assert "](/artifacts/1/abc)" in whole


def test_text_of_a_user_in_a_note_is_kept() -> None:
    study = optuna.create_study()
    save_note(study, "My own thought.")
    ours.save_note(study, "first")
    save_note(study, f"{get_note(study)}\n\nAnother.")
    for text in ("second", "third"):
        ours.save_note(study, text)
    note = get_note(study)
    assert note.startswith("third\n")
    assert note.endswith("My own thought.\n\nAnother.")
    assert "first" not in note and note.count("My own thought.") == 1


def test_a_note_that_a_kill_cut_short_is_replaced() -> None:
    study = optuna.create_study()
    save_note(study, "### mine\n\n- Best: tri")
    ours.save_note(study, "### mine\n\n- Best: trial 2")
    assert get_note(study).count("### mine") == 1


def test_note_of_a_trial_links_to_the_picture_at_the_dashboards_address(context: TrialContext) -> None:
    list(run_trials(context, 1, None))
    trial = optuna.trial.Trial(context.study, context.study.trials[0]._trial_id)
    picture = artifacts.artifact_files(context.study.trials[0], context.study, context.paths)["reconstructions.png"]
    assert f"]({get_artifact_path(trial, picture.name)})" in get_note(trial)
    assert f"| val_bpd | {context.study.trials[0].value:.4f} bits/dim; lower is better |" in get_note(trial)
