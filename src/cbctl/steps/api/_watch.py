"""What is seen of the pods while a release proves itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cbctl.clients.prometheus import Traffic, traffic
from cbctl.errors import CbctlError
from cbctl.steps.api._target import Object

ENOUGH = 100  # requests after which errors end it before its time
STRIKES = 3  # times that a pod may fail to say what it served


class Limits(Protocol):
    """
    port, health, ready  of a pod; what is asked there is no traffic
    metrics              where it counts its requests; none: it does not
    errors               per cent of answers that may be errors of the service
    p95_ms               milliseconds within which 95 % must be answered
    """

    @property
    def port(self) -> int: ...

    @property
    def health(self) -> str: ...

    @property
    def ready(self) -> str: ...

    @property
    def metrics(self) -> str | None: ...

    @property
    def errors(self) -> int: ...

    @property
    def p95_ms(self) -> int: ...


class Bad(Exception):
    """The release does not prove itself. evidence: what explains it"""

    def __init__(self, why: str, **evidence: Any) -> None:
        super().__init__(why)
        self.evidence = evidence


@dataclass
class _Pod:
    """first, now: its counters when it was first seen, and last"""

    restarts: int
    first: Traffic | None = None
    now: Traffic = field(default_factory=Traffic)
    strikes: int = 0


class Watch:
    def __init__(self, api: Any, limits: Limits) -> None:
        self._api, self._limits = api, limits
        self._pods: dict[str, _Pod] = {}
        self._began = False

    def look(self, pods: Sequence[Object]) -> None:
        """Raises Bad as soon as it is certain."""
        for pod in pods:
            uid = pod["metadata"]["uid"]
            known = self._pods.get(uid)
            if known is None:
                # one that came meanwhile is new: each of its restarts counts
                known = _Pod(0 if self._began else _restarts(pod))
                self._pods[uid] = known
            if _restarts(pod) > known.restarts:
                raise self._restarted(pod)
            if self._limits.metrics is not None:
                self._read(pod["metadata"]["name"], known)
        self._began = True
        if self.seen.requests >= ENOUGH:
            self._judge_errors()

    def judge(self) -> None:
        """At its end. Raises Bad."""
        self._judge_errors()
        p95 = self.seen.quantile(0.95)
        if p95 is not None and p95 * 1000 > self._limits.p95_ms:
            raise Bad(
                f"95 % of the requests took up to {_ms(p95)}, more than {self._limits.p95_ms} ms",
                traffic=self.said,
            )

    @property
    def seen(self) -> Traffic:
        """Of all pods, since they were first looked at."""
        found = Traffic()
        for pod in self._pods.values():
            if pod.first is not None:
                found += pod.now.since(pod.first)
        return found

    @property
    def said(self) -> str:
        seen = self.seen
        if self._limits.metrics is None:
            return f"{len(self._pods)} pods without a restart; requests are not counted"
        if not seen.requests:
            return f"no request came: only that {len(self._pods)} pods did not restart is known"
        p95 = seen.quantile(0.95)
        took = f", 95 % within {_ms(p95)}" if p95 is not None else ""
        return f"{seen.requests:.0f} requests, {_share(seen):.2g} % errors{took}, no restart"

    def _judge_errors(self) -> None:
        seen = self.seen
        if seen.requests and _share(seen) > self._limits.errors:
            raise Bad(
                f"{seen.errors:.0f} of {seen.requests:.0f} requests were answered with an error,"
                f" more than {self._limits.errors} %",
                traffic=self.said,
            )

    def _read(self, name: str, pod: _Pod) -> None:
        limits = self._limits
        assert limits.metrics is not None
        apart = (limits.health, limits.ready, limits.metrics)
        try:
            text = self._api.ask(name, limits.port, limits.metrics).decode(errors="replace")
            found = traffic(text, apart, where=f"pod {name} at {limits.metrics}")
        except CbctlError as error:
            pod.strikes += 1
            if pod.strikes >= STRIKES:
                raise Bad(
                    f"pod {name} does not say what it serves: {limits.metrics} answers {error.what}"
                ) from None
            return
        pod.strikes = 0
        pod.first = found if pod.first is None else pod.first
        pod.now = found

    def _restarted(self, pod: Object) -> Bad:
        name = pod["metadata"]["name"]
        ended = [
            (one["name"], one.get("lastState", {}).get("terminated") or {})
            for one in pod.get("status", {}).get("containerStatuses", ())
            if one.get("restartCount")
        ]
        container, last = ended[0]
        why = f"{last.get('reason', 'it ended')}, exit code {last.get('exitCode', '?')}"
        lines = self._api.log(name, container, lines=20, previous=True).splitlines()
        return Bad(f"container {container} of pod {name} restarted ({why})", log=lines)


def _restarts(pod: Object) -> int:
    found = pod.get("status", {}).get("containerStatuses", ())
    return sum(int(one.get("restartCount", 0)) for one in found)


def _share(seen: Traffic) -> float:
    """Per cent of the answers that were errors."""
    return 100 * seen.errors / seen.requests


def _ms(seconds: float) -> str:
    return "longer than the last bound" if math.isinf(seconds) else f"{seconds * 1000:.0f} ms"
