"""Decides which requests the dashboard answers: no other website may read or change the study that it serves.

Browsers let every website send requests to this machine. Three headers tell them apart, and no website can set them:
`Host` is the name in the address, `Origin` and `Sec-Fetch-Site` say which website a request comes from.
"""

import ipaddress
import json
import re
from dataclasses import dataclass
from typing import Any

from hpo.dashboard.access_token import has_token, headers_that_move_token_into_cookie, token_is_in_address
from hpo.user_commands import user_command

# A file of 24 MB, uploaded in base64. The largest artifact of this project has less than one.
MAX_BODY_BYTES = 32 * 2**20
_ONE_STUDY = user_command("dashboard", "quick")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_HOST = re.compile(r"(\[[\da-f:.]+\]|[^\[\]:/@,\s]+)(?::\d{1,5})?", re.IGNORECASE)
# More digits than any length has; int() refuses thousands of them.
_LENGTH = re.compile(r"\d{1,18}", re.ASCII)

Environ = dict[str, Any]
Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Access:
    """Rules of a dashboard: the `host` it was told to listen on, its token (None: none is needed), and whether it only
    shows the study. One that `shows_all` studies changes none.
    """

    host: str
    token: str | None = None
    is_read_only: bool = False
    shows_all: bool = False


@dataclass(frozen=True)
class Reply:
    """An answer of the guard, which the dashboard's app never sees."""

    status: str
    headers: Headers
    body: bytes = b""


def guard_reply(environ: Environ, access: Access) -> Reply | None:
    """Return the guard's answer to a request: a refusal with its reason in one line, or the redirect that sets the
    token's cookie; None for a request that the dashboard's app answers.
    """
    name = _name_of(environ.get("HTTP_HOST", ""))
    if not _is_own_name(name, access.host):
        return _refuse(environ, "403 Forbidden", f"This dashboard does not answer to the name {name or '(none)'}.")
    if access.token:
        if token_is_in_address(environ, access.token):
            return Reply("303 See Other", headers_that_move_token_into_cookie(environ, access.token))
        if not has_token(environ, access.token):
            reason = "This dashboard asks for its token: open the whole address that make dashboard printed."
            return _refuse(environ, "403 Forbidden", reason)
    return (_refused_change(environ, access) if _is_change(environ) else None) or _refused_body(environ)


def _refused_change(environ: Environ, access: Access) -> Reply | None:
    if _is_foreign(environ):
        return _refuse(environ, "403 Forbidden", "Another website may not change the study.")
    if access.shows_all:
        reason = f"All studies are shown and none is changed: to change one, name it ({_ONE_STUDY})."
        return _refuse(environ, "403 Forbidden", reason)
    if access.is_read_only:
        reason = "This dashboard is read-only: start it without --read-only (READ_ONLY=1) to change the study."
        return _refuse(environ, "403 Forbidden", reason)
    return None


def _refused_body(environ: Environ) -> Reply | None:
    # The dashboard's app reads a chunked body to its end, however long it is. Browsers send the length.
    if "HTTP_TRANSFER_ENCODING" in environ:
        return _refuse(environ, "411 Length Required", "A request must give the length of its body.")
    length = environ.get("CONTENT_LENGTH") or "0"
    if not _LENGTH.fullmatch(length):
        return _refuse(environ, "400 Bad Request", "The length of the body must be a number.")
    if int(length) > MAX_BODY_BYTES:
        reason = f"A request may have at most {MAX_BODY_BYTES // 2**20} MiB, which is a file of 24 MB."
        return _refuse(environ, "413 Content Too Large", reason)
    return None


def _name_of(host: str) -> str:
    """Return the name in a `Host` header, without its port; empty if the header is faulty."""
    match = _HOST.fullmatch(host)
    return match[1].strip("[]").lower() if match else ""


def _is_own_name(name: str, host: str) -> bool:
    """Return True for a name of the loopback interface and for the host that the dashboard was given.

    One that listens on all addresses is reached by any of them. An address, unlike a name, cannot be made to point at
    another machine by the website that uses it (DNS rebinding).
    """
    if name in ("localhost", host.lower()):
        return name != ""
    address, own = _address(name), _address(host or "0.0.0.0")
    if address is None:
        return False
    return address.is_loopback or (own is not None and (own.is_unspecified or own == address))


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return a numeric address, of which IPv6 has several spellings; None for a name."""
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _is_change(environ: Environ) -> bool:
    return environ["REQUEST_METHOD"] not in SAFE_METHODS


def _is_foreign(environ: Environ) -> bool:
    """Return True for a request from a page of another origin: another name, another port, a frame, a file.

    Programs that are not browsers send neither header.
    """
    own_origin = f"http://{environ['HTTP_HOST']}".lower()
    is_own_site = environ.get("HTTP_SEC_FETCH_SITE", "none") in ("none", "same-origin")
    return not is_own_site or environ.get("HTTP_ORIGIN", own_origin).lower() != own_origin


def _refuse(environ: Environ, status: str, reason: str) -> Reply:
    # The dashboard's pages show the `reason` of a failed call.
    if environ.get("PATH_INFO", "").startswith("/api/"):
        return Reply(status, [("Content-Type", "application/json")], json.dumps({"reason": reason}).encode())
    return Reply(status, [("Content-Type", "text/plain; charset=utf-8")], f"{reason}\n".encode())
