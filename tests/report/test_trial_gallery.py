"""The trial gallery of the study's page: order of the cards, their pictures and links, within the size of a page."""

import pytest

from hpo.analysis.trial_table import trial_rows
from hpo.report.study_page import PAGE_BYTES
from hpo.report.trial_gallery import MAX_CARDS, N_FULL_SIZE, rank_trials, trial_cards
from tests.report.conftest import Begin, study_page
from tests.tools import synthetic


def test_trials_rank_by_score_finished_before_pruned_before_the_rest(begin: Begin) -> None:
    opened = begin()
    for score, end in (
        *((6.75, "finished"), (6.25, "pruned at epoch 0.5"), (5.0, "failed: so"), (6.5, "finished")),
        *((6.0, "running"), (7.0, "pruned at epoch 0.5")),
    ):
        synthetic.add_trial(opened, score, end=end)
    assert [row.number for row in rank_trials(trial_rows(opened.study, opened.config))] == [3, 0, 1, 5, 2, 4]


def test_cards_of_the_best_contain_their_pictures_and_the_rest_link_to_them(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert N_FULL_SIZE == 20
    n_full_size = 3
    monkeypatch.setattr("hpo.report.trial_gallery.N_FULL_SIZE", n_full_size)
    opened = begin()
    files = {"reconstructions.png": synthetic.plot(), "samples.png": synthetic.plot(), "animation.gif": b"GIF89a"}
    for number in range(n_full_size + 2):
        synthetic.add_trial(opened, 6.5 + number / 100, files=files)
    cards = trial_cards(trial_rows(opened.study, opened.config), opened, PAGE_BYTES)
    assert [card.rank for card in cards] == list(range(n_full_size + 2))
    assert all(card.thumbnail is not None for card in cards)
    for card in cards[:n_full_size]:
        assert [title for title, _ in card.pictures] == ["Reconstructions", "Samples"]
        assert [name for name, _ in card.links] == ["animation.gif"]
    for card in cards[n_full_size:]:
        assert card.pictures == ()
        assert [name for name, _ in card.links] == ["animation.gif", "reconstructions.png", "samples.png"]
        assert all((opened.paths.folder / address.removeprefix("../")).exists() for _, address in card.links)


def test_a_card_without_a_readable_picture_says_so_and_links_to_the_file(begin: Begin) -> None:
    opened = begin()
    synthetic.add_trial(opened, 6.5)
    synthetic.add_trial(opened, 6.75, files={"reconstructions.png": synthetic.tiles(0)[:2000]})
    synthetic.add_trial(opened, 7.0, files={"reconstructions.png": b"no picture"})
    page = study_page(opened)
    assert page.text.count("no picture") == 3
    assert [link["href"][:13] for link in page.all("a") if "artifacts" in link["href"]] == ["../artifacts/"] * 2


def test_pictures_become_links_if_the_page_would_grow_too_large(begin: Begin) -> None:
    opened = begin()
    for score in (6.5, 6.75):
        synthetic.add_trial(opened, score, files={"reconstructions.png": synthetic.tiles(0)})
    rows = trial_rows(opened.study, opened.config)
    whole = trial_cards(rows, opened, PAGE_BYTES)
    assert whole[0].thumbnail and whole[1].pictures
    n_bytes = whole[0].thumbnail.n_bytes
    tight = trial_cards(rows, opened, 6000 + round(2.5 * n_bytes))
    assert tight[0].thumbnail and not tight[1].thumbnail and not tight[0].pictures
    assert [name for name, _ in tight[0].links] == ["reconstructions.png"]
    assert [card.thumbnail for card in trial_cards(rows, opened, 0)] == [None, None]


def test_more_trials_than_a_page_can_show_are_left_to_the_export(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_CARDS >= 200
    monkeypatch.setattr("hpo.report.trial_gallery.MAX_CARDS", 2)
    opened = begin()
    for score in (6.5, 7.0, 6.75):
        synthetic.add_trial(opened, score)
    page = study_page(opened)
    assert [details["id"] for details in page.all("details")] == ["trial-0", "trial-2"]
    assert "These are the best 2 of 3; python -m hpo export small" in page.text
