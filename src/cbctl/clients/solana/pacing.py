"""How fast an endpoint may be asked, learnt from its refusals.

Public nodes allow so many requests per 10 s, private ones so many per second, and neither says
which. So nothing is held back until the first HTTP 429. What was let through until then, over the
time until the endpoint answered again, is its rate whatever its window is.
"""

from __future__ import annotations

import math
import threading

from cbctl.clients.solana.types import Clock

UNLIMITED = 1_000_000  # requests: nothing is held back
SHARE = 0.95  # of the rate that was seen is used
GROWTH = 1.1  # each second without a refusal: limits are also lifted
LEAST_SPAN = 0.2  # seconds; what is measured over less says nothing
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0  # seconds, where the endpoint does not say how long


class Pacing:
    """Of one endpoint; used by all threads that ask it."""

    def __init__(self, now: Clock) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._rate: float | None = None
        self._tokens = 0.0
        self._filled = 0.0
        self._grown = 0.0
        self._began, self._passed = now(), 0  # what was let through, and since when
        self._closed = False
        self._until = 0.0
        self._pause = FIRST_PAUSE

    @property
    def rate(self) -> float | None:
        """Requests per second; None: no limit was met."""
        return self._rate

    @property
    def pause(self) -> float:
        """Seconds for which the endpoint wants to be left alone."""
        return max(0.0, self._until - self._now()) if self._closed else 0.0

    def room(self) -> int:
        """Requests that may go out now."""
        with self._lock:
            now = self._now()
            if self._closed:
                return 1 if now >= self._until else 0
            if self._rate is None:
                return UNLIMITED
            self._fill(now)
            return max(0, int(self._tokens))

    def next_room(self) -> float:
        """Seconds until one more may go out."""
        with self._lock:
            if self._closed:
                return max(0.0, self._until - self._now())
            if self._rate is None:
                return 0.0
            self._fill(self._now())
            return max(0.0, (1.0 - self._tokens) / self._rate)

    def answered(self, asked_at: float) -> None:
        """A request that went out at `asked_at` was let through."""
        with self._lock:
            now = self._now()
            self._tokens -= 1
            if self._closed:
                if asked_at < self._until:
                    self._passed += 1  # went out before the refusal was known
                    return
                self._rate = SHARE * max(1, self._passed) / max(LEAST_SPAN, now - self._began)
                self._closed, self._pause = False, FIRST_PAUSE
                self._began, self._passed = now, 0
                self._tokens, self._filled, self._grown = 0.0, now, now
            self._passed += 1
            if self._rate is not None and now - self._grown >= 1.0:
                self._rate *= GROWTH
                self._grown = now

    def refused(self, retry_after: float) -> None:
        """A request was answered with 429; `retry_after` seconds, 0 when it did not say."""
        with self._lock:
            now = self._now()
            if self._closed and now < self._until and not retry_after:
                return  # one of several that were on their way together
            self._until = max(self._until, now + (retry_after or self._pause))
            if not retry_after:
                self._pause = min(self._pause * 2, LONGEST_PAUSE)
            self._closed = True

    def _fill(self, now: float) -> None:
        rate = self._rate or math.inf
        burst = max(1.0, rate / 2)
        self._tokens = min(burst, self._tokens + (now - self._filled) * rate)
        self._filled = now
