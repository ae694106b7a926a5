"""WSGI app around optuna-dashboard's: it refuses what other websites ask for, and sends headers that protect."""

from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication

from hpo.dashboard.request_guard import Access, Environ, Headers, guard_reply
from hpo.dashboard.response_headers import guarded_headers


def guarded(app: WSGIApplication, access: Access) -> WSGIApplication:
    """Return an app that passes on the allowed requests to `app`."""

    def guarded_app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        # The app changes the path while it answers.
        path = environ.get("PATH_INFO", "")

        def start(status: str, headers: Headers, exc_info: Any = None) -> Any:
            return start_response(status, guarded_headers(path, status, headers), exc_info)

        reply = guard_reply(environ, access)
        if reply is None:
            return app(environ, start)
        start(reply.status, reply.headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [reply.body]

    return guarded_app
