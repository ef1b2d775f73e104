from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.integration.cbapi.support import PROGRAM_ID, FakeChain, RedisServer, Service, wait_for
from tests.unit.cbapi.accounts import account_bytes

MakeService = Callable[..., Service]


def test_answer(service: Service, chain: FakeChain) -> None:
    answer = service.http.get("/v1/program", headers={"x-request-id": "abc-1"})
    assert answer.status_code == 200
    assert answer.headers["x-request-id"] == "abc-1"
    body = answer.json()
    assert (body["success"], body["error"]) == (True, None)
    assert body["meta"]["requestId"] == "abc-1"
    data = body["data"]
    assert (data["programId"], data["slot"], data["stale"]) == (PROGRAM_ID, "100", False)
    config = data["config"]
    assert config["feeBps"] == 250
    assert config["pauseScope"] == "newBets"
    assert config["pendingAuthority"] is None
    # Every number that JavaScript would round is a string.
    assert config["sol"]["volume"] == str(2**127 + 1)
    assert config["sol"]["feesAccrued"] == str(2**64 - 1)
    assert config["eventSequence"] == str(2**53 + 1)


def test_cache_for_five_seconds(service: Service, chain: FakeChain, redis: RedisServer) -> None:
    service.http.get("/v1/program")
    chain.slot = 200
    assert service.http.get("/v1/program").json()["data"]["slot"] == "100"
    assert chain.calls.count("getAccountInfo") == 1
    key = f"cbapi:1:program:{PROGRAM_ID}"
    assert 3000 < int(redis.send("PTTL", key).strip(b":\r\n")) <= 5000
    redis.send("DEL", key)
    assert service.http.get("/v1/program").json()["data"]["slot"] == "200"


def test_garbage_in_the_cache_is_passed_over(service: Service, redis: RedisServer) -> None:
    redis.send("SET", f"cbapi:1:program:{PROGRAM_ID}", "{")
    assert service.http.get("/v1/program").status_code == 200


def test_concurrent_readers_share_one_call(service: Service, chain: FakeChain) -> None:
    chain.delay = 0.5
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: service.http.get("/v1/program"), range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert chain.calls.count("getAccountInfo") == 1


def test_last_read_is_served_when_the_chain_is_gone(
    service: Service, chain: FakeChain, redis: RedisServer
) -> None:
    service.http.get("/v1/program")
    chain.status, chain.raw = 500, b"upstream"

    def stale() -> bool:
        redis.send("FLUSHALL")
        answer = service.http.get("/v1/program")
        return answer.status_code == 200 and bool(answer.json()["data"]["stale"])

    # The save runs in the background: soon, not at once.
    wait_for(stale, what="a stale answer")
    redis.send("FLUSHALL")
    data = service.http.get("/v1/program").json()["data"]
    assert (data["stale"], data["slot"], data["config"]["feeBps"]) == (True, "100", 250)
    assert redis.send("DBSIZE") == b":0\r\n"  # a stale answer must not be cached as a fresh one
    chain.status, chain.raw, chain.slot = 200, None, 50
    assert service.http.get("/v1/program").json()["data"]["slot"] == "50"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"not json", 200),
        (b'{"jsonrpc":"2.0","id":1}', 200),
        (b'{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"behind"}}', 200),
        (b"{}", 429),
        (b"x" * (2 << 20), 200),
    ],
)
def test_chain_failures(service: Service, chain: FakeChain, raw: bytes, status: int) -> None:
    chain.raw, chain.status = raw, status
    answer = service.http.get("/v1/program")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "SYS_CHAIN_UNAVAILABLE"
    assert answer.headers["retry-after"] == "5"


def test_hanging_chain_ends_in_time(service: Service, chain: FakeChain) -> None:
    chain.delay = 4
    started = time.monotonic()
    answer = service.http.get("/v1/program")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SYS_CHAIN_UNAVAILABLE")
    assert time.monotonic() - started < 3.5


def test_not_initialized(service: Service, chain: FakeChain) -> None:
    chain.account = None
    answer = service.http.get("/v1/program")
    assert answer.status_code == 503
    error = answer.json()["error"]
    assert error["code"] == "SYS_PROGRAM_NOT_INITIALIZED"
    assert error["details"]["programId"] == PROGRAM_ID


def test_accounts_that_are_not_understood(service: Service, chain: FakeChain) -> None:
    good = account_bytes()
    for account, owner in (
        (good[:-1], PROGRAM_ID),
        (bytes(8) + good[8:], PROGRAM_ID),
        (account_bytes(pause_scope=3), PROGRAM_ID),
        (good, "11111111111111111111111111111111"),
    ):
        chain.account, chain.owner = account, owner
        answer = service.http.get("/v1/program")
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "SYS_PROGRAM_UNREADABLE"


def test_no_cache_and_no_database(make_service: MakeService, chain: FakeChain) -> None:
    nothing = "127.0.0.1:9"
    service = make_service(
        DATABASE_URL=f"postgresql://a:b@{nothing}/c", REDIS_URL=f"redis://{nothing}/0"
    ).start()
    assert service.http.get("/v1/program").status_code == 200
    chain.raw = b"{"
    answer = service.http.get("/v1/program")
    assert answer.json()["error"]["code"] == "SYS_CHAIN_UNAVAILABLE"
    assert service.stop() == 0
    assert {"cache_failed", "store_failed"} <= {line["event"] for line in service.log_lines()}
    assert json.dumps(answer.json()).count(nothing) == 0
