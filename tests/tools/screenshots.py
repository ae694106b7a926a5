"""Takes the README's pictures of dashboard and report: `python -m tests.tools.screenshots STUDY`.

Not a test: it opens a real study, tuned on the full data, and writes into the showcase.
"""

import sys
from threading import Thread

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from hpo.dashboard.server import listen
from hpo.search.best_trial import best_trial_of
from hpo.search.configurations import configurations_of
from hpo.storage.open_study import find_study
from hpo.storage.paths import SHOWCASE
from tests.conftest import CHROMIUM_FLAGS, chromium_path

COLOURS = 256


def main(study_name: str) -> None:
    """Serve the study, look at its best trial, at its own figures and at its report, and save all three."""
    paths, study = find_study(study_name, study_name)
    best = best_trial_of(configurations_of(study))
    assert best is not None, "no trial has finished yet"
    server = listen(paths, "127.0.0.1", 8080)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/dashboard/studies/{study._study_id}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": 1150, "height": 1000})
        save(page, f"{address}/trials?numbers={best.number}", "dashboard_trial.png")
        page.set_viewport_size({"width": 1300, "height": 980})
        save(page, address, "dashboard_study.png", scroll_to="user-defined-plot:rate-distortion")
        page.set_viewport_size({"width": 1100, "height": 1000})
        save(page, paths.report.absolute().as_uri(), "report.png", scroll_to="trials")
        browser.close()


def save(page: Page, address: str, name: str, scroll_to: str = "") -> None:
    """Open a page and save what is in view, in few colours: a picture for a README need not be large."""
    page.goto(address)
    page.wait_for_load_state("networkidle")
    if scroll_to:
        page.locator(f'[id="{scroll_to}"]').evaluate("element => element.scrollIntoView()")
        page.mouse.wheel(0, -90)
    page.wait_for_timeout(2000)
    path = SHOWCASE / name
    page.screenshot(path=path)
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(COLOURS).save(path, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])
