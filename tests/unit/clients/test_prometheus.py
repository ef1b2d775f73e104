"""What a service says of its traffic, as prometheus_client writes it."""

from __future__ import annotations

import math

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from cbctl.clients.prometheus import Traffic, traffic
from cbctl.errors import CbctlError


class Service:
    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._count = Counter("http_requests_total", "n", labels, registry=registry)
        self._time = Histogram(
            "http_request_duration_seconds", "t", ("route",), buckets=(0.1, 1), registry=registry
        )

    def serve(self, route: str, status: int, seconds: float, times: int = 1) -> None:
        for _ in range(times):
            self._count.labels("GET", route, str(status)).inc()
            self._time.labels(route).observe(seconds)

    @property
    def seen(self) -> Traffic:
        return traffic(generate_latest(self.registry).decode(), ("/health", "/ready"))


def test_requests_errors_and_time_without_what_probes_ask() -> None:
    service = Service()
    assert service.seen.requests == 0, "nothing came yet, and that is known"
    service.serve("/ready", 503, 5.0, times=50)
    service.serve("/v1/{id}", 200, 0.05, times=90)
    before = service.seen
    assert (before.requests, before.errors) == (90, 0)
    service.serve('/v1/"quoted", {odd}', 500, 0.5, times=10)
    since = service.seen.since(before)
    assert (since.requests, since.errors) == (10, 10)
    assert service.seen.quantile(0.90) == pytest.approx(0.1)
    assert service.seen.quantile(0.95) == pytest.approx(0.55)


def test_a_pod_that_began_anew_counts_from_nothing() -> None:
    before, after = Traffic(100, 5, {math.inf: 100}), Traffic(7, 1, {math.inf: 7})
    assert after.since(before) == after
    assert (before + after).requests == 107


def test_beyond_the_last_bound_and_without_any_request() -> None:
    assert Traffic(1, 0, {0.1: 0, math.inf: 1}).quantile(0.95) == math.inf
    assert Traffic().quantile(0.95) is None


@pytest.mark.parametrize("text", ["", "hello", "process_cpu_seconds_total 3\n", "<html></html>"])
def test_what_counts_no_requests_is_said(text: str) -> None:
    with pytest.raises(CbctlError, match="there is no http_requests_total"):
        traffic(text, ())
