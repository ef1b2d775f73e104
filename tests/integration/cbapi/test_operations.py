from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import httpx
from tests.integration.cbapi.support import (
    PASSWORD,
    RPC_KEY,
    FakeChain,
    PostgresServer,
    RedisServer,
    Service,
    wait_for,
)

from cbapi import __version__

MakeService = Callable[..., Service]


def test_health(make_service: MakeService) -> None:
    service = make_service(CBAPI_VERSION="1.2.3+abc").start()
    body = service.http.get("/health").json()
    assert body.keys() == {"status", "timestamp", "uptime", "version"}
    assert (body["status"], body["version"]) == ("healthy", "1.2.3+abc")
    assert 0 <= body["uptime"] < 60


def test_ready_with_everything(service: Service) -> None:
    status, overall, checks = service.ready()
    assert (status, overall) == (200, "healthy")
    assert checks.keys() == {"database", "redis", "solana_rpc"}
    for check in checks.values():
        assert check.keys() == {"service", "status", "responseTime", "details"}
        assert 0 <= check["responseTime"] < 2000
    assert checks["database"]["details"] == {"schema": 1, "min": 1, "max": 1}
    assert service.http.get("/health").json()["version"] == __version__


def test_schema_outside_the_range(
    service: Service, postgres: PostgresServer, database: str
) -> None:
    def ready() -> int:
        return service.ready()[0]

    postgres.execute(database, "INSERT INTO schema_migrations VALUES (2, '', 'pre', now())")
    assert ready() == 200  # expand-only: the code that runs does not notice
    postgres.execute(database, "UPDATE schema_migrations SET phase = 'post' WHERE version = 2")
    assert ready() == 503
    postgres.execute(database, "DELETE FROM schema_migrations")
    status, overall, checks = service.ready()
    assert (status, overall) == (503, "unhealthy")
    assert "older" in checks["database"]["details"]["reason"]
    postgres.execute(database, "DROP TABLE schema_migrations")
    assert "no migration" in service.ready()[2]["database"]["details"]["reason"]
    # A table of another runner, without our columns: newer than known is not known to be harmless.
    postgres.execute(
        database,
        "CREATE TABLE schema_migrations (version bigint, dirty boolean)",
        "INSERT INTO schema_migrations VALUES (1, false)",
    )
    assert ready() == 200
    postgres.execute(database, "UPDATE schema_migrations SET version = 2")
    assert ready() == 503


def test_database_killed_under_load(service: Service, postgres: PostgresServer) -> None:
    stop = threading.Event()
    broken: list[object] = []

    def load() -> None:
        with httpx.Client(base_url=service.http.base_url, timeout=10) as http:
            while not stop.is_set():
                try:
                    for path in ("/ready", "/v1/program"):
                        answer = http.get(path)
                        if answer.status_code not in (200, 503):
                            broken.append(answer.text)
                except httpx.HTTPError as error:
                    broken.append(error)

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        assert service.ready()[0] == 200
        postgres.stop()
        wait_for(lambda: service.ready()[0] == 503, what="not ready")
        assert service.http.get("/health").status_code == 200
        assert service.http.get("/v1/program").status_code == 200
        assert service.metric("pg_up") == 0
    finally:
        postgres.start()
    wait_for(lambda: service.ready()[0] == 200, 20, "ready again")
    stop.set()
    for thread in threads:
        thread.join()
    assert broken == []
    assert service.metric("pg_up") == 1


def test_database_frozen(service: Service, postgres: PostgresServer) -> None:
    assert service.ready()[0] == 200
    postgres.pause(True)
    try:
        started = time.monotonic()
        status, overall, checks = service.ready()
        assert time.monotonic() - started < 3
        assert (status, overall) == (503, "unhealthy")
        assert checks["redis"]["status"] == "healthy"
    finally:
        postgres.pause(False)
    wait_for(lambda: service.ready()[0] == 200, 20, "ready again")


def test_redis_gone(service: Service, redis: RedisServer) -> None:
    assert service.ready()[1] == "healthy"
    redis.stop()
    try:
        status, overall, checks = service.ready()
        assert (status, overall) == (200, "degraded")
        assert checks["redis"]["status"] == "degraded"
        assert service.http.get("/v1/program").status_code == 200
        assert service.metric("redis_up") == 0
    finally:
        redis.start()
    wait_for(lambda: service.ready()[1] == "healthy", what="healthy again")


def test_redis_frozen(service: Service, redis: RedisServer) -> None:
    redis.pause(True)
    try:
        started = time.monotonic()
        assert service.ready()[:2] == (200, "degraded")
        assert service.http.get("/v1/program").status_code == 200
        assert time.monotonic() - started < 4
    finally:
        redis.pause(False)


def test_rpc_hanging_or_failing(service: Service, chain: FakeChain) -> None:
    chain.delay = 5
    started = time.monotonic()
    assert service.ready()[:2] == (200, "degraded")
    assert time.monotonic() - started < 3
    chain.delay, chain.raw = 0, b'{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"x"}}'
    status, overall, checks = service.ready()
    assert (status, overall) == (200, "degraded")
    assert "-32005" in checks["solana_rpc"]["details"]["reason"]
    assert service.metric("solana_rpc_up") == 0


def test_metrics(service: Service) -> None:
    service.http.get("/health")
    service.http.get("/no/such/address")
    service.http.request("BREW", "/health")
    for name in ("solana_rpc_up", "pg_up", "redis_up"):
        assert service.metric(name) == 1
    assert service.metric("pg_pool_connections_max") == 20
    wait_for(lambda: service.metric("pg_pool_connections ") >= 2, what="two connections")
    text = service.http.get("/metrics").text
    assert 'http_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text
    assert 'http_requests_total{method="OTHER",route="/health",status="405"} 1.0' in text
    assert 'http_request_duration_seconds_bucket{le="0.005",method="GET",route="/health"}' in text
    for name in ("process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total"):
        assert f"\n{name} " in text


def test_errors_in_the_envelope(service: Service) -> None:
    answer = service.http.get("/v1/nothing")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "VAL_ROUTE_NOT_FOUND")
    assert answer.json()["meta"]["requestId"] == answer.headers["x-request-id"]
    answer = service.http.post("/v1/program")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "VAL_METHOD_NOT_ALLOWED")
    assert "GET" in answer.headers["allow"]
    answer = service.http.get("/health/")
    assert answer.status_code == 404
    answer = service.http.post("/v1/program", content=b"x" * 70_000)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "VAL_BODY_TOO_LARGE")
    answer = service.http.get("/health", headers={"x-long": "x" * 20_000})
    assert (answer.status_code, answer.json()["error"]["code"]) == (431, "VAL_HEADERS_TOO_LARGE")
    # A request id that could forge a log line or a header is replaced.
    answer = service.http.get("/health", headers={"x-request-id": 'a" b'})
    assert answer.headers["x-request-id"] != 'a" b'


def test_an_answer_before_the_body_was_read_costs_no_later_request(service: Service) -> None:
    def chunks() -> Iterator[bytes]:
        yield from [b"x" * 10_000] * 10

    for _ in range(50):
        answer = service.http.post("/v1/program", content=b"x" * 70_000)
        assert (answer.status_code, answer.headers["connection"]) == (413, "close")
        assert service.http.get("/health").status_code == 200
        answer = service.http.post("/v1/program", content=chunks())
        assert (answer.status_code, answer.headers["connection"]) == (405, "close")
        assert "connection" not in service.http.get("/health").headers


def test_endless_head_is_cut(service: Service) -> None:
    with socket.create_connection(("127.0.0.1", service.port), 5) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\nx-long: ")
        answer = b""
        try:
            for _ in range(100):
                connection.sendall(b"x" * 10_000)
            answer = connection.recv(4096)
        except ConnectionError:
            pass
        assert answer == b"" or answer.startswith(b"HTTP/1.1 431")
    assert service.http.get("/health").status_code == 200


def test_log_lines_are_json_and_hold_no_secret(
    make_service: MakeService, redis: RedisServer, chain: FakeChain
) -> None:
    wrong = f"redis://:wrong-{PASSWORD}@127.0.0.1:{redis.port}/0"
    service = make_service(
        LOG_LEVEL="debug",
        REDIS_URL=wrong,
        DATABASE_URL=f"postgresql://app:wrong-{PASSWORD}@127.0.0.1:9/x",
    ).start()
    chain.raw = b"{"
    bodies = ""
    for path in ("/ready", "/v1/program", "/metrics", "/nothing?token=" + PASSWORD):
        bodies += service.http.get(path).text
    assert service.stop() == 0
    requests = [line for line in service.log_lines() if line["event"] == "request"]
    last = requests[-1]
    assert last.keys() >= {"ts", "level", "method", "route", "status", "ms", "requestId"}
    assert (last["route"], last["status"]) == ("unmatched", 404)
    for text in (service.log_text(), bodies):
        assert PASSWORD not in text
        assert RPC_KEY not in text
        assert "Traceback" not in text
