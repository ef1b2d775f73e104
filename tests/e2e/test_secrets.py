"""No generated secret is to be seen anywhere. Every test of this folder asks that of its own
platform when it ends; `test_canary` asks it of every command."""

from __future__ import annotations

import os
import signal

import psutil
import pytest
from tests.e2e.support import Platform


def test_what_is_asked_would_find_one(shared: Platform) -> None:
    secret = (shared.state / "secrets" / "jwt-secret").read_text().strip()
    shared.transcript.append(f"… {secret} …")
    try:
        assert [where for where in shared.shown_secrets() if where.startswith("output")]
    finally:
        shared.transcript.pop()
    log = shared.state / "logs" / "leak.log"
    wallet = (shared.state / "secrets" / "keypair-wallet").read_text()
    log.write_text(wallet)
    try:
        assert any("leak.log" in where for where in shared.shown_secrets())
    finally:
        log.unlink()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("database-url", "postgresql://u:CANARY@:x/y"),
        ("redis-url", "redis://:CANARY@localhost:x/y"),
        ("keypair-wallet", '["CANARY"]'),
    ],
)
def test_damaged_secrets_are_not_quoted(shared: Platform, name: str, text: str) -> None:
    path = shared.state / "secrets" / name
    before = path.read_text()
    path.write_text(text + "\n")
    try:
        for command in ("deploy local", "status local", "health local", "rollback local"):
            done = shared.run(*command.split())
            assert "CANARY" not in done.out + done.err, done
            assert "Traceback" not in done.err, done
            assert "defect of cbctl" not in done.err, done
    finally:
        path.write_text(before)
    shared.deploy()


def test_a_killed_service_tells_no_secret(shared: Platform) -> None:
    for name in ("postgres", "redis", "api"):
        os.kill(shared.pids()[name], signal.SIGKILL)
    shared.run("health", "local")
    shared.deploy()
    assert shared.shown_secrets() == []
    assert all(psutil.pid_exists(pid) for pid in shared.pids().values())
