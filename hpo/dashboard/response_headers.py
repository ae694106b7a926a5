"""Headers of the dashboard's answers: no other website shows or reads them, and no artifact runs as a page."""

import re

Headers = list[tuple[str, str]]

# Types that browsers show and never run. Not SVG, nor anything else in XML: opened on its own it may contain scripts.
_SHOWN = re.compile(
    r"(?:(?:image|video|audio)/(?!\S*\+?xml)[\w.+-]+|text/csv|text/plain|application/json)(?:; *charset=[\w-]+)?",
    re.ASCII | re.IGNORECASE,
)
# Paths of optuna-dashboard's own pages and scripts. Everything else that is no data is a download, so that another
# spelling of an artifact's path (`/%FFartifacts/...`) is one too.
_OWN_PATHS = ("/dashboard", "/static/", "/favicon.ico", "/incompatible-rdb-schema")
_NO_FRAME = "frame-ancestors 'none'"
_POLICY = "content-security-policy"
_REPLACED = ("access-control-allow-origin", "x-frame-options", "x-content-type-options", _POLICY)


def guarded_headers(path: str, status: str, headers: Headers) -> Headers:
    """Return the headers of an answer with those that protect it.

    Args:
        path: decoded path of the request.
        status: such as `200 OK`.
        headers: of optuna-dashboard, which lets every website read artifacts.
    """
    by_name = {name.lower(): value for name, value in headers}
    kept = [(name, value) for name, value in headers if name.lower() not in _REPLACED]
    policy = "; ".join(filter(None, (by_name.get(_POLICY), _NO_FRAME)))
    is_page = not status.startswith("2") or path.startswith(_OWN_PATHS)
    if not is_page and "content-disposition" not in by_name and not _SHOWN.fullmatch(by_name.get("content-type", "")):
        # Without a name: the dashboard's link gives it.
        kept.append(("Content-Disposition", "attachment"))
    return [
        *kept,
        ("Content-Security-Policy", policy),
        ("X-Frame-Options", "DENY"),
        ("X-Content-Type-Options", "nosniff"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    ]
