"""Calls to a cluster through one or several endpoints.

A call goes to the first endpoint that is well; what does not answer, answers nonsense, limits the
rate or is behind the others rests for a while, and the next one is asked. All of them must belong
to the same cluster: one that does not is a mistake in the configuration, and is refused.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cbctl.clients.solana.failures import RateLimited, Unreachable
from cbctl.clients.solana.pacing import Pacing
from cbctl.clients.solana.transport import Transport, unusable
from cbctl.clients.solana.types import Clock, Sleep
from cbctl.errors import CbctlError, Exit

REST = 10.0  # seconds that an endpoint which failed is left alone while others answer
BEHIND = 32  # slots that an endpoint may be behind the newest answer of any: about 6 s
LOOKS_SHARE = 4  # every so manyth request, where they are limited, may be spent on looking
COMPARE_EVERY = 10.0  # seconds between two looks at how far each endpoint is


@dataclass
class _Endpoint:
    transport: Transport
    pacing: Pacing
    proven: bool = False
    rests_until: float = 0.0


class Endpoints:
    """
    urls      of one cluster, the preferred one first
    timeout   seconds that one request may take, connecting included
    patience  seconds during which a call without a usable answer is tried again
    waits     be patient also where nobody listens: a node that is starting anew
    """

    def __init__(
        self,
        urls: str | Sequence[str],
        *,
        timeout: float = 10.0,
        patience: float = 0.0,
        waits: bool = False,
        sleep: Sleep = time.sleep,
        now: Clock = time.monotonic,
    ) -> None:
        listed = [urls] if isinstance(urls, str) else list(dict.fromkeys(urls))
        self._all = [_Endpoint(Transport(url, timeout=timeout), Pacing(now)) for url in listed]
        self._last = self._all[0]
        self._patience, self._waits = patience, waits
        self._sleep, self._now = sleep, now
        self._lock = threading.Lock()
        self._thread = threading.local()
        self._compared: float | None = None
        self._cluster = ""
        self._newest = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(one.transport.host for one in self._all)})"

    @property
    def host(self) -> str:
        """Of the endpoint that was asked last."""
        return self._last.transport.host

    @property
    def loopback(self) -> bool:
        return all(one.transport.loopback for one in self._all)

    @property
    def poll(self) -> float:
        """Seconds between two looks at something that changes: public nodes allow an address 40
        requests per method in 10 s."""
        usual = 0.05 if self._last.transport.loopback else 0.5
        rate = self._last.pacing.rate
        return usual if rate is None else max(usual, LOOKS_SHARE / rate)

    @property
    def room(self) -> int:
        """Requests that the endpoints would let through now."""
        return max(one.pacing.room() for one in self._usable())

    @property
    def next_room(self) -> float:
        """Seconds until there is room for one more."""
        return min(one.pacing.next_room() for one in self._usable())

    @property
    def limited(self) -> bool:
        """The rate of requests is held back."""
        return self._last.pacing.rate is not None or self._last.pacing.pause > 0

    def close(self) -> None:
        for one in self._all:
            one.transport.close()

    def unusable(self, method: str) -> Unreachable:
        return unusable(method, self.host)

    def call(
        self,
        method: str,
        params: list[Any] | None = None,
        *,
        patience: float | None = None,
        fresh: bool = False,
        since: int = 0,
    ) -> Any:
        """The `result` of one method.

        since  slot that the answering node must have reached; 0: any
        fresh  asked for once, on a new connection: the request must not arrive twice
        Errors: Unreachable, RateLimited, RpcRefusal, CbctlError (credentials, another cluster)
        """
        if getattr(self._thread, "hasty", False):
            patience = 0.0
        until = self._now() + (self._patience if patience is None else patience)
        wait = 0.25
        while True:
            try:
                return self._anywhere(method, params, fresh, since)
            except Unreachable as error:
                asked = error.retry_after if isinstance(error, RateLimited) else 0.0
                pause = max(asked, wait)
                if self._now() + pause > until or (error.refused and not self._waits):
                    raise
                self._sleep(pause)
                wait = min(wait * 2, 4.0)

    def together(self, *looks: Callable[[], Any]) -> list[Any]:
        """What several looks find that do not wait for each other: far nodes take their time.

        One that finds no usable answer is made again alone, with patience."""
        if self.limited:
            return [look() for look in looks]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(len(looks)) as threads:
            found = list(threads.map(self._hastily, looks))
        return [
            look() if isinstance(one, Unreachable) else one
            for look, one in zip(looks, found, strict=True)
        ]

    def _hastily(self, look: Callable[[], Any]) -> Any:
        """In a thread that must not wait: an Unreachable is the answer."""
        self._thread.hasty = True
        try:
            return look()
        except Unreachable as error:
            return error

    # ---- one endpoint after the other

    def _anywhere(self, method: str, params: list[Any] | None, fresh: bool, since: int) -> Any:
        if len(self._all) == 1:
            answer = self._ask(self._all[0], method, params, fresh)
            self._demand_recent(self._all[0], method, answer, since)
            return answer
        self._compare()
        failures: list[CbctlError] = []
        for one in self._usable():
            try:
                self._prove(one)
                answer = self._ask(one, method, params, fresh)
                self._demand_recent(one, method, answer, max(since, self._newest - BEHIND))
                return answer
            except CbctlError as error:
                if fresh or not _of_this_endpoint(error):
                    raise
                self._rest(one, error)
                failures.append(error)
        raise _none_answers(failures)

    def _ask(self, one: _Endpoint, method: str, params: list[Any] | None, fresh: bool) -> Any:
        self._last, asked_at = one, self._now()
        try:
            answer = one.transport.call(method, params, fresh=fresh)
        except RateLimited as limited:
            one.pacing.refused(limited.retry_after)
            raise
        except CbctlError:
            one.pacing.answered(asked_at)
            raise
        one.pacing.answered(asked_at)
        return answer

    def _usable(self) -> list[_Endpoint]:
        """Those that do not rest, in the order of preference; all of them when all do."""
        now = self._now()
        return [one for one in self._all if one.rests_until <= now] or sorted(
            self._all, key=lambda one: one.rests_until
        )

    def _rest(self, one: _Endpoint, error: CbctlError) -> None:
        seconds = max(1.0, error.retry_after) if isinstance(error, RateLimited) else REST
        one.rests_until = self._now() + seconds

    # ---- one cluster, and how far each endpoint is

    def _prove(self, one: _Endpoint) -> None:
        if one.proven:
            return
        found = self._ask(one, "getGenesisHash", None, False)
        if not isinstance(found, str):
            raise unusable("getGenesisHash", one.transport.host)
        with self._lock:
            self._cluster = self._cluster or found
        if found != self._cluster:
            others = ", ".join(other.transport.host for other in self._all if other.proven)
            raise CbctlError(
                f"this RPC endpoint is of another cluster than {others}: its genesis hash is "
                f"{found}, theirs {self._cluster}",
                where=one.transport.host,
                exit=Exit.REFUSED,
                fix="take it out of the list of RPC URLs",
            )
        one.proven = True

    def _compare(self) -> None:
        """Asks all endpoints how far they are, now and then. Whoever comes first does it."""
        with self._lock:
            if self._compared is not None and self._now() - self._compared < COMPARE_EVERY:
                return
            self._compared = self._now()
        from concurrent.futures import ThreadPoolExecutor  # 10 ms that one endpoint does not need

        with ThreadPoolExecutor(len(self._all)) as threads:
            slots = list(threads.map(self._slot_of, self._all))
        for one, slot in zip(self._all, slots, strict=True):
            if slot is not None and slot < self._newest - BEHIND:
                one.rests_until = self._now() + REST

    def _slot_of(self, one: _Endpoint) -> int | None:
        try:
            self._prove(one)
            slot = self._ask(one, "getSlot", [{"commitment": "confirmed"}], False)
        except CbctlError as error:
            if not _of_this_endpoint(error):
                raise
            self._rest(one, error)
            return None
        if not isinstance(slot, int):
            return None
        with self._lock:
            self._newest = max(self._newest, slot)
        return slot

    def _demand_recent(self, one: _Endpoint, method: str, answer: Any, since: int) -> None:
        """Errors: Unreachable when the answer is older than `since`."""
        slot = _slot(method, answer)
        if slot is None:
            return
        with self._lock:
            self._newest = max(self._newest, slot)
        if slot < since:
            raise Unreachable(
                f"the node is {since - slot:,} slots behind what is known",
                where=one.transport.host,
            )


def _of_this_endpoint(error: CbctlError) -> bool:
    """Another endpoint may answer all the same: this one is down, or its key is."""
    return isinstance(error, Unreachable) or error.exit == Exit.CREDENTIALS


def _slot(method: str, answer: Any) -> int | None:
    """At which slot a node was when it answered, where an answer says so."""
    if method == "getSlot":
        found = answer
    else:
        context = answer.get("context") if isinstance(answer, dict) else None
        found = context.get("slot") if isinstance(context, dict) else None
    return found if isinstance(found, int) else None


def _none_answers(failures: list[CbctlError]) -> CbctlError:
    """The failures of all endpoints as one."""
    if len(failures) == 1:
        return failures[0]
    limits = [one.retry_after for one in failures if isinstance(one, RateLimited)]
    if len(limits) == len(failures):
        return RateLimited(", ".join(one.where for one in failures), min(limits))
    if all(one.exit == Exit.CREDENTIALS for one in failures):
        return failures[0]
    return Unreachable(
        "none of the RPC endpoints answers: " + "; ".join(str(one) for one in failures),
        where="",
        refused=all(isinstance(one, Unreachable) and one.refused for one in failures),
    )
