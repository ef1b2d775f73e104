"""Tells a receiver how a run ended: one signed HTTP POST, at least once.

The receiver recomputes the signature over `<t>.<body>` with the shared secret, and drops a delivery
whose `X-Cbctl-Delivery` it has seen. No proxy is used and no redirect followed: the signature and
the address are for this receiver alone.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from cbctl.config.types import Secret, host_only
from cbctl.config.urls import is_loopback_host
from cbctl.errors import CbctlError, Exit

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

WITHIN = 5.0
"""Seconds for everything: name resolution, all tries and the pauses between them."""
TRIES = 3
PAUSE = 0.3


def message(
    ended: Mapping[str, Json], environment: str, who: str, head: Mapping[str, Json]
) -> dict[str, Json]:
    """What is told.

    ended  `summary()` of the run
    head   where its journal ends: `count` and `hash`; others can be added, only these are told
    """
    error = ended.get("error")
    return {
        "version": 1,
        "run": ended["run"],
        "sequence": head["count"],
        "environment": environment,
        "result": ended["result"],
        "exit": ended["exit"],
        "changes": len(changes) if isinstance(changes := ended.get("changes"), list) else 0,
        "release": ended.get("release"),
        "error": error if isinstance(error, dict) else None,
        "who": who,
        "journal": {"count": head["count"], "hash": head["hash"]},
    }


def signature(secret: str, at: int, body: bytes) -> str:
    """Value of `X-Cbctl-Signature`."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def notify(
    url: Secret,
    secret: Secret,
    message: Mapping[str, Json],
    *,
    within: float = WITHIN,
    tls: ssl.SSLContext | None = None,
    wall: Callable[[], float] = time.time,
    now: Callable[[], float] = time.monotonic,
    jitter: Callable[[], float] = random.random,
) -> None:
    """Delivers `message`, which names `run` and `sequence`; returns once the receiver took it.

    Raises CbctlError that shows of the address nothing but scheme, host and port.
    """
    host = host_only(url)
    parts = _address(url, host)
    if not secret:
        raise CbctlError(
            "the secret that signs notifications is empty", exit=Exit.USAGE, where=host
        )
    body = json.dumps(message, separators=(",", ":"), allow_nan=False).encode()
    delivery = _Delivery(
        parts,
        tls or (ssl.create_default_context() if parts.scheme == "https" else None),
        body,
        {
            "Content-Type": "application/json",
            "User-Agent": "cbctl",
            "X-Cbctl-Signature": signature(secret.reveal(), int(wall()), body),
            "X-Cbctl-Delivery": f"{message['run']}/{message['sequence']}",
        },
        until=now() + within,
        now=now,
        jitter=jitter,
    )
    # Neither resolving a name nor a receiver that answers byte by byte heeds a socket's time
    # limit, so the work is left behind when its time is over.
    worker = threading.Thread(target=delivery.run, name="webhook", daemon=True)
    worker.start()
    worker.join(within)
    if not delivery.done:
        late = worker.is_alive() or now() >= delivery.until
        why = delivery.last or f"no answer within {within:g} s"
        raise CbctlError(
            f"the webhook could not be told: {why}",
            exit=Exit.TIMEOUT if late and not delivery.refused else Exit.FAILED,
            where=host,
            fix="the run itself is not affected; check the receiver and the webhook's settings",
        )


@dataclass
class _Delivery:
    parts: SplitResult
    tls: ssl.SSLContext | None
    body: bytes
    headers: Mapping[str, str]
    until: float
    now: Callable[[], float]
    jitter: Callable[[], float]
    done: bool = False
    refused: bool = False
    last: str = ""

    def run(self) -> None:
        for tried in range(TRIES):
            if tried:
                time.sleep(max(0.0, min(self._left(), PAUSE * 2**tried * (0.5 + self.jitter()))))
            if self._left() <= 0:
                return
            self._once()
            if self.done or self.refused:
                return

    def _once(self) -> None:
        """One try. Texts of libraries are not passed on: they may quote the address."""
        connection: http.client.HTTPConnection | None = None
        try:
            connection = self._connection()
            path = (self.parts.path or "/") + (f"?{self.parts.query}" if self.parts.query else "")
            connection.request("POST", path, self.body, dict(self.headers))
            self._judge(connection.getresponse().status)
        except ssl.SSLCertVerificationError as error:
            self.refused, self.last = True, f"its certificate is not valid: {error.verify_message}"
        except (http.client.InvalidURL, ValueError):
            self.refused, self.last = True, "its address cannot be used in a request"
        except TimeoutError:
            self.last = "it did not answer in time"
        except OSError as error:
            reason = error.strerror or type(error).__name__
            self.last = f"no connection: {reason}"
        except http.client.HTTPException as error:
            self.last = f"its answer is not HTTP ({type(error).__name__})"
        finally:
            if connection:
                connection.close()

    def _judge(self, status: int) -> None:
        self.done = 200 <= status < 300
        self.last = f"it answered {status}"
        if 300 <= status < 400:
            self.refused, self.last = True, f"it answered {status}; redirects are not followed"
        elif 400 <= status < 500:
            self.refused = True

    def _connection(self) -> http.client.HTTPConnection:
        host, left = self.parts.hostname or "", max(0.05, self._left())
        if self.tls:
            return http.client.HTTPSConnection(
                host, self.parts.port, timeout=left, context=self.tls
            )
        return http.client.HTTPConnection(host, self.parts.port, timeout=left)

    def _left(self) -> float:
        return self.until - self.now()


def _address(url: Secret, host: str) -> SplitResult:
    try:
        parts = urlsplit(url.reveal())
        usable = bool(parts.hostname) and parts.scheme in ("http", "https") and parts.port != 0
        usable = usable and not parts.username
    except ValueError:
        usable = False
    if not usable:
        raise CbctlError(
            "the webhook's address is not an https:// URL",
            exit=Exit.USAGE,
            where=host,
            fix="give the whole URL, without user name and password",
        )
    if parts.scheme == "http" and not is_loopback_host(parts.hostname or ""):
        raise CbctlError(
            "the webhook's address is http://, which anybody on the way can read",
            exit=Exit.USAGE,
            where=host,
            fix="use https://; http:// is for loopback only",
        )
    return parts
