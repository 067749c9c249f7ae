"""A bad line to a good server: passes HTTP requests on, and spoils those it is told to.

A fault is one of `FAULTS`. ``before`` the request reached the server, or ``after`` it did its work there: a
client cannot tell which, and tries again.
"""

from __future__ import annotations

import http.client
import itertools
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any, Self

FAULTS = ("500", "503", "403", "slow", "silent", "reset", "late reset", "cut off")
CODES = {
    "500": (500, "InternalError", "We encountered an internal error. Please try again."),
    "503": (503, "SlowDown", "Please reduce your request rate."),
    "403": (403, "AccessDenied", "Access Denied."),
}
SLOW_SECONDS = 0.5
#: What drivers wait for an answer that are told to be impatient; users wait a minute.
PATIENCE_SECONDS = 2.0
SILENT_SECONDS = 6.0
#: What share of all requests meets a fault, so that a service is bad but not hopeless. Few are told 503:
#: clients that hear it ask more slowly from then on.
SHARES = {
    "500": 0.2,
    "503": 0.005,
    "slow": 0.03,
    "silent": 0.005,
    "reset": 0.2,
    "late reset": 0.2,
    "cut off": 0.1,
}
#: What belongs to one connection and is not passed on.
OWN = ("connection", "keep-alive", "transfer-encoding", "content-length", "date", "server")

#: Says what happens to a request, given its method and its path; None: nothing.
Choice = Callable[[str, str], str | None]


class Proxy:
    """A port before another one of this machine; a context manager. ``choose`` may be set at any time."""

    def __init__(self, port: int) -> None:
        self.to = port
        self.choose: Choice = lambda method, path: None
        self.met: Counter[str] = Counter()
        """How many requests met each fault; those without any under ``none``."""
        self._place = socket.socket()  # keeps the port from others while nobody listens there
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        self.port = int(self._place.getsockname()[1])
        self._server = _Server(self.port, self)

    @property
    def endpoint(self) -> str:
        """The address for clients."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._serve()
        return self

    def __exit__(self, *given: Any) -> None:
        self.go_down()
        self._place.close()

    def spoil(self, fault: str, seed: int = 1) -> None:
        """Let the tenth request and a random share of all meet ``fault``, but no more than three in a row."""
        random, row, number = Random(seed), [0], itertools.count()

        def choose(method: str, path: str) -> str | None:
            hit = next(number) == 10 or (random.random() < SHARES[fault] and row[0] < 3)
            row[0] = row[0] + 1 if hit else 0
            return fault if hit else None

        self.choose = choose

    def be_good(self) -> None:
        """Spoil nothing any more."""
        self.choose = lambda method, path: None

    def go_down(self) -> None:
        """Answer nobody: connections are refused, and those that there are break."""
        self._server.shutdown()
        self._server.server_close()
        self._server.drop()

    def come_up(self) -> None:
        """Be there again, on the same port."""
        self._server = _Server(self.port, self)
        self._serve()

    def _serve(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="proxy", daemon=True).start()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, proxy: Proxy) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.proxy = proxy
        self.open: set[socket.socket] = set()

    def drop(self) -> None:
        """Break every connection that is left."""
        for line in [*self.open]:
            with suppress(OSError):  # its thread wakes up, and closes it
                line.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer in one piece: in two, the second waits 40 ms for the first to be acknowledged
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self.connection)
        self._to = http.client.HTTPConnection("127.0.0.1", self.server.proxy.to, timeout=30)

    def finish(self) -> None:
        self.server.open.discard(self.connection)
        self._to.close()
        super().finish()

    def handle_expect_100(self) -> bool:
        go_on = super().handle_expect_100()
        self.wfile.flush()
        return go_on

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:  # the line is broken, by us or by the client
            self.close_connection = True

    def _pass_on(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = proxy.choose(self.command, self.path)
        proxy.met[fault or "none"] += 1
        match fault:
            case "500" | "503" | "403":
                return self._refuse(*CODES[fault])
            case "slow":
                time.sleep(SLOW_SECONDS)
            case "silent":
                time.sleep(SILENT_SECONDS)
                return self._break()
            case "reset":
                return self._break()
        status, headers, content = self._ask(body)
        if fault == "late reset":
            return self._break()
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in OWN or name.lower() == "date":
                self.send_header(name, value)
        length = dict(headers).get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if fault == "cut off" else content)
        if fault == "cut off":
            self.wfile.flush()
            self._break()
        return None

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """What the server answers."""
        self._to.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("connection", "expect", "content-length"):
                self._to.putheader(name, value)
        self._to.putheader("Content-Length", str(len(body)))
        self._to.endheaders(body)
        answer = self._to.getresponse()
        return answer.status, answer.getheaders(), answer.read()

    def _refuse(self, status: int, code: str, message: str) -> None:
        text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def _break(self) -> None:
        """End the connection as a router does that forgot it: the other side reads ECONNRESET."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
