"""The token of a dashboard that other machines reach: it comes once in the address, and then as a cookie."""

import secrets
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

_PARAMETER = "token"


def new_token() -> str:
    """Return a token of 256 random bits."""
    return secrets.token_urlsafe(32)


def with_token(address: str, token: str | None) -> str:
    """Return the address that opens a dashboard."""
    return f"{address}/?{urlencode({_PARAMETER: token})}" if token else address


def has_token(environ: dict[str, Any], token: str) -> bool:
    """Return True if a request has the token's cookie."""
    cookies = (cookie.strip().partition("=") for cookie in environ.get("HTTP_COOKIE", "").split(";"))
    return any(name == _cookie_name(environ) and _is_same(value, token) for name, _, value in cookies)


def token_is_in_address(environ: dict[str, Any], token: str) -> bool:
    """Return True if a browser opens an address that contains the token."""
    values = [value for name, value in _parameters(environ) if name == _PARAMETER]
    return environ["REQUEST_METHOD"] in ("GET", "HEAD") and any(_is_same(value, token) for value in values)


def headers_that_move_token_into_cookie(environ: dict[str, Any], token: str) -> list[tuple[str, str]]:
    """Return the headers of a redirect to the same address without the token, and of the cookie."""
    rest = urlencode([(name, value) for name, value in _parameters(environ) if name != _PARAMETER])
    # One slash: browsers take a location with two for the name of another host.
    path = "/" + quote(environ["PATH_INFO"].lstrip("/").encode("latin-1"))
    # Lax: a Strict cookie would be missing after a click on a link of another website, such as a chat.
    # Changes are refused by their origin, whatever the cookie says; so a GET must never change anything.
    return [
        ("Location", f"{path}?{rest}" if rest else path),
        ("Set-Cookie", f"{_cookie_name(environ)}={token}; HttpOnly; SameSite=Lax; Path=/"),
        ("Cache-Control", "no-store"),
    ]


def _parameters(environ: dict[str, Any]) -> list[tuple[str, str]]:
    return parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)


def _cookie_name(environ: dict[str, Any]) -> str:
    # A browser sends the cookies of a host to all its ports: two dashboards must not replace each other's.
    return f"dashboard_token_{environ['SERVER_PORT']}"


def _is_same(value: str, token: str) -> bool:
    return secrets.compare_digest(value.encode("utf-8", "surrogatepass"), token.encode())
