"""Both servers and the notifier around one bank, from the start to the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cbctl.localnet.access import Access
from cbctl.localnet.bank import Bank
from cbctl.localnet.errors import EXIT_FAILED, Stop
from cbctl.localnet.http import RpcApp
from cbctl.localnet.http import serve as serve_http
from cbctl.localnet.ports import Ports, connections
from cbctl.localnet.pubsub.notifier import Notifier
from cbctl.localnet.pubsub.server import WebSocketApp
from cbctl.localnet.rpc.dispatch import Method, answer


async def serve(
    bank: Bank,
    methods: dict[str, Method],
    ports: Ports,
    access: Access,
    stop: asyncio.Event,
    fatal: Callable[[Stop], None],
) -> None:
    """Until `stop` is set; what is in flight is finished.

    methods  those that HTTP serves
    """

    def answer_now(body: bytes) -> bytes:
        return answer(bank, body, methods)

    notifier = Notifier(bank)

    async def notify() -> None:
        try:
            await notifier.run()
        except OSError as error:
            fatal(Stop(f"cannot go on: {error}", EXIT_FAILED))
        except Stop as reason:
            fatal(reason)

    most = connections()
    app = RpcApp(answer_now, access, notifier.room, fatal)
    notifying = asyncio.ensure_future(notify())
    websocket = WebSocketApp(bank, notifier, access, most.websocket, fatal)
    try:
        await asyncio.gather(
            serve_http(app, ports.http, most.http, stop),
            websocket.serve(ports.websocket, stop),
        )
    finally:
        notifying.cancel()
        await asyncio.wait({notifying})
