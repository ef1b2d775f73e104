"""Serving: one process, granian embedded in our own event loop.

One process because a supervisor that is killed would leave its worker on the port. granian binds
with SO_REUSEPORT, so a second service on the same port would silently take half of the requests:
the port is tried without it first.

At SIGTERM or SIGINT: /ready turns 503 at once; for DRAIN_SECONDS everything is still answered
(load balancers need that long to notice); then the port is closed, requests in flight finish,
connections to the systems behind are closed, exit 0. A second signal ends the waiting.
"""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
from contextlib import suppress
from time import monotonic

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from cbapi import logs
from cbapi.app import create_app
from cbapi.logs import fields, log
from cbapi.services import Services
from cbapi.settings import Settings

FINISH_SECONDS = 25.0
"""After DRAIN_SECONDS. Requests still running then are cut, and that is logged. Kubernetes' grace
period (30 s unless told) must be longer than both together."""
CUT_SECONDS = 0.5

CLIENT_SECONDS = 10
"""How long a client may take for the head of a request, and how long a connection may idle between
two. granian serves so many connections at a time and lets all others wait."""
MAX_CONNECTIONS = 4096
_OTHER_FILES = 128

_QUIET = {"formatters": {}, "handlers": {}, "loggers": {"_granian": {"propagate": True}}}


def run(settings: Settings) -> int:
    """Serve until a signal. Returns the exit code."""
    logs.configure(settings.log_level, settings.secrets)
    try:
        return asyncio.run(_serve(settings))
    except Exception as error:
        log.critical("crashed", extra=fields(error=type(error).__name__), exc_info=error)
        return 1


async def _serve(settings: Settings) -> int:
    if (problem := _port_problem(settings.host, settings.port)) is not None:
        log.error(
            "cannot_listen", extra=fields(host=settings.host, port=settings.port, message=problem)
        )
        return 1
    stop, hurry = asyncio.Event(), asyncio.Event()
    _on_signals(stop, hurry)
    services = Services(settings)
    await services.open()
    server = Server(
        create_app(services),
        address=settings.host,
        port=settings.port,
        # No lifespan: granian would end it before we know that the last answer is out.
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        backlog=1024,
        backpressure=_connections(),
        http1_settings=HTTP1Settings(
            header_read_timeout=CLIENT_SECONDS * 1000, max_buffer_size=64 * 1024
        ),
        log_level=LogLevels.error,
        log_dictconfig=_QUIET,
    )
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    rpc = settings.rpc
    log.info(
        "started",
        extra=fields(
            host=settings.host,
            port=settings.port,
            version=settings.version,
            programId=settings.program_id,
            rpcHost=rpc.host,
        ),
    )
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    code = 0
    if not stop.is_set():
        stopping.cancel()
        code = 1
        error = None if serving.cancelled() else serving.exception()
        log.error("server_died", extra=fields(message=str(error or "no reason given")))
    else:
        await _drain(services, server, serving, hurry)
    await services.close()
    # What was cut has its last answer by now; granian needs a moment to write it.
    await asyncio.wait({serving}, timeout=CUT_SECONDS)
    log.info("stopped", extra=fields(code=code))
    return code


async def _drain(
    services: Services, server: Server, serving: asyncio.Task[None], hurry: asyncio.Event
) -> None:
    services.draining = True
    seconds = services.settings.drain_seconds
    log.info("draining", extra=fields(seconds=seconds, inFlight=services.in_flight))
    with suppress(TimeoutError):
        await asyncio.wait_for(hurry.wait(), seconds)
    server.stop()  # type: ignore[no-untyped-call]  # granian has no annotation there
    deadline = monotonic() + FINISH_SECONDS
    # Both: granian has written what it was given, and our handlers have nothing left to give.
    while monotonic() < deadline and not hurry.is_set():
        if serving.done() and services.in_flight == 0:
            return
        await asyncio.wait({serving}, timeout=0.05)
        await asyncio.sleep(0 if services.in_flight == 0 else 0.05)
    log.warning("cut", extra=fields(inFlight=services.in_flight))


def _on_signals(stop: asyncio.Event, hurry: asyncio.Event) -> None:
    def on_signal() -> None:
        if stop.is_set():
            hurry.set()
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)


def _connections() -> int:
    """How many connections there may be: each takes a file, and one too many would fail others."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + _OTHER_FILES
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(MAX_CONNECTIONS, max(1, soft - _OTHER_FILES))


def _port_problem(host: str, port: int) -> str | None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        return error.strerror or "not available"
    return None
