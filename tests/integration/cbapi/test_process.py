"""The process from outside: settings, signals, draining, the port."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from tests.integration.cbapi.support import (
    PASSWORD,
    FakeChain,
    PostgresServer,
    RedisServer,
    Service,
    children,
    wait_for,
)

MakeService = Callable[..., Service]


def _run(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cbapi"]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=20)


def test_sigterm_with_nothing_to_do(service: Service) -> None:
    started = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - started < 5
    assert [line["event"] for line in service.log_lines()][-2:] == ["draining", "stopped"]


def test_sigterm_while_the_systems_are_down(make_service: MakeService) -> None:
    service = make_service(
        DATABASE_URL="postgresql://a:b@127.0.0.1:9/c", REDIS_URL="redis://127.0.0.1:9/0"
    ).start()
    assert service.ready()[0] == 503
    assert service.stop() == 0


def test_drain_under_slow_requests(
    make_service: MakeService, chain: FakeChain, redis: RedisServer
) -> None:
    service = make_service(DRAIN_SECONDS="2").start()
    chain.delay = 1.2
    assert service.process is not None

    def fresh(path: str) -> httpx.Response:
        """On a new connection. Without TLS settings, which take longer than the request."""
        with httpx.Client(base_url=service.http.base_url, timeout=10, verify=False) as http:
            return http.get(path)

    with ThreadPoolExecutor(40) as pool:
        slow = [pool.submit(fresh, "/v1/program") for _ in range(20)]
        wait_for(lambda: "getAccountInfo" in chain.calls, what="the slow call")
        started = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        wait_for(lambda: '"draining"' in service.log_text(), 1, "the drain")
        assert fresh("/ready").json()["status"] == "draining"
        # New connections are still answered, on every address.
        assert fresh("/health").status_code == 200
        assert [request.result().status_code for request in slow] == [200] * 20
        # Started late in the drain, these end after the port is closed.
        time.sleep(max(0.0, started + 1.4 - time.monotonic()))
        redis.send("FLUSHALL")
        slow = [pool.submit(fresh, "/v1/program") for _ in range(20)]
        assert [request.result().status_code for request in slow] == [200] * 20
        assert time.monotonic() - started > 2
        assert service.process.wait(20) == 0
    assert "cut" not in {line["event"] for line in service.log_lines()}


def test_idle_keep_alive_connections_do_not_hold_the_exit(service: Service) -> None:
    clients = [httpx.Client(base_url=service.http.base_url) for _ in range(5)]
    for client in clients:
        assert client.get("/health").status_code == 200
    started = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - started < 5
    for client in clients:
        client.close()


def test_second_signal_ends_the_waiting(make_service: MakeService) -> None:
    service = make_service(DRAIN_SECONDS="60").start()
    assert service.process is not None
    service.process.terminate()
    wait_for(lambda: service.ready()[1] == "draining", what="draining")
    started = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - started < 5


def test_second_signal_cuts_what_is_running(make_service: MakeService, chain: FakeChain) -> None:
    service = make_service().start()
    chain.delay = 1.9
    assert service.process is not None
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(service.http.get, "/v1/program")
        wait_for(lambda: "getAccountInfo" in chain.calls, what="the slow call")
        service.process.terminate()
        wait_for(lambda: '"draining"' in service.log_text(), 1, "the drain")
        assert service.stop() == 0
        assert request.result().json()["error"]["code"] == "SYS_STOPPING"
    assert "cut" in {line["event"] for line in service.log_lines()}


def test_kill_frees_the_port(make_service: MakeService) -> None:
    service = make_service().start()
    assert service.process is not None
    assert children(service.process.pid) == []  # one process: nothing stays behind
    service.process.kill()
    service.process.wait()
    again = make_service(PORT=str(service.port))
    again.http.base_url = service.http.base_url
    again.start()
    assert again.stop() == 0


def test_port_taken(service: Service) -> None:
    done = _run(service.environ)
    assert done.returncode == 1
    assert '"cannot_listen"' in done.stderr
    assert "Traceback" not in done.stderr


def test_all_addresses(make_service: MakeService) -> None:
    service = make_service(HOST="0.0.0.0").start()
    assert service.ready()[0] == 200
    assert _run(service.environ | {"HOST": "127.0.0.1"}).returncode == 1  # the port is taken


def test_values_from_files(make_service: MakeService, tmp_path: Path) -> None:
    service = make_service()
    for name in ("DATABASE_URL", "REDIS_URL", "SOLANA_RPC_URL", "PROGRAM_ID"):
        path = tmp_path / name
        path.write_text(service.environ.pop(name) + "\n")
        service.environ[f"{name}_FILE"] = str(path)
    service.start()
    assert service.ready()[:2] == (200, "healthy")


def test_invalid_settings_leak_nothing(service: Service) -> None:
    done = _run(
        service.environ
        | {
            "DATABASE_URL": f"postgres://app:{PASSWORD}#x@h:1/db",
            "REDIS_URL": f"redis://:{PASSWORD}@h:{PASSWORD}/0",
            "SOLANA_RPC_URL": f"ftp://h/{PASSWORD}",
            "PROGRAM_ID": PASSWORD,
            "PORT": PASSWORD,
        }
    )
    assert done.returncode == 64
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    for name in ("DATABASE_URL", "REDIS_URL", "SOLANA_RPC_URL", "PROGRAM_ID", "PORT"):
        assert f"{name}: " in done.stderr
    assert PASSWORD not in done.stderr
    assert "Traceback" not in done.stderr


def test_copy_needs_nothing_of_the_project(tree: Path, postgres: PostgresServer) -> None:
    code = "import sys, cbapi.server; print([m for m in sys.modules if m.split('.')[0] == 'cbctl'])"
    command = [sys.executable, "-c", code + "; print(cbapi.server.__file__)"]
    environ = {"PYTHONPATH": str(tree)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    loaded, where = done.stdout.splitlines()
    assert loaded == "[]"
    assert Path(where).is_relative_to(tree)
