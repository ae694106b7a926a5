"""Which studies' scores compare, and the notes on what a reader should know."""

from pathlib import Path
from typing import Any

import pytest

from hpo.analysis.comparison.comparable import groups_of, notes_on, winner
from hpo.analysis.comparison.compared_study import ComparedStudy, read_compared_study
from hpo.analysis.comparison.settings_side_by_side import best_values, differing_settings
from tests.tools import synthetic

SAMPLE = {"source": "sample", "n_train": 4500, "n_val": 500, "n_test": 1000}
GREY = {"source": "cifar10", "n_train": 45000, "n_val": 5000, "n_test": 10000, "image_shape": [1, 28, 28]}


def compared(folder: Path, name: str, *scores: float, file: dict[str, Any] | None = None, **data: Any) -> ComparedStudy:
    """A study with a finished trial for each score."""
    opened = synthetic.create(folder, name, file, **data)
    for score in scores:
        synthetic.add_trial(opened, score)
    return read_compared_study(opened)


def names(groups: tuple[tuple[ComparedStudy, ...], ...]) -> list[list[str]]:
    return [[study.name for study in group] for group in groups]


def test_studies_of_the_same_images_are_ranked_whatever_they_search(tmp_path: Path) -> None:
    other = {"training": {"epochs": 20}, "model": {"architecture": "norm_free"}, "seed": 9}
    studies = [compared(tmp_path, "a", 6.5), compared(tmp_path, "b"), compared(tmp_path, "c", 6.7, 6.3, file=other)]
    (group,) = groups_of(studies)
    assert names((group,)) == [["c", "a", "b"]]
    assert winner(group) is studies[2]


@pytest.mark.parametrize(
    "other",
    [{"data": SAMPLE, "digest": "5a3p1e"}, {"data": SAMPLE}, {"digest": "0th3r"}, {"data": GREY}],
    ids=["sample", "sample with the same digest", "other images", "other shape"],
)
def test_studies_of_other_images_are_never_ranked_together(tmp_path: Path, other: dict[str, Any]) -> None:
    studies = [compared(tmp_path, "a", 6.5), compared(tmp_path, "b", 6.0, **other), compared(tmp_path, "c", 6.4)]
    groups = groups_of(studies)
    assert names(groups) == [["c", "a"], ["b"]]
    assert winner(groups[1]) is None
    assert notes_on(studies)[0].startswith("Scores do not compare, since the images differ")


def test_one_score_alone_wins_nothing(tmp_path: Path) -> None:
    (group,) = groups_of([compared(tmp_path, "a", 6.5), compared(tmp_path, "b")])
    assert winner(group) is None


def test_a_mean_over_new_seeds_counts_more_than_a_lucky_seed(tmp_path: Path) -> None:
    opened = synthetic.create(tmp_path, "lucky")
    synthetic.add_trial(opened, 6.4)
    for _ in range(2):
        synthetic.add_trial(opened, 6.6, confirms=0)
    (group,) = groups_of([read_compared_study(opened), compared(tmp_path, "plain", 6.5)])
    assert names((group,)) == [["plain", "lucky"]]
    assert group[1].best is not None and group[1].best.val_bpd == 6.4 and group[1].score == pytest.approx(6.6)


def test_equal_studies_need_no_note(tmp_path: Path) -> None:
    assert notes_on([compared(tmp_path, "a", 6.5), compared(tmp_path, "b", 6.4)]) == []


def test_each_note_is_one_sentence_on_what_is_open(tmp_path: Path) -> None:
    running = synthetic.create(tmp_path, "run")
    synthetic.add_trial(running, 7.0, end="running")
    studies = [
        compared(tmp_path, "a", 6.5),
        compared(tmp_path, "b", 6.505, file={"training": {"epochs": 20}}),
        compared(tmp_path, "c", 6.9, file={"objectives": ["val_bpd", "latent_dim"]}),
        read_compared_study(running),
    ]
    assert notes_on(studies) == [
        "The best of a and b differ by at most 0.01 bits per dimension, which may be luck",
        "Trials differ in length (a 3, b 20, c 3, run 3 epochs): longer ones score lower with the same values",
        "Study c has the objectives val_bpd and latent_dim, and is compared by val_bpd alone",
        "In study run, no trial has finished yet",
        "In study run, 1 trial is running or was interrupted: the best may change",
    ]


def test_settings_that_differ_are_listed_and_no_path(tmp_path: Path) -> None:
    file = {
        "seed": 9,
        "data": {"source": "cifar10", "root": str(tmp_path)},
        "hyperparameters": synthetic.FILE["hyperparameters"] | {"beta": 1.0},
    }
    rows = differing_settings([compared(tmp_path, "a", 6.5), compared(tmp_path, "b", 6.4, file=file)])
    assert {row.name: row.values for row in rows} == {
        "seed": ("3", "9"),
        "hyperparameters.beta": ("0.3 to 3, log scale", "1"),
    }


def test_values_of_best_trials_stand_beside_what_each_study_searches(tmp_path: Path) -> None:
    file = {"hyperparameters": synthetic.FILE["hyperparameters"] | {"beta": 2.0}}
    rows = best_values([compared(tmp_path, "a", 6.5), compared(tmp_path, "b", 6.4, file=file), compared(tmp_path, "c")])
    beta = next(row for row in rows if row.name == "beta")
    assert beta.values == (1.0, 2.0, None)
    assert beta.searched == ("0.3 to 3, log scale", None, "0.3 to 3, log scale")
    assert "schedule" not in {row.name for row in rows}
