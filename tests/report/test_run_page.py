"""The page of one run: right numbers, honest words, everything inside, nothing unescaped."""

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

from hpo.report.embedded_pictures import Picture, embedded
from hpo.report.run_page import write_page
from hpo.report.run_page_data import ImageCounts, ImportanceWeighted, Machine, Origin, SplitScores, run_page
from hpo.report.template_filters import duration, fixed
from hpo.storage.paths import RunPaths
from model.config import TrainConfig
from tests.tools.html_pages import HOSTILE, Page

SHOWCASE = Path(__file__).resolve().parents[2] / "results" / "showcase"
# Numbers of a real run, an earlier showcase's: these tests stay as they are when the showcase is made anew.
A_RUN = Path(__file__).resolve().parent / "a_run"
# What `hpo train` leaves without --test: no study, and nothing of the test split.
TRAINED_ALONE: dict[str, Any] = dict.fromkeys(
    [
        *("study", "trial", "ppca_bpd", "test_bpd", "test_mse", "test_psnr_db", "test_rate_nats"),
        *("test_distortion_nats", "test_importance_weighted"),
    ]
)
SAMPLE = {"source": "sample", "n_train": 4500, "n_val": 500, "n_test": 1000}
FOLDER = {"source": "folder", "n_train": 90, "n_val": 11, "n_test": 11}

MakeRun = Callable[..., RunPaths]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """A real run's numbers with the showcase's pictures, its metrics and training changed as asked."""

    def make(training: dict[str, Any] | None = None, **metrics: Any) -> RunPaths:
        paths = RunPaths(tmp_path / "run")
        shutil.copytree(SHOWCASE, paths.folder)
        shutil.copytree(A_RUN, paths.folder, dirs_exist_ok=True)
        paths.metrics_json.write_text(json.dumps(json.loads(paths.metrics_json.read_text()) | metrics))
        config = yaml.safe_load(paths.config.read_text())
        paths.config.write_text(yaml.safe_dump(config | {"training": config["training"] | (training or {})}))
        return paths

    return make


def read(paths: RunPaths) -> Page:
    write_page(paths)
    return Page(paths.page.read_text(encoding="utf-8"))


def test_the_data_are_those_of_the_files(make_run: MakeRun) -> None:
    page = run_page(make_run())
    assert page.origin == Origin("cifar10", 0, 6.740410105578637, 3.0)
    assert page.images == ImageCounts("cifar10", 45000, 5000, 10000)
    assert page.training == TrainConfig(
        schedule="cosine", warmup_epochs=0.2, epochs=20, seed=1000, architecture="plain", adam_beta2=0.999
    )
    assert page.test == page.scored
    assert page.test == SplitScores(
        bpd=6.393708445069441,
        rate_nats=253.66523627395634,
        distortion_nats=-3661.995670228459,
        mse=0.005394669898351034,
        psnr_db=22.680351247921344,
        ppca_bpd=6.389517085699809,
    )
    assert page.importance == ImportanceWeighted(64, 1000, 6.382816876601039, 6.403040536532303)
    assert page.machine == Machine(
        device="cpu",
        precision="bfloat16",
        compiled=False,
        elapsed_s=876.9679283999967,
        images_per_second=1093.7875425857253,
        skipped_updates=0,
        versions=(
            ("python", "3.11.7"),
            ("torch", "2.13.0+cpu"),
            ("torchvision", "0.28.0"),
            ("optuna", "5.0.0"),
            ("numpy", "2.4.6"),
        ),
        git_commit="d2faa5e760182a5633565d9fecef967e686fd7ec",
    )
    assert (page.untrained_bpd, page.sigma, page.active_units) == (8.08298750849979, 0.07289766409174828, 128)
    assert (page.earlier_best, page.folder) == (None, "results/cifar10/best")
    assert page.command == "make best-retrain STUDY=cifar10 TRIAL=0 EPOCHS=20"


def test_validation_comes_from_the_last_epoch(make_run: MakeRun) -> None:
    validation = run_page(make_run()).validation
    assert (validation.bpd, validation.rate_nats) == (6.391435134413788, 253.30150214691162)
    assert (validation.mse, validation.ppca_bpd) == (0.005379181130727132, 6.3860515930128505)


def test_the_page_is_whole_and_holds_everything_itself(make_run: MakeRun) -> None:
    paths = make_run()
    page = read(paths)
    assert paths.page.stat().st_size < 8_000_000
    images = page.all("img")
    # The film's last frame comes beside it.
    assert len(images) == 10
    assert all(image["src"].startswith("data:image/") and len(image["alt"]) > 40 for image in images)
    loading = [attributes for tag, attributes in page.tags if tag not in ("a", "img")]
    assert {attributes["href"] for attributes in loading if "href" in attributes} == {"data:,"}
    assert not any({"src", "srcset", "poster"} & attributes.keys() for attributes in loading)
    assert {tag for tag, _ in page.tags} & {"script", "iframe", "object", "base", "form"} == set()
    source = paths.page.read_text(encoding="utf-8")
    assert (
        re.findall(r"url\(|@import|\{\{|\}\}|\{%|%\}|>None<|\bundefined\b|\bnan\b", re.sub(r'"data:[^"]*"', "", source))
        == []
    )


def test_the_page_can_be_found_through_by_headings_landmarks_and_links(make_run: MakeRun) -> None:
    page = read(make_run())
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


def test_numbers_and_verdict_are_told(make_run: MakeRun) -> None:
    text = read(make_run()).text
    for told in (
        "6.394",
        "6.391",
        "253.7",
        "−3,662.0",
        "0.00539",
        "22.7 dB",
        "0.0729",
        "128 of 128",
        "6.383",
        "14 min 37 s",
    ):
        assert told in text
    assert "✗ not beaten: 0.004 behind" in text
    assert "Trial 0 was chosen at 3 epochs (val_bpd 6.740) and retrained from scratch at 20 (val_bpd 6.391)" in text
    assert "366 bits about an image" in text and "of the score above it is 0.119" in text


def test_a_yardstick_that_is_beaten_is_told_as_such(make_run: MakeRun) -> None:
    text = read(make_run(ppca_bpd=6.5)).text
    assert "✓ beaten by 0.106" in text and "not beaten" not in text.lower()


def test_a_tie_is_not_called_beaten(make_run: MakeRun) -> None:
    text = read(make_run(ppca_bpd=6.393708445069441)).text
    assert "not beaten: less than 0.001 behind" in text


def test_a_single_run_without_test_says_so_and_compares_validation(make_run: MakeRun) -> None:
    paths = make_run(**TRAINED_ALONE)
    page = run_page(paths)
    assert (page.origin, page.test, page.importance, page.folder) == (None, None, None, "results/train")
    assert page.command == (
        ".venv/bin/python -m hpo train --beta 1.0 --latent-dim 128 --learning-rate 0.001 --batch-size 64 --epochs 20 "
        "--schedule cosine --warmup-epochs 0.2 --architecture plain --adam-beta2 0.999 --seed 1000"
    )
    read_page = read(paths)
    assert "A single training run" in read_page.text and "The test split was not scored" in read_page.text
    assert "Score, validation" in read_page.text and "not beaten: 0.005 behind" in read_page.text
    assert "test_bpd" not in read_page.text and "Test" not in [word.strip() for word in read_page.words]


def test_no_yardstick_of_that_size_is_told_and_judges_nothing(make_run: MakeRun) -> None:
    text = read(make_run(ppca_bpd=None, ppca_val_bpd=None)).text
    assert "too few images for one of this size" in text
    assert "eaten" not in text


def test_a_sample_is_never_taken_for_cifar10(make_run: MakeRun) -> None:
    paths = make_run(data=SAMPLE, study="cifar10-sample")
    text = read(paths).text
    assert "These are not CIFAR-10’s numbers." in text and "A convolutional VAE on a sample of CIFAR-10" in text
    assert "4,500 to train, 500 to validate" in text
    assert run_page(paths).command == "make best-retrain STUDY=cifar10 TRIAL=0 EPOCHS=20"


def test_images_of_ones_own_are_not_called_cifar10(make_run: MakeRun) -> None:
    text = read(make_run(data=FOLDER)).text
    assert "A convolutional VAE on a folder of images" in text and "CIFAR-10’s classes" not in text


def test_an_earlier_epoch_that_was_better_is_told(make_run: MakeRun) -> None:
    paths = make_run()
    rows = [line.split(",") for line in paths.metrics_csv.read_text().splitlines()]
    rows[11][2] = "6.1"
    paths.metrics_csv.write_text("\n".join(",".join(row) for row in rows))
    assert run_page(paths).earlier_best == (10.0, 6.1)
    assert "It was better earlier: validation scored 6.100 at epoch 10 and 6.391 at the end" in read(paths).text


def test_a_missing_picture_is_left_out_and_nothing_else(make_run: MakeRun) -> None:
    paths = make_run()
    paths.animation_gif.unlink()
    paths.traversals.unlink()
    page = read(paths)
    assert len(page.all("img")) == 7
    assert "Traversals" not in page.text and "Interpolations" in page.text


def test_the_second_film_is_shown_where_there_is_one(make_run: MakeRun) -> None:
    paths = make_run()
    shutil.copy(paths.animation_gif, paths.samples_gif)
    assert "Samples, epoch by epoch" in read(paths).text


def test_hostile_names_stay_text(make_run: MakeRun) -> None:
    paths = make_run(study=HOSTILE, device=HOSTILE, git_commit=HOSTILE)
    page = read(paths)
    assert HOSTILE in page.text
    assert page.all("script") == []
    assert not any("onload" in attributes for _, attributes in page.tags)
    assert f"make best-retrain STUDY={shlex.quote(HOSTILE)} TRIAL=0" in page.text


def test_local_changes_at_a_commit_are_told(make_run: MakeRun) -> None:
    text = read(make_run(git_commit="abc-dirty", skipped_updates=3)).text
    assert "with changes that were not committed" in text and "git checkout abc make" in text
    assert "3 updates were skipped" in text


def test_a_run_outside_git_has_no_commit_to_check_out(make_run: MakeRun) -> None:
    text = read(make_run(git_commit=None)).text
    assert "not known" in text and "git checkout" not in text.replace("a git checkout", "")


def test_an_embedded_film_brings_its_last_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 2), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    frames[1].save(tmp_path / "last.png", optimize=True)
    film, last = embedded(tmp_path / "film.gif"), embedded(tmp_path / "last.png")
    assert film is not None and last is not None
    assert last == Picture(last.uri, 4, 2, None)
    assert (film.width, film.height, film.still_uri) == (4, 2, last.uri)
    assert film.uri.startswith("data:image/gif;base64,R0lGOD")


def test_numbers_are_written_for_people() -> None:
    assert (fixed(-3661.99, 1), fixed(0.0054, 3)) == ("−3,662.0", "0.005")
    assert [duration(s) for s in (41.6, 60, 877, 11_100)] == ["42 s", "1 min 0 s", "14 min 37 s", "3 h 5 min"]
