"""The dashboard's server over HTTP, with a synthetic study: as the command starts it, and as a client sees it."""

import contextlib
import http.client
import json
import socket
import urllib.request
from typing import Any

import pytest

from hpo.dashboard.request_guard import MAX_BODY_BYTES, Access
from hpo.dashboard.server import Server, listen, notice
from hpo.storage.database import StudyError
from hpo.storage.open_study import OpenStudy
from tests.dashboard.conftest import serving
from tests.tools import synthetic


def answer(server: Server, method: str, path: str, body: Any = None, **headers: str) -> http.client.HTTPResponse:
    """Return the answer to a request; `body` becomes JSON, and headers are given with _ for -."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    content = None if body is None else json.dumps(body)
    connection.request(method, path, content, {"Content-Type": "application/json", "Accept-Encoding": ""} | given)
    return connection.getresponse()


def upload(server: Server, name: str, content: str) -> str:
    """Upload an artifact of the study as the dashboard's pages do; return its path."""
    created = answer(server, "POST", "/api/artifacts/1", {"file": f"data:;base64,{content}", "filename": name})
    assert created.status == 201
    return f"/artifacts/1/{json.load(created)['artifact_id']}"


def n_studies(server: Server) -> int:
    return len(json.load(answer(server, "GET", "/api/studies"))["study_summaries"])


def test_the_dashboard_serves_its_page_its_script_and_a_picture(server: Server, opened: OpenStudy) -> None:
    assert b"Optuna Dashboard" in answer(server, "GET", "/dashboard").read()
    assert "javascript" in str(answer(server, "GET", "/static/bundle.js").getheader("Content-Type"))
    (key,) = opened.study.trials[0].system_attrs
    picture = answer(server, "GET", f"/artifacts/1/1/{key.removeprefix('artifacts:')}")
    assert (picture.status, picture.getheader("Content-Disposition")) == (200, None)
    assert picture.read() == synthetic.plot()


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://evil.example", "Host": "evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
    ],
)
def test_a_foreign_request_deletes_creates_and_uploads_nothing(server: Server, headers: dict[str, str]) -> None:
    create = {"study_name": "theirs", "directions": ["minimize"]}
    file = {"file": "data:;base64,PGI+", "filename": "page.html"}
    requests = [("DELETE", "/api/studies/1", {}), ("POST", "/api/studies", create), ("POST", "/api/artifacts/1", file)]
    for method, path, body in requests:
        assert answer(server, method, path, body, **headers).status == 403
    assert n_studies(server) == 1


def test_an_html_artifact_is_a_download_that_no_website_may_read(server: Server) -> None:
    download = answer(server, "GET", upload(server, "page.html", "PGI+"))
    assert (download.status, download.getheader("Content-Disposition")) == (200, "attachment")
    assert download.getheader("Access-Control-Allow-Origin") is None
    assert download.read() == b"<b>"


def test_a_refused_upload_is_answered_while_its_body_still_arrives(server: Server) -> None:
    file = {"file": "data:;base64," + "A" * 5_000_000, "filename": "big.bin"}
    refused = answer(server, "POST", "/api/artifacts/1", file, Host="evil.example")
    assert refused.status == 403 and b"evil.example" in refused.read()
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as client:
        head = f"POST /api/artifacts/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n"
        client.sendall(head.encode())
        assert b" 413 " in client.recv(1000).partition(b"\r\n")[0]


def test_beyond_loopback_the_address_has_a_token_that_becomes_a_cookie(opened: OpenStudy) -> None:
    with serving(opened, "0.0.0.0") as server:
        address = f"http://0.0.0.0:{server.server_port}"
        assert answer(server, "GET", "/api/studies").status == 403
        path = server.address.removeprefix(address)
        assert path.startswith("/?token=") and str(server.access.token) in path
        moved = answer(server, "GET", path)
        assert (moved.status, moved.getheader("Location")) == (303, "/")
        cookie = str(moved.getheader("Set-Cookie")).partition(";")[0]
        assert answer(server, "GET", "/api/studies", Cookie=cookie).status == 200


def test_on_loopback_there_is_no_token_and_no_notice(server: Server) -> None:
    assert server.address == f"http://127.0.0.1:{server.server_port}"
    assert server.access.token is None and notice(server.access) is None


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


def test_an_ipv6_address_is_served_or_refused_in_one_line(opened: OpenStudy) -> None:
    if not has_ipv6():
        with pytest.raises(StudyError, match=r"--host ::1: cannot be bound \(.*\); use 127\.0\.0\.1"):
            listen(opened.paths, "::1", 0)
        return
    with serving(opened, "::1") as server:
        assert server.address == f"http://[::1]:{server.server_port}" and server.access.token is None
        with urllib.request.urlopen(f"{server.address}/api/studies", timeout=30) as response:
            assert len(json.load(response)["study_summaries"]) == 1


@pytest.mark.parametrize(("is_read_only", "can"), [(False, "can see, change and delete"), (True, "can see the study")])
def test_beyond_loopback_a_notice_says_what_others_can_do(is_read_only: bool, can: str) -> None:
    assert can in str(notice(Access("0.0.0.0", "secret", is_read_only)))


def test_a_read_only_dashboard_deletes_nothing(opened: OpenStudy) -> None:
    with serving(opened, is_read_only=True) as server:
        refused = answer(server, "DELETE", "/api/studies/1", {})
        assert refused.status == 403 and "read-only" in json.load(refused)["reason"]
        assert n_studies(server) == 1
