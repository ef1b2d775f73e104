"""Requests to one API server: connections kept and shared, limits on every wait.

Everything sent through `call` may arrive twice (a request whose answer was lost is sent again), so
that only what is the same the second time is sent: reads, server-side apply, deletes.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from cbctl.clients.kubernetes.credentials import Credentials
from cbctl.clients.kubernetes.failures import Refused, Unreachable
from cbctl.clients.kubernetes.kubeconfig import Access
from cbctl.errors import CbctlError, Exit

LARGEST_ANSWER = 64 << 20  # bytes
_PASSES = (429, 500, 502, 503, 504)
_NEVER_PASSES = b"failed to create typed patch object"
"""What a manifest gets that is no object of its kind: 500 too, but no waiting helps."""
_STARTS = 30.0  # seconds after a broken connection in which a server may still be starting
Query = Mapping[str, str | int | None]


Sleep = Callable[[float], None]


class Transport:
    """
    timeout   seconds that one request may take, connecting included
    patience  seconds during which a call without a usable answer is tried again
    """

    def __init__(
        self,
        access: Access,
        *,
        timeout: float = 15.0,
        patience: float = 5.0,
        sleep: Sleep = time.sleep,
    ) -> None:
        parts = urlsplit(access.server)
        self.where = access.context
        self._name, self._port = parts.hostname or "", parts.port or 443
        self._prefix = parts.path.rstrip("/")
        self._credentials = Credentials(access)
        self._server_name = access.server_name
        self._tls: ssl.SSLContext | None = None
        self.timeout, self._patience, self._sleep = timeout, patience, sleep
        self._idle: list[http.client.HTTPSConnection] = []
        self._lock = threading.Lock()
        self._broke = -math.inf

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def call(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Any = None,
        content: str = "application/json",
    ) -> Any:
        """The object that the server answers with. Raises Refused, Unreachable."""
        return json.loads(self.raw(method, path, query, body, content))

    def raw(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Any = None,
        content: str = "application/json",
        patience: float | None = None,
        accept: str = "application/json",
    ) -> bytes:
        """
        patience  another one for this call
        accept    what the server shall answer with
        """
        until = time.monotonic() + (self._patience if patience is None else patience)
        wait, renewed = 0.1, False
        while True:
            try:
                return self._once(method, path, query, body, content, accept)
            except Refused as error:
                if error.status == 401 and not renewed and self._credentials.renew():
                    renewed = True
                    self._forget()
                    continue
                if not self._has_just_started(error) or time.monotonic() + wait > until:
                    raise
                pause = wait
            except Unreachable as error:
                pause = max(error.retry_after, wait)
                if time.monotonic() + pause > until:
                    raise
            self._sleep(pause)
            wait = min(wait * 2, 2.0)

    def stream(self, path: str, query: Query, silence: float | None) -> Stream:
        """silence: seconds without a byte after which the connection counts as broken; None: it
        may be silent for ever"""
        connection = self._connect()
        try:
            response = self._ask(connection, "GET", path, query, None, "")
            if response.status != 200:
                with response:
                    raise Refused(response.status, response.read(), where=self.where)
        except BaseException as error:
            connection.close()
            if isinstance(error, Refused) and self._has_just_started(error):
                raise Unreachable(error.what, where=self.where) from None
            raise
        if connection.sock is not None:
            connection.sock.settimeout(silence)
        return Stream(connection, response, self._failures())

    # ---- one request

    def _once(
        self, method: str, path: str, query: Query | None, body: Any, content: str, accept: str
    ) -> bytes:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        reused = connection is not None
        connection = connection or self._connect()
        try:
            response = self._ask(connection, method, path, query, body, content, accept)
            answer = self._read(response)
        except BaseException as error:
            connection.close()
            if reused and isinstance(error, Unreachable):
                # The server had closed it while it was idle, or is gone: a new one will tell.
                return self._once(method, path, query, body, content, accept)
            raise
        if response.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.append(connection)
        if response.status in _PASSES and _NEVER_PASSES not in answer:
            raise Unreachable(
                str(Refused(response.status, answer).what),
                where=self.where,
                retry_after=_seconds(response.headers.get("Retry-After")),
            )
        if response.status >= 400:
            raise Refused(response.status, answer, where=self.where)
        return answer

    def _ask(
        self,
        connection: http.client.HTTPSConnection,
        method: str,
        path: str,
        query: Query | None,
        body: Any,
        content: str,
        accept: str = "application/json",
    ) -> http.client.HTTPResponse:
        headers = {"Accept": accept, "User-Agent": "cbctl"}
        if token := self._credentials.token:
            headers["Authorization"] = f"Bearer {token}"
        encoded = None
        if body is not None:
            headers["Content-Type"] = content
            encoded = json.dumps(body, separators=(",", ":")).encode()
        given = {name: value for name, value in (query or {}).items() if value is not None}
        target = self._prefix + path + (f"?{urlencode(given)}" if given else "")
        with self._failures():
            connection.request(method, target, encoded, headers)
            return connection.getresponse()

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        until = time.monotonic() + self.timeout
        answer = bytearray()
        with self._failures():
            while part := response.read1(1 << 18):
                answer += part
                if len(answer) > LARGEST_ANSWER or time.monotonic() > until:
                    raise TimeoutError
            response.read()  # read1 alone never marks the response as complete
        return bytes(answer)

    def _failures(self) -> _Failures:
        return _Failures(self)

    def broke(self) -> None:
        """A connection did."""
        self._broke = time.monotonic()

    def _has_just_started(self, error: Refused) -> bool:
        """Whether that may pass: a server that starts refuses everybody until it knows all bindings
        and roles."""
        lately = time.monotonic() - self._broke < _STARTS
        return error.forbidden and (error.knows_no_roles or lately)

    # ---- connections

    def _connect(self) -> http.client.HTTPSConnection:
        with self._lock:
            if self._tls is None:
                self._tls = self._credentials.tls()
            tls = self._tls
        connection = _Connection(self._name, self._port, timeout=self.timeout, context=tls)
        connection.server_name = self._server_name
        return connection

    def _forget(self) -> None:
        with self._lock:
            self._tls = None
        self.close()


class Stream:
    """An answer that comes line by line, for as long as both sides like."""

    def __init__(
        self,
        connection: http.client.HTTPSConnection,
        response: http.client.HTTPResponse,
        failures: _Failures,
    ) -> None:
        self._connection, self._response, self._failures = connection, response, failures

    def lines(self) -> Iterator[bytes]:
        with self._failures:
            while line := self._response.readline(LARGEST_ANSWER):
                yield line

    def cut(self) -> None:
        """Ends a read that may wait for a minute; from another thread."""
        sock = self._connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._response.close()
        self._connection.close()


class _Connection(http.client.HTTPSConnection):
    """server_name: whom the server's certificate must name, where that is not the host"""

    server_name: str | None = None

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        context: ssl.SSLContext = self._context  # type: ignore[attr-defined]  # untyped there
        self.sock = context.wrap_socket(self.sock, server_hostname=self.server_name or self.host)


class _Failures:
    """Turns what sockets and http.client raise into our own words."""

    def __init__(self, transport: Transport) -> None:
        self._transport, self._where = transport, transport.where

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, OSError | http.client.HTTPException):
            self._transport.broke()
        match error:
            case ssl.SSLCertVerificationError():
                raise CbctlError(
                    f"the API server's certificate is not valid: {error.verify_message}",
                    where=self._where,
                    exit=Exit.REFUSED,
                    fix="check server and certificate-authority of this context",
                ) from None
            case TimeoutError():
                what = f"the API server did not answer within {self._transport.timeout:g} s"
                raise Unreachable(what, where=self._where) from None
            case ConnectionRefusedError():
                raise Unreachable("nobody listens at the API server", where=self._where) from None
            case OSError() | http.client.HTTPException():
                what = f"the connection to the API server broke ({type(error).__name__})"
                raise Unreachable(what, where=self._where) from None


def _seconds(header: str | None) -> float:
    try:
        return min(max(float(header or 0), 0.0), 30.0)
    except ValueError:
        return 0.0
