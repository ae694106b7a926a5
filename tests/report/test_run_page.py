"""The page of one run: correct numbers and texts, self-contained, nothing unescaped."""

import json
import re
import shlex
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from hpo.analysis.run_metrics import SplitScores, read_run_metrics
from hpo.figures.study.trial_marks import hyperparameter_label
from hpo.report.embedded_pictures import Picture, embedded
from hpo.report.run_page import write_page
from hpo.report.run_page_data import read_run_page
from hpo.report.template_filters import duration, fixed
from hpo.storage.paths import SHOWCASE, TRAIN, RunPaths, StudyPaths
from model.config import SETTINGS, TrainConfig
from model.network.vae import ConvVAE
from model.training.model_file import save_model
from tests.report.conftest import A_RUN
from tests.tools.html_pages import HOSTILE, Page

ROOT = Path(__file__).resolve().parents[2]
# Entries of a run of `hpo train` without --test: no study, and nothing of the test split.
SINGLE_RUN: dict[str, Any] = dict.fromkeys(
    [
        *("study", "trial", "ppca_bpd", "test_bpd", "test_mse", "test_psnr_db", "test_rate_nats"),
        *("test_distortion_nats", "test_importance_weighted"),
    ]
)
SAMPLE = {"source": "sample", "n_train": 4500, "n_val": 500, "n_test": 1000}
FOLDER = {"source": "folder", "n_train": 90, "n_val": 11, "n_test": 11}
FINAL = StudyPaths.of("cifar10").best

MakeRun = Callable[..., RunPaths]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Function that copies a real run without its pictures, and changes metrics and training."""

    def make(training: dict[str, Any] | None = None, data: dict[str, Any] | None = None, **metrics: Any) -> RunPaths:
        paths = RunPaths(tmp_path / "run")
        shutil.copytree(A_RUN, paths.folder)
        metrics |= {"data": data} if data else {}
        paths.metrics_json.write_text(json.dumps(json.loads(paths.metrics_json.read_text()) | metrics))
        config = yaml.safe_load(paths.config.read_text())
        config["data"]["source"] = (data or config["data"])["source"]
        config["training"] |= training or {}
        paths.config.write_text(yaml.safe_dump(config))
        return paths

    return make


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    """A real run's numbers with the showcase's pictures, and its page."""
    paths = RunPaths(tmp_path_factory.mktemp("whole") / "run")
    shutil.copytree(ROOT / SHOWCASE, paths.folder)
    shutil.copytree(A_RUN, paths.folder, dirs_exist_ok=True)
    write_page(paths, FINAL)
    return paths


def read(paths: RunPaths, final: RunPaths = FINAL) -> Page:
    write_page(paths, final)
    return Page(paths.page.read_text(encoding="utf-8"))


def overfit(paths: RunPaths) -> None:
    """Make epoch 10 much better than the last one."""
    rows = [line.split(",") for line in paths.metrics_csv.read_text().splitlines()]
    rows[11][2] = "6.1"
    paths.metrics_csv.write_text("\n".join(",".join(row) for row in rows))


# Numbers


def test_the_page_tells_the_size_of_its_images_and_counts_their_values(make_run: MakeRun) -> None:
    shape = {"image_shape": [1, 28, 28]}
    text = read(make_run(data=FOLDER | shape, training=shape)).text
    for phrase in ("784 numbers: 28 × 28 pixels, grey", "(784 · ln 2)", "resized and cropped to 28 × 28 pixels, grey"):
        assert phrase in text
    assert "3,072" not in text and "32 × 32" not in text


def test_content_of_the_page_is_that_of_the_files(make_run: MakeRun) -> None:
    paths = make_run()
    page = read_run_page(paths, FINAL)
    assert page.metrics == read_run_metrics(paths.metrics_json) and page.scored == page.metrics.test
    assert page.training == TrainConfig(
        schedule="cosine",
        warmup_epochs=0.2,
        epochs=20,
        seed=1000,
        architecture="plain",
        adam_beta2=0.999,
        horizontal_flip=False,
        pca_start=False,
        skip_learning_rate=1.0,
    )
    assert page.validation == SplitScores(
        bpd=6.391435134413788,
        bpd_interval=None,
        rate_nats=253.30150214691162,
        distortion_nats=-3666.4726059146687,
        mse=0.005379181130727132,
        ppca_bpd=6.3860515930128505,
        codeless_bpd=None,
    )
    assert (page.untrained_bpd, page.compiled, page.earlier_best) == (8.08298750849979, False, None)
    assert page.command == "make best-retrain STUDY=cifar10 TRIAL=0 EPOCHS=20"
    assert set(page.pictures.values()) == {None}


def test_page_lists_every_hyperparameter_under_its_label(make_run: MakeRun) -> None:
    text = read(make_run({"adam_beta2": 0.95, "reconstruction": "bce"})).text
    values = {"beta": "1", "learning_rate": "0.001", "adam_beta2": "0.95", "reconstruction": "bce", "seed": "1000"}
    values |= {"schedule": "cosine", "warmup_epochs": "0.2", "max_grad_norm": "5,000", "latent_dim": "128"}
    for name, setting in SETTINGS.items():
        if setting.searchable:
            assert setting.label + values.get(name, "") in text.split("Training", 1)[1].replace("\n", "")


def test_page_shows_all_numbers(whole: RunPaths) -> None:
    text = Page(whole.page.read_text(encoding="utf-8")).text
    for number in (
        *("6.394", "6.391", "253.7", "−3,662.0", "0.00539", "22.7 dB", "0.0729", "128 of 128", "6.383", "8.083"),
        *("14 min 37 s", "1,094 images/s", "bfloat16", "CPU", "2.13.0+cpu", "45,000", "10,000"),
    ):
        assert number in text
    assert "without a code" not in text, "this run is older"
    assert "Trial 0 was chosen at 3 epochs (val_bpd 6.740) and retrained from scratch for 20 epochs" in text
    assert "366 bits about an image" in text and "which is 0.119 of the score above" in text


@pytest.mark.parametrize(
    ("metrics", "verdict"),
    [
        ({}, "✗ not beaten, behind by 0.0042: the model is undertrained"),
        ({"ppca_bpd": 6.5}, "✓ beaten by 0.1063"),
        ({"ppca_bpd": 6.393708445069441}, "✗ not beaten, behind by 0.0000: the model is undertrained"),
        (SINGLE_RUN, "✗ not beaten, behind by 0.0054: the model is undertrained"),
    ],
    ids=["retrained", "beaten", "equal", "single run"],
)
def test_page_compares_the_score_with_probabilistic_pca(
    make_run: MakeRun, metrics: dict[str, Any], verdict: str
) -> None:
    text = read(make_run(**metrics)).text
    assert text.count(verdict) == 1 and text.count(verdict[2:]) == 2
    assert ("not beaten" in text) == ("not beaten" in verdict)


def test_page_shows_a_gaussian_without_a_code_if_the_run_has_its_score(make_run: MakeRun) -> None:
    text = read(make_run(codeless_val_bpd=4.651, codeless_bpd=4.662)).text
    row = text.split("A Gaussian without a code", 1)[1].split("Importance-weighted", 1)[0]
    assert "4.651" in row and "4.662" in row and "must not be read beside published scores" in row


def test_page_of_an_overfitted_model_says_that_it_has_overfitted_and_when_it_was_better(make_run: MakeRun) -> None:
    paths = make_run()
    overfit(paths)
    assert read_run_page(paths, FINAL).earlier_best == "6.1000 at epoch 10"
    text = read(paths).text
    assert text.count("not beaten, behind by 0.0042: the model has overfitted") == 2
    assert "undertrained" not in text and "Fewer epochs, or other values, may bring it below" in text
    assert "An earlier epoch was better: 6.1000 at epoch 10; the last epoch counts (validation: 6.3914)" in text


def test_page_without_a_baseline_gives_the_reason_and_compares_nothing(make_run: MakeRun) -> None:
    text = read(make_run(ppca_bpd=None, ppca_val_bpd=None)).text
    assert "too few images for a model of this size" in text
    assert "eaten" not in text


def test_page_of_a_single_run_without_test_says_so_and_shows_validation(make_run: MakeRun) -> None:
    page = read(make_run(**SINGLE_RUN))
    assert "A single training run" in page.text and "The test split was not scored" in page.text
    assert "Score, validation" in page.text
    assert "test_bpd" not in page.text and "Test" not in [word.strip() for word in page.words]


def test_page_never_presents_a_sample_as_cifar10(make_run: MakeRun) -> None:
    text = read(make_run(data=SAMPLE, study="cifar10-sample")).text
    assert "These are not CIFAR-10’s numbers." in text and "A convolutional VAE on a sample of CIFAR-10" in text
    assert "4,500 to train, 500 to validate" in text
    assert "make best-retrain STUDY=cifar10 TRIAL=0 EPOCHS=20" in text


def test_page_never_presents_a_folder_of_images_as_cifar10(make_run: MakeRun) -> None:
    text = read(make_run(data=FOLDER)).text
    assert "A convolutional VAE on a folder of images" in text and "CIFAR-10’s classes" not in text


@pytest.mark.parametrize("commit", ["abc", "abc-dirty", None])
def test_page_checks_out_the_commit_and_warns_if_it_is_not_the_code_of_the_run(
    make_run: MakeRun, commit: str | None
) -> None:
    text = read(make_run(git_commit=commit, skipped_updates=3)).text
    assert ("git checkout abc make" in text) == (commit is not None)
    assert ("with changes that were not committed" in text) == (commit == "abc-dirty")
    assert ("not known, since the run was not made in a git checkout" in text) == (commit is None)
    assert "3 updates were skipped" in text


# The folder of the run, and how to use and reproduce it


@pytest.mark.parametrize(
    ("folder", "shown", "option"),
    [
        (TRAIN, "results/train", ""),
        (TRAIN.absolute(), "results/train", ""),
        (Path("results/my runs/one"), "results/my runs/one", " --output 'results/my runs/one'"),
        # Pages are sent to others.
        (Path("/home/ann/one"), "path/to/run", " --output path/to/run"),
    ],
)
def test_page_of_a_single_run_names_its_own_folder_and_the_command_that_fills_it(
    make_run: MakeRun, folder: Path, shown: str, option: str
) -> None:
    page = read(make_run(**SINGLE_RUN), RunPaths(folder))
    assert f'folder = Path("{shown}") # the folder of this page' in page.text
    assert (
        ".venv/bin/python -m hpo train --beta 1.0 --latent-dim 128 --learning-rate 0.001 --batch-size 64 --epochs 20 "
        "--schedule cosine --warmup-epochs 0.2 --adam-beta2 0.999 --no-horizontal-flip --seed 1000 --architecture plain"
        f"{option} Add the other settings"
    ) in page.text


def test_page_of_a_run_on_a_folder_of_images_does_not_say_where_the_folder_is(make_run: MakeRun) -> None:
    paths = make_run(data=FOLDER, **SINGLE_RUN)
    config = yaml.safe_load(paths.config.read_text())
    config["data"] |= {"source": "folder", "root": "/home/ann/images"}
    paths.config.write_text(yaml.safe_dump(config))
    write_page(paths)
    page = paths.page.read_text(encoding="utf-8")
    assert "--data path/to/images --output path/to/run" in page
    assert "/home" not in page and str(paths.folder.parent) not in page


def test_command_of_a_single_run_has_every_setting_that_is_not_the_default(make_run: MakeRun) -> None:
    training = {"max_grad_norm": 100.0, "linear_path": True, "architecture": "linear_skip", "pca_start": True}
    command = read_run_page(make_run(training, SAMPLE, **SINGLE_RUN), RunPaths(TRAIN)).command
    assert "--max-grad-norm 100.0" in command and "--architecture" not in command and "--channels" not in command
    assert command.endswith(" --linear-path --data sample")
    # The run's file is older than the flips.
    assert " --no-horizontal-flip " in command


def test_command_of_a_single_run_leaves_out_a_flag_that_is_on_by_default(make_run: MakeRun) -> None:
    command = read_run_page(make_run({"horizontal_flip": True}, SAMPLE, **SINGLE_RUN), RunPaths(TRAIN)).command
    assert "horizontal-flip" not in command


@pytest.mark.parametrize(
    ("record", "options"),
    [
        ({}, ""),
        ({"fps": 2.0, "reconstruction_interval": 1}, ""),
        ({"fps": 12.5, "reconstruction_interval": "log"}, " --reconstruction-interval log --fps 12.5"),
    ],
)
@pytest.mark.parametrize("with_test", [False, True])
def test_command_of_a_single_run_draws_and_scores_as_the_run_did(
    make_run: MakeRun, record: dict[str, Any], options: str, with_test: bool
) -> None:
    paths = make_run(**(dict.fromkeys(["study", "trial"]) if with_test else SINGLE_RUN))
    config = yaml.safe_load(paths.config.read_text())
    paths.config.write_text(yaml.safe_dump(config | record))
    command = read_run_page(paths, RunPaths(TRAIN)).command
    assert command.endswith(f" --architecture plain{options}{' --test' * with_test}")


def test_page_of_a_retrained_model_names_the_folder_of_its_study(whole: RunPaths) -> None:
    text = Page(whole.page.read_text(encoding="utf-8")).text
    assert 'folder = Path("results/cifar10/best") # the folder of this page' in text
    assert "make best-retrain STUDY=cifar10 TRIAL=0 EPOCHS=20" in text


def test_code_on_the_page_loads_the_model(make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = make_run({"latent_dim": 4, "channels": [4, 4, 4, 4]})
    monkeypatch.chdir(tmp_path)
    config = read_run_page(paths, paths).training
    save_model(paths.model, ConvVAE.from_config(config), 0.1, config)
    text = "".join(read(paths, paths).words)
    (code,) = re.findall(r"^from pathlib import Path$.*?^images = .*?$", text, re.M | re.S)
    variables: dict[str, Any] = {}
    exec(code, variables)
    assert variables["images"].shape == (8, 32, 32, 3)


# The page as a document


def test_page_is_self_contained(whole: RunPaths) -> None:
    source = whole.page.read_text(encoding="utf-8")
    page = Page(source)
    assert whole.page.stat().st_size < 8_000_000
    images = page.all("img")
    # Nine pictures, and the last frame of the animation.
    assert len(images) == 10
    assert all(image["src"].startswith("data:image/") and len(image["alt"]) > 40 for image in images)
    loading = [attributes for tag, attributes in page.tags if tag not in ("a", "img")]
    assert {attributes["href"] for attributes in loading if "href" in attributes} == {"data:,"}
    assert not any({"src", "srcset", "poster"} & attributes.keys() for attributes in loading)
    assert {tag for tag, _ in page.tags} & {"script", "iframe", "object", "base", "form"} == set()
    visible = re.sub(r'"data:[^"]*"', "", source)
    assert re.findall(r"url\(|@import|\{\{|\}\}|\{%|%\}|>None<|\bundefined\b|\bnan\b", visible) == []


def test_page_has_headings_landmarks_and_links_that_resolve(whole: RunPaths) -> None:
    page = Page(whole.page.read_text(encoding="utf-8"))
    tags = [tag for tag, _ in page.tags]
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert [tags.count(tag) for tag in ("header", "nav", "main", "footer")] == [1, 1, 1, 1]
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    internal = {link["href"][1:] for link in page.all("a") if link["href"].startswith("#")}
    labels = {attributes["aria-labelledby"] for _, attributes in page.tags if "aria-labelledby" in attributes}
    assert internal | labels <= set(ids)
    assert all(header["scope"] in ("row", "col") for header in page.all("th"))
    assert tags.count("table") == tags.count("caption")
    assert page.all("html") == [{"lang": "en"}]


def test_page_shows_the_pictures_that_exist(make_run: MakeRun) -> None:
    paths = make_run()
    frames = [Image.new("RGB", (4, 2), colour) for colour in ("red", "blue")]
    frames[0].save(paths.samples_gif, save_all=True, append_images=frames[1:])
    frames[0].save(paths.interpolations)
    page = read(paths)
    assert [image["alt"].split()[0] for image in page.all("img")] == ["Animation", "The", "Rows"]
    assert "Samples, epoch by epoch" in page.text and "Interpolations" in page.text
    assert "Traversals" not in page.text


def test_page_explains_the_frame_of_ppca_if_there_is_one(make_run: MakeRun) -> None:
    paths = make_run()
    Image.new("RGB", (4, 2)).save(paths.animation_gif)
    assert "set to pPCA" not in read(paths).text and "the order in which features appear" in read(paths).text
    paths.frames.mkdir()
    Image.new("RGB", (4, 2)).save(paths.frame(0, is_pca=True))
    page = read(paths)
    assert "In the frame set to pPCA, still at epoch 0" in page.text
    assert "the order in which features appear" not in page.text
    assert page.all("img")[0]["alt"].endswith("nearly those of a linear model, then closer to the originals.")


def test_hostile_names_stay_text(make_run: MakeRun) -> None:
    paths = make_run(study=HOSTILE, device=HOSTILE, git_commit=HOSTILE)
    page = read(paths)
    assert HOSTILE in page.text
    assert page.all("script") == []
    assert not any("onload" in attributes for _, attributes in page.tags)
    assert f"make best-retrain STUDY={shlex.quote(HOSTILE)} TRIAL=0" in page.text


def test_an_embedded_animation_includes_its_last_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 2), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "animation.gif", save_all=True, append_images=frames[1:])
    frames[1].save(tmp_path / "last.png", optimize=True)
    animation, last = embedded(tmp_path / "animation.gif"), embedded(tmp_path / "last.png")
    assert animation is not None and last is not None
    assert last == Picture(last.uri, 4, 2, None)
    assert (animation.width, animation.height, animation.still_uri) == (4, 2, last.uri)
    assert animation.uri.startswith("data:image/gif;base64,R0lGOD")


def test_filters_format_numbers_and_names_for_readers() -> None:
    assert (fixed(-3661.99, 1), fixed(0.0054, 3)) == ("−3,662.0", "0.005")
    assert [duration(s) for s in (41.6, 60, 877, 11_100)] == ["42 s", "1 min 0 s", "14 min 37 s", "3 h 5 min"]
    names = ("beta", "learning_rate", "seconds_per_epoch")
    assert [hyperparameter_label(name) for name in names] == ["β", "learning rate", "seconds per epoch"]


@pytest.mark.parametrize(
    ("training", "option"),
    [
        ({"architecture": "linear_skip", "pca_start": True}, " --skip-learning-rate 1.0"),
        ({"architecture": "linear_skip", "pca_start": True, "skip_learning_rate": 0.025}, ""),
        ({"architecture": "linear_skip"}, ""),
        ({"architecture": "norm_free", "pca_start": True}, ""),
    ],
    ids=["of an older version", "the default", "without pPCA first", "without a skip"],
)
def test_command_of_a_single_run_has_the_skips_learning_rate_if_it_had_an_effect(
    make_run: MakeRun, training: dict[str, Any], option: str
) -> None:
    command = read_run_page(make_run(training, SAMPLE, **SINGLE_RUN), RunPaths(TRAIN)).command
    assert ("--skip-learning-rate" in command) == bool(option) and option in command
