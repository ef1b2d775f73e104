"""The application in this process, for what a healthy service never does."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from cbapi.app import create_app
from cbapi.logs import JsonFormatter, fields
from cbapi.services import Services
from cbapi.settings import load

NOWHERE = {
    "DATABASE_URL": "postgresql://a:hidden-pw@127.0.0.1:9/d",
    "REDIS_URL": "redis://127.0.0.1:9",
    "SOLANA_RPC_URL": "http://127.0.0.1:9/",
    "PROGRAM_ID": "Vote111111111111111111111111111111111111111",
}


async def _crash(request: Request) -> Response:
    raise RuntimeError("inner hidden-pw")


async def _crash_half_way(request: Request) -> Response:
    def body() -> Iterator[bytes]:
        yield b"half"
        raise RuntimeError("inner")

    return StreamingResponse(body())


async def _echo(request: Request) -> Response:
    return Response(str(len(await request.body())))


def _get(path: str, **kwargs: Any) -> tuple[httpx.Response, Services]:
    services = Services(load(NOWHERE))
    app = create_app(services)
    app.router.routes += [
        Route("/crash", _crash),
        Route("/half", _crash_half_way),
        Route("/echo", _echo, methods=["POST"]),
    ]

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            method = "POST" if kwargs else "GET"
            return await http.request(method, path, **kwargs)

    return asyncio.run(call()), services


def test_unexpected_error_tells_the_client_nothing(caplog: pytest.LogCaptureFixture) -> None:
    answer, services = _get("/crash")
    assert answer.status_code == 500
    error = answer.json()["error"]
    assert error["code"] == "SYS_INTERNAL"
    assert "inner" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.json()["meta"]["requestId"] == answer.headers["x-request-id"]
    assert services.in_flight == 0
    assert b'http_requests_total{method="GET",route="/crash",status="500"} 1.0' in (
        services.metrics.render()
    )
    (record,) = [one for one in caplog.records if one.getMessage() == "unhandled"]
    line = json.loads(JsonFormatter(["hidden-pw"]).format(record))
    assert line["error"] == "RuntimeError"
    assert "RuntimeError: inner ***" in line["stack"]


def test_an_answer_that_breaks_half_way_is_cut() -> None:
    with pytest.raises(RuntimeError, match="inner"):
        _get("/half")


def test_body_without_a_length_is_limited() -> None:
    async def chunks(number: int) -> object:
        for _ in range(number):
            yield b"x" * 1000

    answer, _ = _get("/echo", content=chunks(64))
    assert answer.text == "64000"
    answer, _ = _get("/echo", content=chunks(66))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "VAL_BODY_TOO_LARGE")


def test_every_log_line_is_one_json_object_without_secrets() -> None:
    formatter = JsonFormatter(["pw-1", "longer pw-1 url"])

    def line(name: str, message: str, **extra: object) -> dict[str, object]:
        record = logging.makeLogRecord({"name": name, "msg": message, **extra})
        text = formatter.format(record)
        assert "\n" not in text
        found: dict[str, object] = json.loads(text)
        return found

    assert line("psycopg.pool", "a pw-1\nb")["message"] == "a ***\nb"
    assert line("x", "a longer pw-1 url b")["message"] == "a *** b"
    event = line("cbapi", "e", **fields(a=[1, "pw-1"], b={"c": None}, d=ValueError("pw-1")))
    assert event["event"] == "e"
    assert event["a"] == [1, "***"]
    assert event["b"] == {"c": None}
    assert event["d"] == "ValueError('***')"
