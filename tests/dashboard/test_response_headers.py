"""Headers of the dashboard's answers: which artifacts are shown, and who may frame or read a page."""

import pytest

from hpo.dashboard.response_headers import guarded_headers


def headers_of(content_type: str, path: str = "/artifacts/1/ab", status: str = "200 OK", **more: str) -> dict[str, str]:
    given = [("Content-Type", content_type), *((name.replace("_", "-"), value) for name, value in more.items())]
    answer = guarded_headers(path, status, given)
    names = [name.lower() for name, _ in answer]
    assert len(set(names)) == len(names)
    return dict(zip(names, (value for _, value in answer), strict=True))


@pytest.mark.parametrize(
    "content_type",
    [
        *("image/png", "image/gif", "image/webp", "image/x-icon", "video/mp4", "audio/mpeg", "application/json"),
        *("text/csv", "text/plain", "text/plain; charset=utf-8", "IMAGE/PNG"),
    ],
)
def test_artifacts_that_cannot_run_are_shown(content_type: str) -> None:
    assert "content-disposition" not in headers_of(content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        *("text/html", "text/html; charset=utf-8", "TEXT/HTML", "application/xhtml+xml", "text/xml", "image/svg+xml"),
        *("IMAGE/SVG+XML; charset=utf-8", "image/x+xml", "application/pdf", "text/javascript", "text/css"),
        # Browsers take the last of several types.
        *("application/octet-stream", "", "image/png, text/html", "image/png;,text/html", "image/", "text/plain,a/b"),
    ],
)
@pytest.mark.parametrize("path", ["/artifacts/1/ab", "/artifacts/1/2/ab", "//artifacts/1/ab", "/\xffartifacts/1/ab"])
def test_all_other_artifacts_are_downloads(content_type: str, path: str) -> None:
    assert headers_of(content_type, path)["content-disposition"] == "attachment"


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/studies/1", "/incompatible-rdb-schema"])
def test_the_dashboards_own_pages_are_shown(path: str) -> None:
    assert "content-disposition" not in headers_of("text/html; charset=UTF-8", path)


def test_a_download_with_a_name_keeps_it_and_an_error_is_shown() -> None:
    named = headers_of("text/csv; chatset=cp932", "/csv/1", Content_Disposition="attachment; filename=small.csv")
    assert named["content-disposition"] == "attachment; filename=small.csv"
    assert "content-disposition" not in headers_of("text/html", status="404 Not Found")


def test_no_website_may_frame_embed_or_read_any_answer() -> None:
    for path, status in (("/dashboard", "200 OK"), ("/artifacts/1/ab", "200 OK"), ("/api/studies", "403 Forbidden")):
        headers = headers_of(
            "text/html", path, status, Access_Control_Allow_Origin="*", content_security_policy="default-src 'self'"
        )
        assert headers["content-security-policy"] == "default-src 'self'; frame-ancestors 'none'"
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
    assert headers_of("text/html")["content-security-policy"] == "frame-ancestors 'none'"
