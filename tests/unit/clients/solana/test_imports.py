"""`deploy local` without a change must be quick: what the client may import."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("solana", "httpx", "httpx2", "pydantic", "anchorpy", "asyncio", "websockets")


@pytest.mark.parametrize(
    ("modules", "may_not"),
    [
        ("cbctl.clients.solana", (*HEAVY, "solders", "http.client", "ssl")),
        ("cbctl.clients.solana.rpc, cbctl.clients.solana.deployer", HEAVY),
        ("cbctl.clients.solana.idl.program", HEAVY),
        ("cbctl.steps.program.deploy, cbctl.steps.program.init", (*HEAVY, "solders", "ssl")),
    ],
)
def test_nothing_heavy_is_imported(modules: str, may_not: tuple[str, ...]) -> None:
    code = f"import sys, {modules}; print(*sorted(m for m in {may_not!r} if m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == []
