"""What a service says of its own traffic, in the text format of Prometheus.

Of the names that are usual: `http_requests_total` with a label `status` (or `code`), and the
histogram `http_request_duration_seconds`. A label `route` (or `path`, `handler`) tells what was
asked for, so that probes are not taken for users.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from cbctl.errors import CbctlError

REQUESTS = "http_requests_total"
DURATION = "http_request_duration_seconds_bucket"
_SAMPLE = re.compile(r"([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?")
_LABEL = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Traffic:
    """Counted since some beginning.

    buckets  requests that took at most so many seconds, by that bound; the last one is infinite
    """

    requests: float = 0
    errors: float = 0
    buckets: Mapping[float, float] = field(default_factory=dict)

    def since(self, before: Traffic) -> Traffic:
        """What came after it. A counter that is lower than before has begun anew."""
        if self.requests < before.requests:
            return self
        return Traffic(
            self.requests - before.requests,
            max(self.errors - before.errors, 0),
            {bound: n - before.buckets.get(bound, 0) for bound, n in self.buckets.items()},
        )

    def __add__(self, other: Traffic) -> Traffic:
        bounds = self.buckets.keys() | other.buckets.keys()
        both = {b: self.buckets.get(b, 0) + other.buckets.get(b, 0) for b in bounds}
        return Traffic(self.requests + other.requests, self.errors + other.errors, both)

    def quantile(self, share: float) -> float | None:
        """Seconds within which that share was answered, spread evenly in its bucket, as Prometheus
        takes it; infinite beyond the last bound, None without any request."""
        bounds = sorted(self.buckets)
        total = self.buckets[bounds[-1]] if bounds else 0
        if not total:
            return None
        wanted, low, under = share * total, 0.0, 0.0
        for bound in bounds:
            within = self.buckets[bound]
            if within >= wanted:
                if math.isinf(bound):
                    return math.inf
                return low + (bound - low) * (wanted - under) / (within - under)
            low, under = bound, within
        return math.inf


def traffic(text: str, apart: Collection[str], *, where: str = "") -> Traffic:
    """apart: routes that are not counted. Raises CbctlError where nothing counts requests."""
    requests = errors = 0.0
    buckets: dict[float, float] = {}
    known = False
    for name, labels, value in _samples(text):
        known |= name in (REQUESTS, DURATION)
        if _first(labels, "route", "path", "handler") in apart:
            continue
        if name == REQUESTS:
            requests += value
            errors += value if _first(labels, "status", "code").startswith("5") else 0
        elif name == DURATION:
            bound = float(labels.get("le", "inf"))
            buckets[bound] = buckets.get(bound, 0) + value
    if not known and f"# TYPE {REQUESTS.removesuffix('_total')}" not in text:
        raise CbctlError(f"there is no {REQUESTS} in what it says of itself", where=where)
    return Traffic(requests, errors, buckets)


def _samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for line in text.splitlines():
        found = _SAMPLE.fullmatch(line.strip())
        if not found or found[1] not in (REQUESTS, DURATION):
            continue
        try:
            value = float(found[3])
        except ValueError:
            continue
        if math.isfinite(value):
            yield found[1], dict(_LABEL.findall(found[2] or "")), value


def _first(labels: Mapping[str, str], *names: str) -> str:
    return next((labels[name] for name in names if name in labels), "")
