"""What /metrics shows. Names and labels are used by alert rules and dashboards: keep them."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0, 10.0)
"""Seconds. 2.0 is a bound because the alert on response time asks for it."""


class Metrics:
    """One registry per application, so that two in one process (tests) do not meet."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        labels = ("method", "route", "status")
        self._requests = Counter(
            "http_requests_total", "Requests answered", labels, registry=self.registry
        )
        self._duration = Histogram(
            "http_request_duration_seconds",
            "Time from the request's head to the end of the answer",
            ("method", "route"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.in_flight = self._gauge("http_requests_in_flight", "Requests not yet answered")
        self._up = {
            "solana_rpc": self._gauge("solana_rpc_up", "1 when the RPC says it is healthy"),
            "database": self._gauge("pg_up", "1 when Postgres answers with a schema that fits"),
            "redis": self._gauge("redis_up", "1 when Redis answers"),
        }
        self._pool = {
            "pool_size": self._gauge("pg_pool_connections", "Connections of this process"),
            "pool_available": self._gauge("pg_pool_connections_idle", "Of them not in use"),
            "pool_max": self._gauge("pg_pool_connections_max", "The pool's limit"),
            "requests_waiting": self._gauge("pg_pool_waiting", "Waiting for a connection"),
        }
        info = Gauge("cbapi_info", "Version of the service", ("version",), registry=self.registry)
        info.labels(version).set(1)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).inc()
        self._duration.labels(method, route).observe(seconds)

    def up(self, service: str, healthy: bool) -> None:
        self._up[service].set(1 if healthy else 0)

    def pool(self, stats: dict[str, int]) -> None:
        for name, gauge in self._pool.items():
            gauge.set(stats.get(name, 0))

    def render(self) -> bytes:
        return generate_latest(self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, registry=self.registry)
