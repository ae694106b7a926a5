"""The whole pipeline once: tune, interrupted and resumed, then retrain; its files are checked by their content."""

import json
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import optuna
import pandas as pd
import pytest
import torch
import yaml
from optuna.artifacts import get_all_artifact_meta
from optuna.trial import TrialState
from optuna_dashboard import get_note
from PIL import Image

from model.data.image_folder import load_folder
from model.device import Runtime
from model.scoring import codeless_gaussian
from model.scoring.evaluation import calibrate_sigma, evaluate
from model.scoring.ppca import fit, score
from model.training.model_file import read_model
from tests.tools import warm_process
from tests.tools.class_folders import write_class_folders
from tests.tools.fault_injection import STUDY as SMALL_STUDY
from tests.tools.fault_injection import checkout, finish, make_images, paths_in
from tests.tools.fault_injection import load as load_small
from tests.tools.warm_process import environment

pytestmark = pytest.mark.slow

N_TRIALS, EPOCHS, RETRAIN_EPOCHS = 5, 3, 3
STUDY = {
    "data": {"source": "images"},
    "model": {"channels": [8, 8, 16, 16]},
    "hyperparameters": {
        "beta": {"low": 0.5, "high": 2.0, "log": True},
        "latent_dim": {"choices": [8, 16, 128]},
        "learning_rate": {"low": 1e-5, "high": 1e-2, "log": True},
        "batch_size": {"choices": [64, 128]},
    },
    "training": {"epochs": EPOCHS, "precision": "float32"},
    "budget": {"trials": N_TRIALS},
    "pruner": {"name": "median", "startup_trials": 1, "warmup_epochs": 1},
    "confirmation": {"top": 0},
    "retrain": {"epochs": RETRAIN_EPOCHS, "importance_samples": 4},
}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return warm_process.run("hpo", arguments, folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline")
    write_class_folders(folder / "images")
    (folder / "study_configs").mkdir()
    (folder / "study_configs" / "small.yaml").write_text(yaml.safe_dump(STUDY))
    return folder


def in_bad_surroundings(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a command as users do, where every variable and file that could break it is set."""
    variables = {
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": str(folder),
        "PYTHONWARNINGS": "error",
        "PYTHONUTF8": "0",
        "LC_ALL": "C",
        "MAKEFLAGS": "-j4",
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }
    (folder / "matplotlibrc").write_text("text.usetex: True\nsavefig.dpi: 20\nbackend: TkAgg\n")
    return subprocess.Popen(
        [sys.executable, "-m", "hpo", *arguments],
        cwd=folder,
        env=environment() | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


@pytest.fixture(scope="module")
def interrupted(folder: Path) -> str:
    """Output of a `tune` in bad surroundings that got SIGINT after its first report."""
    process = in_bad_surroundings(folder, "tune", "small")
    assert process.stdout is not None
    lines: list[str] = []
    while not any("val_bpd" in line for line in lines):
        lines.append(process.stdout.readline())
        assert lines[-1], f"ended too early: {lines}"
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=200)
    assert process.returncode == 130, errors
    assert errors == ""
    return "".join([*lines, rest])


@pytest.fixture(scope="module")
def tuned(folder: Path, interrupted: str) -> str:
    """Output of the `tune` that resumed it."""
    assert interrupted
    finished = run(folder, "tune", "small")
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def retrained(folder: Path, tuned: str) -> str:
    assert tuned
    process = in_bad_surroundings(folder, "retrain", "small")
    printed, errors = process.communicate(timeout=400)
    assert process.returncode == 0 and errors == "", errors
    return printed


@pytest.fixture(scope="module")
def best(folder: Path, retrained: str) -> Path:
    assert retrained
    return folder / "results" / "small" / "best"


def study_of(folder: Path) -> optuna.Study:
    return optuna.load_study(study_name="small", storage=f"sqlite:///{folder}/results/small/study.db")


def test_an_interrupted_search_names_its_open_trial_and_the_next_call_resumes_it(interrupted: str, tuned: str) -> None:
    assert "Stopping after the current epoch" in interrupted
    # One report or two: the signal may come before the process continues after printing its line.
    (n_reports,) = re.findall(r"Trial 0 was interrupted after (\d) reports; the next call resumes it", interrupted)
    assert f"trial 0 resumes after epoch {n_reports}" in tuned


def test_every_command_says_how_many_images_it_took(interrupted: str, tuned: str, retrained: str) -> None:
    for output in (interrupted, tuned, retrained):
        first, second = output.splitlines()[:2]
        assert first == "images: 600 images in 10 classes; nothing left out"
        assert "only 60 validation images" in second


def test_the_budget_estimate_is_printed_before_the_first_trial(interrupted: str) -> None:
    estimate, first_trial = interrupted.splitlines()[2:4]
    assert "images/s here" in estimate and f"trials of {EPOCHS} epochs" in estimate and "MB of disk" in estimate
    assert first_trial == "trial 0: beta 1, latent_dim 128, learning_rate 0.001, batch_size 64"


def test_the_study_holds_every_trial_once_with_its_reports(folder: Path, tuned: str) -> None:
    study = study_of(folder)
    assert [trial.number for trial in study.trials] == list(range(N_TRIALS))
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE, TrialState.PRUNED}
    for trial in study.trials:
        steps = list(trial.intermediate_values)
        assert steps == list(range(1, len(steps) + 1))
        assert trial.value == trial.intermediate_values[len(steps)]
        if trial.state == TrialState.COMPLETE:
            assert len(steps) == EPOCHS
    assert sqlite3.connect(folder / "results/small/study.db").execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_summary_names_best_trial_ppca_prunings_and_next_command(folder: Path, tuned: str) -> None:
    best = study_of(folder).best_trial
    assert f"Best: trial {best.number}, val_bpd {best.value:.4f}" in tuned
    for text in ("Probabilistic PCA with", "trials pruned", "Next: make best-retrain STUDY=small"):
        assert text in tuned


def test_a_finished_study_trains_nothing_and_repeats_its_summary(folder: Path, tuned: str) -> None:
    again = run(folder, "tune", "small")
    assert again.returncode == 0
    assert again.stdout.splitlines()[2].startswith("Best: trial")
    assert "epoch 1/" not in again.stdout


def test_each_call_writes_the_studys_page_and_names_it(folder: Path, interrupted: str, tuned: str) -> None:
    for printed in (interrupted, tuned):
        assert "The study on one page: results/small/report/index.html" in printed
        assert printed.splitlines()[-1].startswith("Next: make ")
    page = (folder / "results/small/report/index.html").read_text()
    best = study_of(folder).best_trial
    assert f"The best of {N_TRIALS} trials scores {best.value:.3f} bits per dimension" in page


def test_the_studys_page_shows_the_retrained_model(folder: Path, best: Path) -> None:
    page = (folder / "results/small/report/index.html").read_text()
    assert f"Chosen at {EPOCHS} epochs, retrained at {RETRAIN_EPOCHS}:" in page
    assert f"{json.loads((best / 'metrics.json').read_text())['test_bpd']:.4f}" in page


def test_a_searched_study_is_exported_whole(folder: Path, tuned: str) -> None:
    exported = run(folder, "export", "small")
    assert exported.returncode == 0, exported.stderr
    trials, study = pd.read_parquet(folder / "results/small/export/trials.parquet"), study_of(folder)
    assert trials["number"].tolist() == list(range(N_TRIALS))
    assert trials["val_bpd"].tolist() == [trial.value for trial in study.trials]
    assert trials["rate_nats"].tolist() == [trial.user_attrs["val_rate_nats"] for trial in study.trials]
    epochs = pd.read_csv(folder / "results/small/export/epochs.csv")
    assert len(epochs) == sum(len(trial.intermediate_values) for trial in study.trials)


def test_a_narrower_search_space_is_refused_before_anything_is_trained(folder: Path, tuned: str) -> None:
    path = folder / "study_configs" / "small.yaml"
    before = path.read_text()
    path.write_text(before.replace("high: 2.0", "high: 1.5"))
    refused = run(folder, "tune", "small")
    path.write_text(before)
    assert refused.returncode == 2
    assert "hyperparameters.beta" in refused.stderr and "--fresh" in refused.stderr
    assert len(study_of(folder).trials) == N_TRIALS


def test_retraining_is_compared_with_its_trial_and_with_ppca(retrained: str, best: Path) -> None:
    metrics = json.loads((best / "metrics.json").read_text())
    assert (
        f"Chosen at {EPOCHS} epochs, retrained at {RETRAIN_EPOCHS}: val_bpd {metrics['trial_val_bpd']:.4f}" in retrained
    )
    n_dimensions = min(metrics["hyperparameters"]["latent_dim"], 48)
    few = " (a tenth of the 480 training images)" if n_dimensions == 48 else ""
    assert f"Probabilistic PCA with {n_dimensions} dimensions{few}: validation" in retrained


def test_metrics_agree_with_a_fresh_evaluation_of_the_saved_model(best: Path, folder: Path) -> None:
    metrics = json.loads((best / "metrics.json").read_text())
    saved = read_model(best / "model.pt")
    model, sigma, config = saved.network, saved.sigma, saved.config
    data, runtime = load_folder(folder / "images"), Runtime(torch.device("cpu"), "float32")
    assert sigma == metrics["sigma"] == calibrate_sigma(model, data.train.images, runtime)
    test = evaluate(model, data.test.images, sigma, runtime)
    assert metrics["test_bpd"] == pytest.approx(test.bpd, abs=1e-9)
    assert metrics["test_mse"] == pytest.approx(test.mse, rel=1e-9)
    assert metrics["test_psnr_db"] == pytest.approx(-10 * np.log10(test.mse))
    assert metrics["test_rate_nats"] == pytest.approx(test.rate_nats, rel=1e-9)
    assert metrics["val_bpd"] == pytest.approx(evaluate(model, data.validation.images, sigma, runtime).bpd, abs=1e-9)
    size = config.latent_dim
    assert metrics["ppca_bpd"] == pytest.approx(score(fit(data.train.images), data.test.images, [size])[size])
    without_code = codeless_gaussian.fit(data.train.images)
    assert metrics["codeless_bpd"] == pytest.approx(codeless_gaussian.score(without_code, data.test.images))
    assert metrics["codeless_val_bpd"] == pytest.approx(codeless_gaussian.score(without_code, data.validation.images))
    weighted = metrics["test_importance_weighted"]
    assert weighted["bpd"] < weighted["elbo_bpd_of_the_same_images"] == metrics["test_bpd"]
    counts = {"source": "folder", "n_train": 480, "n_val": 60, "n_test": 60}
    assert metrics["data"] == counts | {"image_shape": [3, 32, 32]}


def test_metrics_csv_has_every_epoch_from_the_untrained_one(best: Path) -> None:
    table = pd.read_csv(best / "metrics.csv")
    assert table["epoch"].tolist() == list(range(RETRAIN_EPOCHS + 1))
    assert table["val_bpd"].iloc[-1] == json.loads((best / "metrics.json").read_text())["val_bpd"]
    assert table["val_bpd"].iloc[0] > table["val_bpd"].iloc[-1]


def test_every_trial_and_the_study_have_their_artifacts(folder: Path, best: Path) -> None:
    study = study_of(folder)
    store = folder / "results" / "small" / "artifacts"
    of_trials = {
        "learning_curve.png",
        "metrics.csv",
        "reconstruction_progress.gif",
        "reconstructions.png",
        "samples.png",
    }
    for trial in study.trials:
        metas = get_all_artifact_meta(trial, storage=study._storage)
        assert sorted(meta.filename for meta in metas) == sorted(of_trials)
        assert all((store / meta.artifact_id).stat().st_size > 0 for meta in metas)
    metas = get_all_artifact_meta(study)
    of_the_study = {"reconstructions.png", "samples.png", "metrics.json", "metrics.csv", "index.html"}
    of_the_study |= {"reconstruction_progress.gif", "reconstruction_progress.mp4"}
    assert sorted(meta.filename for meta in metas) == sorted(of_the_study)
    for meta in metas:
        assert (store / meta.artifact_id).read_bytes() == (best / meta.filename).read_bytes()
    assert f"Retrained**: trial {study.user_attrs['retrained_trial']} for {RETRAIN_EPOCHS} epochs" in get_note(study)


def test_the_run_keeps_how_it_was_trained(best: Path, folder: Path) -> None:
    kept = yaml.safe_load((best / "config.yaml").read_text())
    chosen = study_of(folder).best_trial
    assert kept["trial"] == chosen.number
    assert {name: kept["training"][name] for name in chosen.params} == chosen.params
    assert kept["training"]["epochs"] == RETRAIN_EPOCHS


@pytest.mark.parametrize(
    "name",
    [
        f"{name}.png"
        for name in (
            *("loss_curves", "reconstructions", "samples", "interpolations", "traversals"),
            *("latent_pca", "latent_tsne", "kl_per_dimension"),
        )
    ],
)
def test_pictures_decode_and_show_something(best: Path, name: str) -> None:
    pixels = np.asarray(Image.open(best / name).convert("L"))
    assert min(pixels.shape) > 400
    assert pixels.std() > 10


def test_the_animation_has_frames_of_the_start_and_of_every_epoch_and_holds_the_last(best: Path) -> None:
    n_frames = RETRAIN_EPOCHS + 2
    with Image.open(best / "reconstruction_progress.gif") as animation:
        assert animation.n_frames == n_frames  # type: ignore[attr-defined]
        durations = []
        for index in range(n_frames):
            animation.seek(index)
            durations.append(animation.info["duration"])
        assert durations == [500] * (n_frames - 1) + [2000]
    assert (best / "reconstruction_progress.gif").stat().st_size < 4_000_000
    frames = sorted((best / "reconstruction_frames").iterdir())
    names = [f"reconstruction_epoch_{epoch:03d}.png" for epoch in range(RETRAIN_EPOCHS + 1)]
    assert [frame.name for frame in frames] == [names[0], "reconstruction_epoch_000_ppca.png", *names[1:]]
    video = iio.imread(best / "reconstruction_progress.mp4")
    assert len(video) == n_frames + 3, "at 2 frames a second, the last frame is held for four frames"
    first, last = (np.asarray(Image.open(frame).convert("RGB"), dtype=float) for frame in (frames[0], frames[-1]))
    assert first.shape == last.shape == video[0].shape
    upper, lower = slice(0, first.shape[0] * 2 // 5), slice(first.shape[0] * 2 // 5, first.shape[0] * 2 // 3)
    assert np.array_equal(first[upper], last[upper]), "the originals do not change"
    assert np.abs(first[lower] - last[lower]).mean() > 1, "the reconstructions do"


# A search for two objectives

TWO_OBJECTIVES = SMALL_STUDY.replace("latent_dim: 4", "latent_dim: {choices: [2, 4, 8]}")
TWO_OBJECTIVES += "objectives: [val_bpd, latent_dim]\n"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with few images and a study with two objectives."""
    images = make_images(tmp_path_factory.mktemp("images"))
    return checkout(tmp_path_factory.mktemp("small") / "checkout", images, TWO_OBJECTIVES)


@pytest.fixture(scope="module")
def outputs(small: Path) -> list[str]:
    """What the commands print that tune the study, resume it, retrain its best trial and export it."""
    commands = ("tune --trials 2", "tune", "status", "retrain", "export")
    return [finish(small, name, "small", *options) for name, *options in map(str.split, commands)]


@pytest.mark.long
def test_a_search_for_two_objectives_prunes_none_and_the_lowest_score_is_retrained(
    small: Path, outputs: list[str]
) -> None:
    first, resumed, status, retrained, _ = outputs
    assert "none is pruned" in first and "Pruning and confirmation are off" in first
    assert first.index("Pruning and confirmation") < first.index("trial 0")
    study, paths = load_small(small), paths_in(small)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 4
    lowest = min(study.trials, key=lambda trial: trial.values[0])
    assert f"Best by val_bpd: trial {lowest.number}, val_bpd {lowest.values[0]:.4f}" in resumed
    assert f"best by val_bpd: trial {lowest.number}," in status
    assert f"Retraining trial {lowest.number}, of lowest val_bpd, for 3 epochs" in retrained
    metrics = json.loads(paths.best.metrics_json.read_text())
    assert (metrics["trial"], metrics["trial_val_bpd"]) == (lowest.number, lowest.values[0])
    assert 'id="front"' in paths.report.read_text()
    trials = pd.read_csv(paths.export.trials_csv)
    exported = [list(pair) for pair in zip(trials["val_bpd"], trials["latent_dim"], strict=True)]
    assert exported == [trial.values for trial in study.trials]


@pytest.mark.long
def test_retraining_again_replaces_the_folder_whole(small: Path, outputs: list[str]) -> None:
    assert outputs
    best = paths_in(small).best.folder
    (best / "of_an_earlier_run").write_text("")
    finish(small, "retrain", "small", "--trial", "0", "--epochs", "1")
    assert not (best / "of_an_earlier_run").exists()
    assert len(list((best / "reconstruction_frames").iterdir())) == 3
    assert json.loads((best / "metrics.json").read_text())["trial"] == 0
    assert [path.name for path in best.parent.iterdir() if path.name.startswith(".best")] == [".best.run.lock"]
    (earlier,) = (path for path in best.parent.iterdir() if path.name.startswith("best-"))
    assert (earlier / "of_an_earlier_run").exists(), "moved aside, not deleted"
    kept = {meta.filename: meta.artifact_id for meta in get_all_artifact_meta(load_small(small))}
    assert len(kept) == len(get_all_artifact_meta(load_small(small))), "replaced, not doubled"
    shown = best.parent / "artifacts" / kept["metrics.json"]
    assert shown.read_bytes() == (best / "metrics.json").read_bytes()


@pytest.mark.long
def test_fresh_moves_the_old_study_aside(small: Path, outputs: list[str]) -> None:
    assert outputs
    printed = finish(small, "tune", "small", "--fresh", "--trials", "1")
    (aside,) = [path for path in (small / "results").iterdir() if path.name.startswith("small-")]
    assert f"{aside.relative_to(small)}" in printed
    assert (aside / "best" / "model.pt").exists()
    assert len(load_small(small).trials) == 1
