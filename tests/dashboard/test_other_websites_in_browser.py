"""Other websites against a dashboard in a real browser: rebinding, frames, scripts; and its own pages, which work."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from wsgiref.simple_server import make_server
from wsgiref.types import StartResponse

import pytest
from playwright.sync_api import Browser, BrowserContext, FilePayload, expect

from hpo.dashboard.server import Server
from hpo.storage.open_study import OpenStudy
from tests.dashboard.conftest import serving
from tests.tools import synthetic

pytestmark = pytest.mark.browser

# Everything that a page of the dashboard's origin could do before: the statuses of its answers.
ACT = """async () => {
  const file = {file: "data:;base64,PGI+", filename: "page.html"};
  const requests = [["GET", "/api/studies"], ["DELETE", "/api/studies/1", {}], ["POST", "/api/artifacts/1", file],
    ["POST", "/api/studies", {study_name: "theirs", directions: ["minimize"]}], ["GET", "/dashboard"]];
  const statuses = [];
  for (const [method, path, body] of requests) {
    const headers = {"Content-Type": "application/json"};
    statuses.push((await fetch(path, {method, headers, body: body && JSON.stringify(body)})).status);
  }
  return statuses;
}"""
HTML = "<!doctype html><title>quiet</title><script>document.title = 'it ran'</script>"


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 1400, "height": 1400})
    context.set_default_timeout(60_000)
    yield context
    context.close()


@contextmanager
def website(content: str = "<p>another website") -> Iterator[int]:
    """Serve a page at all names and paths of a free port; yield the port."""

    def app(_: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html")])
        return [content.encode()]

    with make_server("127.0.0.1", 0, app, server_class=Server) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_port
        server.shutdown()


def names_of_studies(server: Server, context: BrowserContext) -> list[str]:
    """Return the names of the studies on the dashboard, asked for by its own page."""
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{server.server_port}/dashboard")
    studies = page.evaluate("async () => (await (await fetch('/api/studies')).json()).study_summaries")
    return [study["study_name"] for study in studies]


def add_artifact(opened: OpenStudy, name: str, mimetype: str, content: str) -> str:
    """Add an artifact to the study, as a run does; return its path in the dashboard."""
    artifact_id = str(uuid.uuid4())
    opened.paths.artifacts.mkdir(parents=True, exist_ok=True)
    (opened.paths.artifacts / artifact_id).write_text(content)
    meta = {"artifact_id": artifact_id, "filename": name, "mimetype": mimetype, "encoding": None}
    opened.study._storage.set_study_system_attr(1, f"artifacts:{artifact_id}", json.dumps(meta))
    return f"/artifacts/1/{artifact_id}"


def test_a_website_rebound_to_this_machine_does_nothing(opened: OpenStudy, context: BrowserContext) -> None:
    page = context.new_page()
    with website() as port:
        page.goto(f"http://evil.example:{port}")
    # Now the name and port of the website lead to the dashboard: for the browser both are of one origin.
    with serving(opened, port=port) as server:
        assert server.server_port == port
        assert page.evaluate(ACT) == [403] * 5
        assert names_of_studies(server, context) == ["small"]


# The second is another program on this machine: for the browser the same site, but another origin.
@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1"])
def test_another_website_changes_nothing_and_reads_no_artifact(
    opened: OpenStudy, server: Server, context: BrowserContext, name: str
) -> None:
    path = add_artifact(opened, "metrics.json", "application/json", "{}")
    page = context.new_page()
    # A browser sends a form without asking the dashboard first.
    with website(f"<form method=post action='{server.address}/incompatible-rdb-schema'></form>") as port:
        page.goto(f"http://{name}:{port}")
    for address in (server.address + path, f"{server.address}/api/studies"):
        assert page.evaluate("url => fetch(url).then(() => 'read', () => 'refused')", address) == "refused"
    page.evaluate("document.forms[0].submit()")
    expect(page.get_by_text("Another website may not change the study.")).to_be_visible()


def test_another_website_cannot_frame_the_dashboard(server: Server, context: BrowserContext) -> None:
    page = context.new_page()
    with website(f"<iframe src='{server.address}/dashboard' width=900 height=900></iframe>") as port:
        page.goto(f"http://evil.example:{port}", wait_until="networkidle")
    (frame,) = page.frames[1:]
    # Chromium shows its own error page instead.
    assert frame.url.startswith("chrome-error:")


@pytest.mark.parametrize(("name", "mimetype"), [("page.html", "text/html"), ("drawing.svg", "image/svg+xml")])
def test_an_artifact_with_a_script_is_a_download(
    opened: OpenStudy, server: Server, context: BrowserContext, name: str, mimetype: str
) -> None:
    path = add_artifact(opened, name, mimetype, HTML)
    page = context.new_page()
    page.goto(f"{server.address}/dashboard/studies/1")
    with page.expect_download() as download:
        page.evaluate("path => { location.href = path }", path)
    assert Path(download.value.path()).read_text() == HTML
    assert page.title() == "Optuna Dashboard"
    # The dashboard's own link gives the file its name.
    with page.expect_download() as download:
        page.locator(f'a[download="{name}"]').click()
    assert download.value.suggested_filename == name


def test_the_user_uploads_a_picture_and_sees_it(server: Server, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{server.address}/dashboard/studies/1")
    picture = FilePayload(name="mine.png", mimeType="image/png", buffer=synthetic.tiles(0))
    page.locator("input[type=file]").first.set_input_files(picture)
    expect(page.get_by_text("mine.png")).to_be_visible()
    page.wait_for_function("[...document.images].some(image => image.naturalWidth === 640)")


def test_a_read_only_dashboard_deletes_no_study(opened: OpenStudy, context: BrowserContext) -> None:
    with serving(opened, is_read_only=True) as server:
        page = context.new_page()
        page.goto(f"{server.address}/dashboard")
        page.get_by_label("delete study").first.click()
        page.get_by_role("button", name="Yes").click()
        expect(page.get_by_text("Failed to delete study")).to_be_visible()
        assert names_of_studies(server, context) == ["small"]


def test_the_printed_address_opens_a_dashboard_that_asks_for_a_token(
    opened: OpenStudy, context: BrowserContext, chromium: Browser
) -> None:
    with serving(opened, "0.0.0.0") as server:
        page = context.new_page()
        page.goto(server.address.replace("0.0.0.0", "127.0.0.1"))
        expect(page.get_by_role("heading", name="1. small", exact=True)).to_be_visible()
        assert "token" not in page.url
        assert page.evaluate("document.cookie") == ""
        stranger = chromium.new_context().new_page()
        stranger.goto(page.url)
        expect(stranger.get_by_text("asks for its token")).to_be_visible()
        stranger.context.close()


def test_the_address_with_the_token_opens_from_a_link_on_another_website(
    opened: OpenStudy, context: BrowserContext
) -> None:
    with serving(opened, "0.0.0.0") as server:
        address = server.address.replace("0.0.0.0", "127.0.0.1")
        page = context.new_page()
        with website(f"<a href='{address}'>the dashboard</a>") as port:
            page.goto(f"http://chat.example:{port}")
            page.get_by_role("link").click()
            expect(page.get_by_role("heading", name="1. small", exact=True)).to_be_visible()
