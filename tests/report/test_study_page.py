"""The study's page: the right answer in every case, everything inside, small at any size, nothing unescaped."""

import base64
import dataclasses
import hashlib
import json
import re
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from optuna.trial import TrialState

from hpo.analysis.importances import Importances, find_importances
from hpo.analysis.ppca_baseline import PpcaBaseline
from hpo.analysis.results import findings, next_step
from hpo.analysis.status import described, status_of
from hpo.analysis.trial_table import trial_rows
from hpo.cli.commands.report import report as report_command
from hpo.config.study_file import read_config
from hpo.report.study_page import PAGE_BYTES, rendered, try_to_write_report, write_report
from hpo.report.study_page_data import Retrained, Setting, study_report
from hpo.report.study_page_figures import FIGURES
from hpo.report.trial_gallery import MAX_CARDS, N_FULL, gallery, ranked
from hpo.storage.database import StudyError
from hpo.storage.open_study import OpenStudy, open_study
from tests.tools import synthetic
from tests.tools.html_pages import HOSTILE, Page

SAMPLE = {"source": "sample", "n_train": 4500, "n_val": 500, "n_test": 1000}
METRICS = {
    **{"trial": 1, "trial_val_bpd": 6.5, "trial_epochs": 3.0, "epochs": 20},
    **{"val_bpd": 6.25, "test_bpd": 6.3, "ppca_bpd": 6.4},
}

Begin = Callable[..., OpenStudy]


@pytest.fixture
def begin(tmp_path: Path) -> Begin:
    """Begins a study below the test's folder."""
    return lambda **more: synthetic.begin(tmp_path, **more)


def read(at_hand: OpenStudy) -> Page:
    """The page without its figures, which take most of its time."""
    report = study_report(at_hand)
    cards = gallery(report.rows, at_hand, PAGE_BYTES)
    return Page(rendered(report, dict.fromkeys(FIGURES), cards, at_hand.paths))


def read_whole(at_hand: OpenStudy) -> Page:
    write_report(at_hand)
    return Page(at_hand.paths.report.read_text(encoding="utf-8"))


def retrain(at_hand: OpenStudy, **metrics: Any) -> None:
    at_hand.paths.best.folder.mkdir(parents=True)
    at_hand.paths.best.metrics_json.write_text(json.dumps(METRICS | metrics))


# The answer


def test_the_best_comes_first_with_its_values_and_what_was_searched(begin: Begin) -> None:
    at_hand = begin()
    synthetic.add(at_hand, 7.0, 6.75)
    synthetic.add(at_hand, 7.0, 6.5, values={"beta": 0.301, "latent_dim": 32})
    page = read(at_hand)
    assert "The best of 2 trials scores 6.500 bits per dimension" in page.text
    assert "Trial 1, trained for 1 epoch with β 0.301, latent dimension 32, learning rate 0.001, batch" in page.text
    assert study_report(at_hand).settings == (
        Setting("beta", 0.301, "0.3 to 3, log scale", 1.0, True),
        Setting("latent_dim", 32, "16 to 256, log scale", 128, False),
        Setting("learning_rate", 0.001, "0.0003 to 0.01, log scale", 0.001, False),
        Setting("batch_size", 64, "one of 32, 64, 128, 256", 64, False),
    )
    assert "At the edge of its range: β. A wider range" in page.text


def test_the_spread_among_the_best_is_told_with_what_it_does_not_mean(begin: Begin) -> None:
    at_hand = begin()
    for score in (6.5, 6.5049, 6.51, 6.52):
        synthetic.add(at_hand, score)
    text = read(at_hand).text
    assert "3 of 4 finished trials lie within 0.01 of the best, from 6.5000 to 6.5100." in text
    assert "with one seed" in text and "may be luck" in text


def test_a_best_far_ahead_is_told_by_the_next(begin: Begin) -> None:
    at_hand = begin()
    for score in (6.5, 6.75):
        synthetic.add(at_hand, score)
    assert (
        "No other finished trial comes within 0.01 of the best: of 2, the next one scores 6.7500." in read(at_hand).text
    )


def test_a_single_finished_trial_is_compared_with_nothing(begin: Begin) -> None:
    at_hand = begin()
    synthetic.add(at_hand, 6.5)
    text = read(at_hand).text
    assert "The only trial scores 6.500 bits per dimension" in text
    assert "One trial has finished, so there is nothing to compare it with yet." in text
    assert "the only finished trial so far" in text and "nothing sampled since" not in text
    assert "within 0.01" not in text


@pytest.mark.parametrize(
    ("score", "tile", "sentence"),
    [
        (6.0, "✓ beaten by 0.241", "It beats the linear model of its size"),
        (7.0, "✗ not beaten: 0.759 behind", "It does not beat the linear model of its size"),
    ],
)
def test_the_yardstick_of_its_own_size_judges_the_best(begin: Begin, score: float, tile: str, sentence: str) -> None:
    at_hand = begin()
    synthetic.add(at_hand, score)
    synthetic.keep_yardstick(at_hand)
    text = read_whole(at_hand).text
    assert tile in text and sentence in text
    assert "The black line is probabilistic PCA" in text


@pytest.mark.parametrize(
    "content", [None, "torn {", '{"digest": "of other images", "validation_bpd": {"128": 1.0}}', "[]"]
)
def test_a_yardstick_that_is_not_at_hand_is_left_out_with_a_word(begin: Begin, content: str | None) -> None:
    at_hand = begin()
    synthetic.add(at_hand, 6.5)
    if content is not None:
        at_hand.paths.yardstick.write_text(content)
    assert study_report(at_hand).yardstick == PpcaBaseline("", {}, {})
    text = read_whole(at_hand).text
    assert "eaten" not in text.replace("has beaten it", "") and "is not at hand here" in text
    assert "The linear model’s curve is left out" in text


def test_a_yardstick_of_an_older_version_without_rates_still_judges(begin: Begin) -> None:
    at_hand = begin()
    at_hand.paths.yardstick.write_text('{"digest": "d1ge57", "validation_bpd": {"2": 7.0}}')
    assert study_report(at_hand).yardstick == PpcaBaseline("d1ge57", {2: 7.0}, {})


def test_the_first_trial_is_called_the_tutorials_and_compared(begin: Begin) -> None:
    at_hand = begin()
    synthetic.add(at_hand, 6.75)
    synthetic.add(at_hand, 6.5)
    text = read(at_hand).text
    assert "First trial: the tutorial’s values 6.750 ✓ beaten by 0.250" in text
    assert "which had the tutorial’s values of what is searched, scored 6.7500; the best is 0.250 better." in text


def test_a_first_trial_that_nothing_has_beaten_is_told_as_such(begin: Begin) -> None:
    at_hand = begin()
    synthetic.add(at_hand, 6.5)
    synthetic.add(at_hand, 6.75)
    assert (
        "The best is the first trial, which had the tutorial’s values of what is searched: nothing sampled since"
        in read(at_hand).text
    )


def test_a_first_trial_that_did_not_finish_is_told_as_such(begin: Begin) -> None:
    at_hand = begin()
    synthetic.add(at_hand, end="diverged: not finite")
    synthetic.add(at_hand, 6.75)
    assert (
        "which had the tutorial’s values of what is searched, did not finish (diverged: not finite)."
        in read(at_hand).text
    )


def test_a_range_without_the_tutorials_value_makes_the_first_trial_just_the_first(begin: Begin) -> None:
    space = synthetic.FILE["hyperparameters"] | {"beta": {"low": 2.0, "high": 3.0}}
    at_hand = begin(file={"hyperparameters": space})
    synthetic.add(at_hand, 6.75, values={"beta": 2.5})
    synthetic.add(at_hand, 6.5, values={"beta": 2.6})
    text = read(at_hand).text
    assert "The first trial scored 6.7500; the best is 0.250 better." in text
    assert "which had the tutorial’s values" not in text


def test_an_earlier_epoch_that_was_better_is_told(begin: Begin) -> None:
    at_hand = begin()
    synthetic.add(at_hand, 6.5, earlier_best="6.4000 at epoch 2")
    assert "It was better earlier: 6.4000 at epoch 2." in read(at_hand).text


def test_the_retrained_model_is_told_beside_its_trial_and_linked(begin: Begin) -> None:
    at_hand = begin()
    for score in (6.75, 6.5):
        synthetic.add(at_hand, score)
    retrain(at_hand)
    assert study_report(at_hand).retrained == Retrained(1, 3.0, 6.5, 20, 6.25, 6.3, 6.4)
    page = read(at_hand)
    assert "Chosen at 3 epochs, retrained at 20: trial 1 went from 6.5000 to 6.2500" in page.text
    assert "it scores 6.3000 , the linear model 6.4000" in page.text.replace("6.3000,", "6.3000 ,")
    assert "../best/index.html" in [link["href"] for link in page.all("a")]
    assert "is now the best" not in page.text


def test_a_retrained_trial_that_is_no_longer_the_best_is_told_as_such(begin: Begin) -> None:
    at_hand = begin()
    for score in (6.75, 6.5, 6.25):
        synthetic.add(at_hand, score)
    retrain(at_hand)
    assert "That is not the best trial, which is 2: make best-retrain STUDY=small" in read(at_hand).text


def test_without_retraining_the_command_for_it_is_told(begin: Begin) -> None:
    at_hand = begin()
    synthetic.add(at_hand, 6.5)
    assert "Not retrained yet. make best-retrain STUDY=small" in read(at_hand).text


# Studies without an answer


def test_a_study_without_trials_has_a_page(begin: Begin) -> None:
    page = read(begin())
    assert "No trial has begun" in page.text and "make tune STUDY=small" in page.text
    assert page.all("img") == [] and "All trials" not in page.text


def test_a_study_that_has_not_finished_a_trial_says_what_there_is(begin: Begin) -> None:
    at_hand = begin()
    synthetic.add(at_hand, 7.0, end="running")
    synthetic.add(at_hand, 7.5, end="pruned at epoch 0.5")
    page = read_whole(at_hand)
    assert (
        "No trial has finished yet" in page.text and "2 trials were begun: 1 pruned, 1 under way, 0 ended" in page.text
    )
    assert "How sure" not in page.text and "Importances" not in page.text
    assert {image["alt"].split(" ")[0] for image in page.all("img")} == {"Scatter", "Line"}


@pytest.mark.parametrize(
    ("n_trials", "told"), [(1, "The only trial ended by a fault"), (3, "All 3 trials ended by a fault")]
)
def test_a_study_whose_every_trial_failed_says_where_to_look(begin: Begin, n_trials: int, told: str) -> None:
    at_hand = begin()
    for _ in range(n_trials):
        synthetic.add(at_hand, end="failed: RuntimeError: no luck")
    text = read(at_hand).text
    assert told in text and "errors.log" in text and "failed: RuntimeError: no luck" in text


@pytest.mark.parametrize(("pruner", "told"), [("median", "worse than the median"), ("none", "Pruning is off")])
def test_how_trials_are_pruned_is_told(begin: Begin, pruner: str, told: str) -> None:
    at_hand = begin(file={"pruner": {"name": pruner}})
    synthetic.add(at_hand, 7.0, 6.5)
    assert told in read_whole(at_hand).text


# Importances


def test_importances_stand_on_finished_trials_alone_and_say_on_how_many(begin: Begin) -> None:
    at_hand = begin()
    synthetic.search(at_hand, 30, pictures=False)
    rows = trial_rows(at_hand.study, at_hand.config)
    n_finished = sum(row.kind == "finished" for row in rows)
    found = find_importances(at_hand.study, n_finished)
    assert found is not None and (found.n_top, found.n_finished) == (5, n_finished)
    assert sum(found.shares.values()) == pytest.approx(1)
    synthetic.add(at_hand, 5.0, end="pruned at epoch 0.5", values={"batch_size": 256})
    assert find_importances(at_hand.study, n_finished) == found
    text = read_whole(at_hand).text
    assert f"Evaluator: PED-ANOVA (Watanabe et al. 2023, Optuna’s default), on the {n_finished} finished trials" in text
    assert f"the values of the best 5 stand apart from those of all {n_finished}." in text


def test_importances_find_the_hyperparameter_that_decides(begin: Begin) -> None:
    at_hand = begin()
    for number in range(40):
        synthetic.add(
            at_hand, 6.0 + number / 40, values={"beta": 0.3 + number / 20, "latent_dim": 16 + 7 * number % 200}
        )
    found = find_importances(at_hand.study, 40)
    assert found is not None and max(found.shares, key=lambda name: found.shares[name]) == "beta"


def test_few_trials_have_no_importances(begin: Begin) -> None:
    at_hand = begin()
    for number in range(9):
        synthetic.add(at_hand, 6.5 + number, values={"beta": 0.5 + number / 10})
    assert find_importances(at_hand.study, 9) is None
    assert "Importances are left out: 9 trials have finished" in read_whole(at_hand).text
    synthetic.add(at_hand, 6.25)
    assert isinstance(find_importances(at_hand.study, 10), Importances)


# The gallery


def test_trials_rank_by_score_finished_before_pruned_before_the_rest(begin: Begin) -> None:
    at_hand = begin()
    for score, end in (
        *((6.75, "finished"), (6.25, "pruned at epoch 0.5"), (5.0, "failed: so"), (6.5, "finished")),
        *((6.0, "running"), (7.0, "pruned at epoch 0.5")),
    ):
        synthetic.add(at_hand, score, end=end)
    assert [row.number for row in ranked(trial_rows(at_hand.study, at_hand.config))] == [3, 0, 1, 5, 2, 4]


def test_the_best_have_their_pictures_inside_and_the_rest_links(begin: Begin) -> None:
    at_hand = begin()
    files = {"reconstructions.png": synthetic.plot(), "samples.png": synthetic.plot(), "film.gif": b"GIF89a"}
    for number in range(N_FULL + 2):
        synthetic.add(at_hand, 6.5 + number / 100, files=files)
    cards = gallery(trial_rows(at_hand.study, at_hand.config), at_hand, PAGE_BYTES)
    assert [card.rank for card in cards] == list(range(N_FULL + 2))
    assert all(card.thumbnail is not None for card in cards)
    for card in cards[:N_FULL]:
        assert [title for title, _ in card.pictures] == ["Reconstructions", "Samples"]
        assert [name for name, _ in card.links] == ["film.gif"]
    for card in cards[N_FULL:]:
        assert card.pictures == ()
        assert [name for name, _ in card.links] == ["film.gif", "reconstructions.png", "samples.png"]
        assert all((at_hand.paths.folder / address.removeprefix("../")).exists() for _, address in card.links)


def test_a_trial_without_pictures_or_with_a_torn_one_has_a_plain_tile(begin: Begin) -> None:
    at_hand = begin()
    synthetic.add(at_hand, 6.5)
    synthetic.add(at_hand, 6.75, files={"reconstructions.png": synthetic.tiles(0)[:2000]})
    synthetic.add(at_hand, 7.0, files={"reconstructions.png": b"no picture"})
    page = read(at_hand)
    assert page.text.count("no picture") == 3
    assert [link["href"][:13] for link in page.all("a") if "artifacts" in link["href"]] == ["../artifacts/"] * 2


def test_pictures_give_way_where_the_page_would_grow_too_heavy(begin: Begin) -> None:
    at_hand = begin()
    for score in (6.5, 6.75):
        synthetic.add(at_hand, score, files={"reconstructions.png": synthetic.tiles(0)})
    rows = trial_rows(at_hand.study, at_hand.config)
    whole = gallery(rows, at_hand, PAGE_BYTES)
    assert whole[0].thumbnail and whole[1].pictures
    n_bytes = whole[0].thumbnail.n_bytes
    tight = gallery(rows, at_hand, 6000 + round(2.5 * n_bytes))
    assert tight[0].thumbnail and not tight[1].thumbnail and not tight[0].pictures
    assert [name for name, _ in tight[0].links] == ["reconstructions.png"]
    assert [card.thumbnail for card in gallery(rows, at_hand, 0)] == [None, None]


@pytest.mark.slow
def test_a_study_of_two_hundred_trials_stays_under_ten_megabytes_and_is_written_in_seconds(begin: Begin) -> None:
    at_hand = begin()
    synthetic.search(at_hand, 200)
    synthetic.keep_yardstick(at_hand)
    started = time.process_time()
    page = read_whole(at_hand)
    assert time.process_time() - started < 30, "seconds of a slow core"
    assert at_hand.paths.report.stat().st_size < PAGE_BYTES
    assert len([image for image in page.all("img") if image["alt"].startswith("Reconstructions of")]) >= 200
    assert len(page.all("details")) == 200


def test_more_trials_than_a_page_can_show_are_said_to_be_elsewhere(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_CARDS >= 200
    monkeypatch.setattr("hpo.report.trial_gallery.MAX_CARDS", 2)
    at_hand = begin()
    for score in (6.5, 7.0, 6.75):
        synthetic.add(at_hand, score)
    page = read(at_hand)
    assert [details["id"] for details in page.all("details")] == ["trial-0", "trial-2"]
    assert "These are the best 2 of 3; python -m hpo export small" in page.text


# What it cost, and how to make it again


def test_costs_add_up(begin: Begin) -> None:
    at_hand = begin()
    synthetic.add(at_hand, *[6.5] * 6)
    synthetic.add(at_hand, *[7.5] * 2, end="pruned at epoch 1")
    synthetic.add(at_hand, 7.0, end="running")
    cost = study_report(at_hand).cost
    assert (cost.n_ended, cost.n_finished, cost.n_pruned, cost.n_faulty, cost.n_under_way) == (2, 1, 1, 0, 1)
    assert (cost.epochs_trained, cost.epochs_saved, cost.saved_share) == (4.5, 2.0, 2 / 6)
    assert (cost.elapsed_s, cost.images_per_second, cost.seconds_per_epoch) == (160.0, 1100.0, 40.0)
    text = read(at_hand).text
    assert "2 min 40 s" in text and "40.0 s, scoring included" in text and "Trials under way count" in text


def test_the_recipe_has_command_commit_seed_versions_data_and_the_very_settings(begin: Begin, tmp_path: Path) -> None:
    at_hand = begin()
    synthetic.add(at_hand, 6.5)
    page = read_whole(at_hand)
    for told in ("git checkout 0123456789abcdef0123456789abcdef01234567 make tune STUDY=small", "d1ge57", "3.11.7"):
        assert told in page.text
    (settings,) = re.findall(
        r'aria-label="Settings as YAML"><code>(.*?)</code>', at_hand.paths.report.read_text(), re.S
    )
    (tmp_path / "copied.yaml").write_text(settings)
    assert yaml.safe_load(settings)["seed"] == 3
    assert read_config(tmp_path / "copied.yaml") == at_hand.config


def test_the_sample_that_stood_in_is_what_the_recipe_names_and_the_page_warns_of(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthetic.add(begin(name="small-sample", data=SAMPLE), 6.5)
    (tmp_path / "study_configs/small-sample.yaml").rename(tmp_path / "study_configs/small.yaml")
    monkeypatch.chdir(tmp_path)
    at_hand = open_study("small")
    assert (at_hand.config.name, at_hand.config.data.source) == ("small-sample", "sample")
    text = read(at_hand).text
    assert "These are not CIFAR-10’s numbers." in text and "a sample of CIFAR-10" in text
    assert "make tune STUDY=small-sample" in text and "source: sample" in text


@pytest.mark.parametrize(
    ("commit", "told"),
    [("abc-dirty", "changes that were not committed"), (None, "The commit is not known")],
)
def test_a_commit_that_cannot_be_relied_on_is_told(begin: Begin, commit: str | None, told: str) -> None:
    at_hand = begin(git_commit=commit)
    synthetic.add(at_hand, 6.5)
    text = read(at_hand).text
    assert told in text
    assert ("git checkout abc make tune" in text) == (commit is not None)


def test_a_search_bounded_by_minutes_says_that_it_depends_on_the_machine(begin: Begin) -> None:
    at_hand = begin(file={"budget": {"timeout_minutes": 30}})
    synthetic.add(at_hand, 6.5)
    assert "Bounded by minutes" in read(at_hand).text


def test_what_the_calls_were_told_beyond_the_file_is_part_of_the_command(begin: Begin) -> None:
    at_hand = begin(calls=[{"trials": 40, "timeout_minutes": None, "workers": 4, "device": "CPU, bfloat16"}])
    synthetic.add(at_hand, 6.5)
    text = read(at_hand).text
    assert "make tune STUDY=small TRIALS=40 WORKERS=4" in text
    assert "does not repeat itself" in text
    assert "CPU, bfloat16" in text


def test_one_worker_bounded_by_trials_alone_repeats_itself(begin: Begin) -> None:
    budget = {"trials": 6}
    at_hand = begin(file={"budget": budget}, calls=[{**budget, "timeout_minutes": None, "workers": 1, "device": "CPU"}])
    synthetic.add(at_hand, 6.5)
    text = read(at_hand).text
    assert "give the same trials" in text and "does not repeat itself" not in text
    assert "TRIALS=" not in text


def test_a_trial_whose_facts_are_half_written_down_is_one_under_way(begin: Begin) -> None:
    at_hand = begin()
    synthetic.add(at_hand, 6.5)
    trial = at_hand.study.ask()
    trial.report(6.4, 1)
    trial.set_user_attr("end", "finished")
    trial.set_user_attr("val_rate_nats", 100.0)
    text = read(at_hand).text
    assert "The best of 2 trials scores 6.500" in text


def test_a_trial_that_another_program_ended_counts_as_failed(begin: Begin) -> None:
    at_hand = begin()
    synthetic.add(at_hand, 6.5)
    for state, value in ((TrialState.FAIL, None), (TrialState.COMPLETE, 1.0)):
        at_hand.study.tell(at_hand.study.ask(), value, state=state)
    report = study_report(at_hand)
    assert [row.end for row in report.rows][1:] == ["failed: ended from outside"] * 2
    assert report.answer is not None and report.answer.best.number == 0
    assert report.cost.n_faulty == 2


# The page as a document


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> OpenStudy:
    """A study of every kind of trial, with its page."""
    at_hand = synthetic.begin(tmp_path_factory.mktemp("whole"))
    synthetic.search(at_hand, 25)
    synthetic.keep_yardstick(at_hand)
    retrain(at_hand)
    write_report(at_hand)
    return at_hand


def test_the_page_holds_everything_itself_and_forbids_the_network(whole: OpenStudy) -> None:
    source = whole.paths.report.read_text(encoding="utf-8")
    page = Page(source)
    images = page.all("img")
    assert len(images) >= 6 + 25
    assert all(image["src"].startswith("data:image/") and len(image["alt"]) > 15 for image in images)
    assert {tag for tag, _ in page.tags} & {"iframe", "object", "base", "form", "video"} == set()
    outside = [link["href"] for link in page.all("a") if not link["href"].startswith(("#", "../"))]
    assert outside == []
    (policy,) = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert "default-src 'none'; img-src data:" in policy
    (script,) = re.findall(r"<script>(.*?)</script>", source, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    visible = re.sub(r'"data:[^"]*"', "", source.replace(script, ""))
    assert re.findall(r"url\(|@import|\{\{|\}\}|\{%|%\}|>None<|\bundefined\b|\bnan\b", visible) == []


def test_the_page_can_be_found_through_by_headings_landmarks_and_links(whole: OpenStudy) -> None:
    page = Page(whole.paths.report.read_text(encoding="utf-8"))
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
    assert [button["aria-pressed"] for button in page.all("button")] == ["true", "false", "false", "false"]


def test_the_sections_stand_in_the_order_of_what_one_wants_to_know(whole: OpenStudy) -> None:
    page = Page(whole.paths.report.read_text(encoding="utf-8"))
    assert [section["id"] for section in page.all("section")] == [
        *("answer", "course", "space", "rates", "gallery", "cost", "again"),
    ]
    assert "There is no β in it." in page.text


def test_hostile_text_stays_text(begin: Begin) -> None:
    space = synthetic.FILE["hyperparameters"]
    at_hand = begin(file={"hyperparameters": space}, git_commit=HOSTILE, precision=HOSTILE)
    synthetic.add(at_hand, 6.5, files={f"{HOSTILE.replace('/', '')}.gif": b"GIF89a"})
    synthetic.add(at_hand, end=f"failed: {HOSTILE}")
    page = read(dataclasses.replace(at_hand, config_name=HOSTILE))
    assert page.text.count(HOSTILE) >= 4
    assert len(page.all("script")) == 1
    assert not any("onload" in attributes for _, attributes in page.tags)


# Writing it


def test_writing_again_without_change_makes_the_same_page(begin: Begin) -> None:
    at_hand = begin()
    synthetic.search(at_hand, 4)
    write_report(at_hand)
    first = at_hand.paths.report.read_bytes()
    write_report(at_hand)
    assert at_hand.paths.report.read_bytes() == first
    assert [path.name for path in at_hand.paths.report.parent.iterdir()] == ["index.html"]


def test_a_page_that_cannot_be_written_is_one_line_and_no_fault_of_the_search(begin: Begin) -> None:
    at_hand = begin()
    synthetic.add(at_hand, 6.5)
    at_hand.paths.report.parent.write_text("a file where the folder should be")
    line = try_to_write_report(at_hand)
    assert "could not be written (File exists)" in line and "make report STUDY=small" in line
    at_hand.paths.report.parent.unlink()
    assert try_to_write_report(at_hand) == f"The study on one page: {at_hand.paths.report}"


def test_the_command_writes_it_and_says_what_to_open(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    synthetic.add(begin(), 6.5)
    monkeypatch.chdir(tmp_path)
    report_command("study_configs/small.yaml")
    assert capsys.readouterr().out == "Next: open results/small/report/index.html\n"
    assert "6.500" in (tmp_path / "results/small/report/index.html").read_text()


@pytest.mark.parametrize(("name", "told"), [("small", "there is no study yet"), ("nothing", "no study file")])
def test_the_command_without_a_study_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, told: str
) -> None:
    (tmp_path / "study_configs").mkdir()
    (tmp_path / "study_configs/small.yaml").write_text(yaml.safe_dump(synthetic.FILE))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(typer.Exit) as left:
        report_command(name)
    assert left.value.exit_code == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_a_file_that_was_changed_since_is_refused(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthetic.add(begin(), 6.5)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "study_configs/small.yaml"
    path.write_text(path.read_text().replace("epochs: 3", "epochs: 4"))
    with pytest.raises(StudyError, match=r"training.epochs was 3, is now 4"):
        open_study("small")


def test_the_first_configuration_is_told_as_far_as_it_has_come(begin: Begin) -> None:
    at_hand = begin(file={"pruner": {"name": "halving"}})
    synthetic.add(at_hand, 7.5, 7.4, end="pruned at epoch 1: 7.4000, place 1 of 1")
    synthetic.add(at_hand, *[7.3] * 5, 6.9)
    synthetic.add(at_hand, *[7.4] * 5, 6.8, continues=0)
    answer = study_report(at_hand).answer
    assert answer is not None
    assert (answer.best.number, answer.first.number, answer.first_is_best) == (2, 2, True)


def test_the_confirmed_choice_is_the_answer_and_the_luckier_trial_is_named(begin: Begin) -> None:
    at_hand = begin(file={"confirmation": {"top": 2, "seeds": 1}})
    synthetic.add(at_hand, *[7.3] * 5, 6.6)
    synthetic.add(at_hand, *[7.3] * 5, 6.7)
    synthetic.add(at_hand, *[7.3] * 5, 6.9, confirms=0)
    synthetic.add(at_hand, *[7.3] * 5, 6.75, confirms=1)
    answer = study_report(at_hand).answer
    assert answer is not None and answer.luckier is not None
    assert (answer.best.number, answer.confirmed, answer.luckier.number, answer.n_finished) == (1, (6.75,), 0, 2)
    text = read(at_hand).text
    assert "Trial 0 scored 6.6000 itself, which new seeds have not confirmed" in text
    assert "Confirmed with a new seed: 6.7500" in findings(at_hand.study, at_hand.config, {})


def test_a_choice_that_lacks_new_seeds_is_told_with_what_is_to_be_done(begin: Begin) -> None:
    at_hand = begin(file={"confirmation": {"top": 1, "seeds": 2}, "budget": {"trials": 1}})
    synthetic.add(at_hand, *[7.3] * 5, 6.6)
    synthetic.add(at_hand, *[7.3] * 5, 6.9, confirms=0)
    status = status_of(at_hand.study, at_hand.config, at_hand.paths)
    missing = "make tune STUDY=small again, which would confirm the best (1 of 2 new seeds are missing)"
    assert described(status, at_hand.config, "small")[-1].startswith(f"Next: {missing}")
    assert next_step(at_hand.study, at_hand.config, "small").startswith(f"Next: {missing}")
    synthetic.add(at_hand, *[7.3] * 5, 6.7, confirms=0)
    assert next_step(at_hand.study, at_hand.config, "small").startswith("Next: make best-retrain STUDY=small   (")


def test_trials_that_pause_and_trials_that_were_interrupted_have_two_words(begin: Begin) -> None:
    at_hand = begin(file={"pruner": {"name": "halving"}})
    synthetic.add(at_hand, *[7.3] * 5, 6.6)
    synthetic.add(at_hand, 7.5, 7.4, end="pruned at epoch 1: 7.4000, place 2 of 2")
    synthetic.add(at_hand, 7.5, end="running")
    told = findings(at_hand.study, at_hand.config, {})
    assert any(line.startswith("1 of 2 trials paused at a rung; ") for line in told)
    assert "Trial 2 was interrupted after 1 reports; the next call goes on with it" in told
