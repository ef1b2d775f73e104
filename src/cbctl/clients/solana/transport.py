"""One JSON-RPC endpoint over HTTP/1.1: connections kept and shared, a limit on every request.

A URL is a secret. It is taken apart once; what is kept for messages is the host. Trying again, and
elsewhere, is the work of `endpoints`.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import threading
import time
from typing import Any
from urllib.parse import unquote, urlsplit

from cbctl.clients.solana.failures import RateLimited, RpcRefusal, Unreachable
from cbctl.config.urls import is_loopback_host
from cbctl.errors import CbctlError, Exit

LARGEST_ANSWER = 64 << 20  # bytes; a program of 10 MiB in base64 is 14 MiB
# "Node is unhealthy" / "behind by N slots", minimum context slot: a moment later it may answer
NODE_BEHIND = (-32005, -32016)


class Transport:
    """Calls to one endpoint.

    url      http or https, with whatever keys it carries
    timeout  seconds that one request may take, connecting included
    """

    def __init__(self, url: str, *, timeout: float = 10.0) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CbctlError(
                "the RPC address is not an http:// or https:// URL",
                exit=Exit.USAGE,
                fix="give the whole URL of the node's JSON-RPC, with its scheme",
            )
        self.host = parts.hostname if port is None else f"{parts.hostname}:{port}"
        self._name, self._port = parts.hostname, port
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if parts.username:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        self._timeout = timeout
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.host})"

    @property
    def loopback(self) -> bool:
        return is_loopback_host(self._name)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def call(self, method: str, params: list[Any] | None = None, *, fresh: bool = False) -> Any:
        """The `result` of one method, asked for once.

        fresh  on a new connection, because the request must not arrive twice
        Errors: Unreachable, RateLimited, RpcRefusal, CbctlError (credentials)
        """
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params or []})
        status, retry_after, raw = self._post(method, body.encode(), fresh)
        if status == 429:
            raise RateLimited(self.host, retry_after)
        if status in (401, 403):
            raise CbctlError(
                f"the RPC refuses access (HTTP {status})",
                where=self.host,
                exit=Exit.CREDENTIALS,
                fix="check the key in the RPC URL",
            )
        try:
            answer = json.loads(raw)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict) or not ("result" in answer or "error" in answer):
            if status != 200:
                raise Unreachable(f"{method} is answered with HTTP {status}", where=self.host)
            raise unusable(method, self.host)
        if error := answer.get("error"):
            raise self._refusal(error)
        return answer.get("result")

    def _refusal(self, error: Any) -> CbctlError:
        if not isinstance(error, dict):
            return Unreachable("an error without a form", where=self.host)
        code = error.get("code")
        message = str(error.get("message", "no message"))[:300]
        if code == 429:
            return RateLimited(self.host, 0.0)
        if code in NODE_BEHIND:
            return Unreachable(f"the node is not ready: {message}", where=self.host)
        number = code if isinstance(code, int) else 0
        return RpcRefusal(number, message, error.get("data"), where=self.host)

    # ---- connections

    def _post(self, method: str, body: bytes, fresh: bool) -> tuple[int, float, bytes]:
        until = time.monotonic() + self._timeout
        with self._lock:
            kept = None if fresh or not self._idle else self._idle.pop()
        if kept is not None:
            try:
                return self._exchange(kept, method, body, until)
            except (ConnectionError, http.client.BadStatusLine):
                kept.close()  # the server closed it while it was idle: once more on a new one
        return self._exchange(self._connect(), method, body, until)

    def _connect(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(self._name, self._port, timeout=self._timeout)
        return http.client.HTTPSConnection(
            self._name, self._port, timeout=self._timeout, context=self._tls
        )

    def _exchange(
        self, connection: http.client.HTTPConnection, method: str, body: bytes, until: float
    ) -> tuple[int, float, bytes]:
        reused = connection.sock is not None
        response: http.client.HTTPResponse | None = None
        try:
            connection.request("POST", self._target, body, self._headers)
            response = connection.getresponse()
            raw = bytearray()
            # Read piece by piece: the socket's own timeout starts anew with every byte.
            while part := response.read1(1 << 18):
                raw += part
                if len(raw) > LARGEST_ANSWER or time.monotonic() > until:
                    raise TimeoutError
            response.read()  # nothing is left; read1 alone never marks the response as complete
        except (ConnectionError, http.client.BadStatusLine) as error:
            connection.close()
            if reused:
                raise
            refused = isinstance(error, ConnectionRefusedError)
            what = "nobody answers there" if refused else "the connection was cut"
            raise Unreachable(what, where=self.host, refused=refused) from None
        except ssl.SSLCertVerificationError:
            connection.close()
            raise CbctlError("its certificate is not valid", where=self.host) from None
        except TimeoutError:
            connection.close()
            what = f"no answer to {method} within {self._timeout:g} s"
            raise Unreachable(what, where=self.host) from None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            # The system's words, else only the kind: what libraries write may quote the URL.
            why = getattr(error, "strerror", None) or type(error).__name__
            what = f"{method} failed: {why}"
            raise Unreachable(what, where=self.host) from None
        finally:
            if response is not None:  # it holds the socket where the server ends the connection
                response.close()
        if response.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.append(connection)
        return response.status, _seconds(response.headers.get("Retry-After")), bytes(raw)


def unusable(method: str, host: str) -> Unreachable:
    return Unreachable(f"the answer to {method} is not of the documented form", where=host)


def _seconds(header: str | None) -> float:
    """Retry-After in seconds; its other form, a date, counts as not said, and so does "nan"."""
    try:
        asked = float(header or 0)
    except ValueError:
        return 0.0
    return min(asked, 60.0) if asked > 0 else 0.0
