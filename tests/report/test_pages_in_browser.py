"""Pages of studies and runs in a real browser, opened from disk: they load nothing, log nothing, and can be used."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from hpo.report.run_page import write_page
from hpo.report.study_page import write_report
from hpo.storage.paths import RunPaths
from tests.tools import synthetic

pytestmark = pytest.mark.browser

SHOWCASE = Path(__file__).resolve().parents[2] / "results" / "showcase"
NUMBERS = "list => [...list.children].map(item => Number(item.dataset.number))"
KEYS = {"score": "rank", "β": "beta", "latent dimension": "latent", "trial number": "number"}


@dataclass
class OpenedPage:
    """A page in the browser, the messages and errors it logged, and the addresses it requested."""

    page: Page
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


def open_page(browser: Browser, path: Path, width: int = 1200, **settings: str) -> OpenedPage:
    page = browser.new_page(viewport={"width": width, "height": 800}, **settings)  # type: ignore[arg-type]
    opened = OpenedPage(page)
    page.on("console", lambda message: opened.messages.append(message.text))
    page.on("pageerror", lambda error: opened.messages.append(str(error)))
    page.on("request", lambda request: opened.requests.append(request.url))
    page.goto(path.as_uri())
    return opened


@pytest.fixture(scope="module")
def study_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a study with every kind of trial."""
    study = synthetic.create(tmp_path_factory.mktemp("report"))
    synthetic.add_search(study, 24)
    synthetic.add_trial(study, 7.0, end="running")
    synthetic.add_trial(study, end="failed: RuntimeError: no luck")
    synthetic.write_ppca_baseline(study)
    write_report(study)
    return study.paths.report


@pytest.fixture(scope="module")
def run_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the showcase."""
    paths = RunPaths(tmp_path_factory.mktemp("run") / "best")
    shutil.copytree(SHOWCASE, paths.folder)
    write_page(paths)
    return paths.page


@pytest.fixture
def opened(chromium: Browser, study_page: Path) -> Iterator[OpenedPage]:
    """The study's page, which must log nothing, whatever a test does with it."""
    opened = open_page(chromium, study_page)
    yield opened
    assert opened.messages == []
    opened.page.close()


@pytest.mark.parametrize("name", ["study_page", "run_page"])
@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_page_opens_from_disk_and_fits_the_screen(
    chromium: Browser, request: pytest.FixtureRequest, name: str, colours: str, width: int
) -> None:
    path: Path = request.getfixturevalue(name)
    opened = open_page(chromium, path, width, color_scheme=colours)
    page = opened.page
    assert {url for url in opened.requests if not url.startswith("data:")} == {path.as_uri()}
    sizes = page.evaluate("Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth)))")
    assert len(sizes) >= 8 and min(sizes) > 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(json.loads(background.replace("rgb(", "[").replace(")", "]"))) < 300) == (colours == "dark")
    assert opened.messages == []
    page.close()


@pytest.mark.parametrize("name", ["study_page", "run_page"])
def test_page_cannot_reach_the_network(chromium: Browser, request: pytest.FixtureRequest, name: str) -> None:
    opened = open_page(chromium, request.getfixturevalue(name))
    refused = opened.page.evaluate("fetch('https://example.org/').then(() => 'reached', () => 'refused')")
    assert refused == "refused"
    assert any("Content Security Policy" in message for message in opened.messages)
    opened.page.close()


def test_the_gallery_sorts_by_each_key_in_both_directions(opened: OpenedPage) -> None:
    page, trials = opened.page, opened.page.locator("#trials")
    for name, key in KEYS.items():
        button = page.get_by_role("group", name="Sort the trials").get_by_role("button", name=name)
        values = f"list => [...list.children].map(item => item.dataset.{key}).filter(v => v !== '').map(Number)"
        # The page is sorted by score at first.
        if name != "score":
            button.click()
        ascending = trials.evaluate(values)
        expect(button).to_have_attribute("aria-pressed", "true")
        button.click()
        descending = trials.evaluate(values)
        assert ascending == sorted(ascending) and descending == sorted(descending, reverse=True)
        assert len(set(ascending)) > 5
        assert sorted(trials.evaluate(NUMBERS)) == list(range(26))
        assert page.locator("[aria-pressed=true]").count() == 1
        expect(page.get_by_role("status")).to_have_text(f"Sorted by {name}, descending")


def test_cards_start_with_the_best_trial_and_end_with_unfinished_ones(opened: OpenedPage) -> None:
    kinds = opened.page.locator("#trials .kind").all_inner_texts()
    first_words = [kind.split()[0] for kind in kinds]
    assert first_words[0] == "best"
    order = [
        ["best", "finished", "pruned"].index(word) if word in ("best", "finished", "pruned") else 3
        for word in first_words
    ]
    assert order == sorted(order)


def test_a_click_opens_a_trial_with_its_pictures_and_numbers(opened: OpenedPage) -> None:
    trial = opened.page.locator("#trials details").first
    expect(trial.locator(".opened")).not_to_be_visible()
    trial.locator("summary").click()
    pictures = trial.locator(".pictures img")
    expect(pictures).to_have_count(3)
    for index in range(3):
        expect(pictures.nth(index)).to_be_visible()
        assert pictures.nth(index).evaluate("image => image.naturalWidth") > 300
    assert "learning rate" in trial.inner_text() and "nats" in trial.inner_text()
    trial.locator("summary").click()
    expect(trial.locator(".opened")).not_to_be_visible()


def test_trials_are_sorted_and_opened_by_keyboard(opened: OpenedPage) -> None:
    page = opened.page
    page.get_by_role("button", name="trial number").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Sorted by trial number, ascending")
    assert page.locator("#trials").evaluate(NUMBERS) == list(range(26))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#trial-0")).to_have_attribute("open", "")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "the focus is visible"


def test_the_link_to_the_best_trial_opens_its_card(opened: OpenedPage) -> None:
    page = opened.page
    page.locator(".lead a").click()
    best = page.locator("#trials details[open]")
    expect(best).to_have_count(1)
    expect(best.locator(".kind")).to_have_text("best")
    expect(best).to_be_in_viewport()


def test_without_its_script_the_page_shows_everything_but_the_sorting(chromium: Browser, study_page: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(study_page.as_uri())
    assert not page.locator(".sorting").is_visible()
    assert page.locator("#trials details").count() == 26
    page.locator("#trials summary").first.click()
    expect(page.locator("#trials .opened").first).to_be_visible()
    context.close()


def test_a_link_to_a_trials_file_opens_it(opened: OpenedPage) -> None:
    page = opened.page
    link = page.locator(".links a", has_text="reconstructions.png").first
    address = link.evaluate("link => link.href")
    page.goto(address)
    assert page.evaluate("document.images[0].naturalWidth") == 640


def test_an_opened_trial_fits_a_phone(chromium: Browser, study_page: Path) -> None:
    opened = open_page(chromium, study_page, width=360)
    opened.page.locator("#trials summary").first.click()
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert opened.page.locator("#trials .pictures img").first.bounding_box()["width"] > 250  # type: ignore[index]
    opened.page.close()
