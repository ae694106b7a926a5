"""Which requests the dashboard answers: names of this machine, its own pages, bodies of bounded size."""

import json
from typing import Any

import pytest

from hpo.dashboard.access_token import new_token, with_token
from hpo.dashboard.request_guard import MAX_BODY_BYTES, Access, Reply, guard_reply

LOOPBACK = Access("127.0.0.1")
STUDY = "/api/studies/1"


def request(method: str = "GET", path: str = STUDY, query: str = "", **headers: str) -> dict[str, Any]:
    """Return the WSGI environment of a request; `headers` by their names in it, without HTTP_."""
    own = {"CONTENT_LENGTH", "CONTENT_TYPE"}
    entries = {name if name in own else f"HTTP_{name}": value for name, value in headers.items()}
    basic = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "SERVER_PORT": "8080"}
    return basic | {"HTTP_HOST": "127.0.0.1:8080"} | entries


def reply(access: Access = LOOPBACK, /, **parts: str) -> Reply | None:
    return guard_reply(request(**parts), access)


def status(access: Access = LOOPBACK, /, **parts: str) -> str:
    answer = reply(access, **parts)
    return answer.status[:3] if answer else "passed on"


@pytest.mark.parametrize(
    "name", ["127.0.0.1", "127.0.0.1:8080", "localhost", "LOCALHOST:9000", "[::1]", "[::1]:8080", "127.0.1.1:8080"]
)
def test_every_name_of_the_loopback_interface_is_answered(name: str) -> None:
    assert status(HOST=name) == "passed on"


@pytest.mark.parametrize(
    "name",
    [
        *("evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.1.5:8080"),
        *("", "localhost,evil.example", "evil.example@localhost", "[::1].evil.example", "0.0.0.0:8080", "[::1"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_no_other_name_is_answered(name: str, method: str) -> None:
    # After DNS rebinding a foreign page is, for the browser, of the same origin as the dashboard.
    headers = {"HOST": name, "ORIGIN": f"http://{name}", "SEC_FETCH_SITE": "same-origin"}
    assert status(method=method, **headers) == "403"


def test_the_host_that_was_given_is_answered_and_no_other_name_beside_it() -> None:
    assert status(Access("My-Laptop"), HOST="my-laptop:8080") == "passed on"
    assert status(Access("my-laptop"), HOST="my-laptop.evil.example:8080") == "403"
    assert status(Access("192.168.1.5"), HOST="192.168.1.6:8080") == "403"
    assert status(Access("2001:db8:0:0::1"), HOST="[2001:db8::1]:8080") == "passed on", "another spelling"
    assert status(Access("2001:db8::1"), HOST="[2001:db8::2]:8080") == "403"


def test_a_server_on_all_addresses_is_answered_by_address_but_not_by_name() -> None:
    for host in ("0.0.0.0", "", "::", "0::0"):
        assert status(Access(host), HOST="192.168.1.5:8080") == "passed on"
        assert status(Access(host), HOST="evil.example:8080") == "403"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "ANYTHING"])
@pytest.mark.parametrize(
    "headers",
    [
        {"ORIGIN": "http://evil.example"},
        {"ORIGIN": "http://evil.example:8080"},
        {"ORIGIN": "null"},
        {"ORIGIN": "https://127.0.0.1:8080"},
        # Another program on this machine: the same site for the browser, but another origin.
        {"ORIGIN": "http://127.0.0.1:3000", "SEC_FETCH_SITE": "same-site"},
        {"SEC_FETCH_SITE": "cross-site"},
        {"SEC_FETCH_SITE": "same-site"},
    ],
)
def test_another_origin_changes_nothing(method: str, headers: dict[str, str]) -> None:
    assert status(method=method, **headers) == "403"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"ORIGIN": "http://127.0.0.1:8080"},
        {"ORIGIN": "http://127.0.0.1:8080", "SEC_FETCH_SITE": "same-origin"},
        {"ORIGIN": "http://localhost:9000", "HOST": "localhost:9000"},
        {"SEC_FETCH_SITE": "none"},
    ],
)
def test_its_own_pages_and_programs_that_are_no_browsers_may_change_the_study(headers: dict[str, str]) -> None:
    assert status(method="DELETE", **headers) == "passed on"


def test_a_link_on_another_website_opens_the_dashboard() -> None:
    assert status(path="/dashboard", SEC_FETCH_SITE="cross-site") == "passed on"


@pytest.mark.parametrize(
    ("headers", "answer"),
    [
        ({"CONTENT_LENGTH": str(MAX_BODY_BYTES)}, "passed on"),
        ({"CONTENT_LENGTH": ""}, "passed on"),
        ({"CONTENT_LENGTH": str(MAX_BODY_BYTES + 1)}, "413"),
        ({"CONTENT_LENGTH": "-1"}, "400"),
        ({"CONTENT_LENGTH": "9" * 5000}, "400"),
        ({"TRANSFER_ENCODING": "chunked"}, "411"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_size_of_a_body_is_bounded(method: str, headers: dict[str, str], answer: str) -> None:
    assert status(method=method, **headers) == answer


def test_a_read_only_dashboard_shows_everything_and_refuses_every_change_in_one_line() -> None:
    access = Access("127.0.0.1", is_read_only=True)
    assert {status(access, method=method) for method in ("GET", "HEAD", "OPTIONS")} == {"passed on"}
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        refused = reply(access, method=method)
        assert refused and refused.status == "403 Forbidden"
        # The dashboard's pages show `reason`.
        assert "is read-only" in json.loads(refused.body)["reason"] and refused.body.count(b"\n") <= 1


TOKEN = new_token()
OPEN = Access("192.168.1.5", TOKEN)


def test_tokens_are_long_and_new_each_time() -> None:
    assert len(TOKEN) >= 43 and new_token() != TOKEN
    assert with_token("http://192.168.1.5:8080", TOKEN) == f"http://192.168.1.5:8080/?token={TOKEN}"
    assert with_token("http://127.0.0.1:8080", None) == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"query": "token=wrong"},
        {"query": f"token={TOKEN[:-1]}"},
        {"query": "token=%FF%C3"},
        {"COOKIE": "dashboard_token_8080=wrong"},
        {"COOKIE": "dashboard_token_8080=\xff"},
        # The cookie of a dashboard on another port.
        {"COOKIE": f"dashboard_token_8081={TOKEN}"},
        {"query": f"token={TOKEN}", "method": "DELETE"},
    ],
)
def test_without_the_token_nothing_is_answered(parts: dict[str, str]) -> None:
    for path in ("/", "/dashboard", STUDY, "/artifacts/1/2", "/static/bundle.js"):
        assert status(OPEN, path=path, **parts) == "403"


def test_the_token_moves_from_the_address_into_a_cookie_that_opens_the_dashboard() -> None:
    moved = reply(OPEN, path="/dashboard/a b", query=f"numbers=1&token={TOKEN}")
    assert moved and moved.status == "303 See Other" and not moved.body
    headers = dict(moved.headers)
    assert headers["Location"] == "/dashboard/a%20b?numbers=1"
    cookie, *attributes = headers["Set-Cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Lax"} <= set(attributes)
    assert status(OPEN, COOKIE=f"other; a=b; {cookie}") == "passed on"
    assert status(OPEN, method="DELETE", COOKIE=cookie) == "passed on"


@pytest.mark.parametrize("path", ["//evil.example", "///evil.example/", "/\\evil.example"])
def test_the_redirect_stays_on_the_dashboard(path: str) -> None:
    moved = reply(OPEN, path=path, query=f"token={TOKEN}")
    location = dict(moved.headers)["Location"] if moved else ""
    assert location.startswith("/") and not location.startswith(("//", "/\\"))


def test_the_token_does_not_lift_the_other_rules() -> None:
    cookie = {"COOKIE": f"dashboard_token_8080={TOKEN}"}
    assert status(OPEN, HOST="evil.example", query=f"token={TOKEN}") == "403"
    assert status(OPEN, HOST="evil.example", **cookie) == "403"
    assert status(OPEN, method="DELETE", ORIGIN="http://evil.example", **cookie) == "403"
    assert status(Access("192.168.1.5", TOKEN, is_read_only=True), method="DELETE", **cookie) == "403"
