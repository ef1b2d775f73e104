"""What a service's answer to "are you ready" is taken for, whatever service it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cbctl.local import probes
from cbctl.steps.local import verify
from cbctl.steps.local.verify import Inputs

INPUTS = Inputs("plat", "local", api_port=4100, ready="/-/open")


def asked(monkeypatch: pytest.MonkeyPatch, status: int, body: bytes) -> str:
    """What `verify` says to the answer; OSError when the service is not ready."""
    monkeypatch.setattr(probes, "get", lambda port, path, seconds: (status, body))
    return verify._ready(INPUTS)


CHECKS = [{"service": "database", "status": "healthy"}, {"service": "cache", "status": "healthy"}]
OTHER_FORMS: list[Any] = [
    "open",
    None,
    {"status": "UP"},
    {"status": "ok", "checks": {"database": "ok"}},
    {"checks": [{"name": "database", "state": "fine"}]},
    {"checks": ["database"]},
]


def test_all_checks_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps({"status": "healthy", "checks": CHECKS}).encode()
    assert asked(monkeypatch, 200, body) == "200, 2 checks healthy"


@pytest.mark.parametrize(
    "body",
    [b"", b"open\n", b"\xff", b"[" * 100_000, *(json.dumps(f).encode() for f in OTHER_FORMS)],
)
def test_of_another_form_the_status_is_all_there_is(
    monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    assert asked(monkeypatch, 200, body) == "200"
    with pytest.raises(OSError, match=r"^/-/open answers with HTTP 503$"):
        asked(monkeypatch, 503, body)


@pytest.mark.parametrize(
    ("status", "said", "checks", "why"),
    [
        (503, "unhealthy", CHECKS, "HTTP 503: it says unhealthy"),
        (503, "healthy", CHECKS, "HTTP 503: it says healthy"),
        (200, "degraded", CHECKS, "HTTP 200: it says degraded"),
        (200, "healthy", [*CHECKS, {"service": "rpc", "status": "down"}], "HTTP 200: rpc is down"),
        (
            503,
            "unhealthy",
            [{"service": "database", "status": "unhealthy", "details": {"reason": "no luck"}}],
            "HTTP 503: database is unhealthy (no luck)",
        ),
    ],
)
def test_what_is_not_healthy_is_named(
    monkeypatch: pytest.MonkeyPatch, status: int, said: str, checks: list[Any], why: str
) -> None:
    body = json.dumps({"status": said, "checks": checks}).encode()
    with pytest.raises(OSError) as caught:
        asked(monkeypatch, status, body)
    assert str(caught.value) == f"/-/open answers with {why}"
