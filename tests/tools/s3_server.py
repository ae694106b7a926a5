"""A real S3 server for tests, and a proxy before it that fails from time to time."""

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_IN_VENV = ROOT / ".venv" / "s3" / "bin" / "moto_server"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


def program() -> str | None:
    """Return the path of moto's server; None if it is not installed. Its packages do not go with ours."""
    return str(_IN_VENV) if _IN_VENV.exists() else shutil.which("moto_server")


@contextmanager
def running_s3(bucket: str) -> Iterator[int]:
    """Run a server with an empty bucket; yield its port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    command = [str(program()), "-H", "127.0.0.1", "-p", str(port)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    silent = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=silent, stderr=silent, env=environment)
    try:
        for _ in range(600):
            with suppress(OSError):
                answer = _request(port, "PUT", f"/{bucket}", {}, b"")
                assert answer[0] == 200
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


@contextmanager
def failing_proxy(port: int, every: int) -> Iterator[int]:
    """Run a proxy to a server that answers every n-th request with an error; yield its port."""
    numbers = count(1)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if next(numbers) % every == 0:
                status, headers, content = 503, [("Content-Length", "0")], b""
            else:
                status, headers, content = _request(port, self.command, self.path, dict(self.headers), body)
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_DELETE = do_POST = do_HEAD = _answer

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def _request(
    port: int, method: str, path: str, headers: dict[str, str], body: bytes
) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, response.getheaders(), content
