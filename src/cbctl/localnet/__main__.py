"""`python -m cbctl.localnet --state DIR --port 8899 [--slot-ms 200]`

Exit codes: 0 stopped by SIGTERM or SIGINT, 1 could not start or go on, 6 the state folder is in
use, 64 usage or a state folder of another format.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from cbctl.localnet.bank import Bank
from cbctl.localnet.durability import GroupCommit, SlotReserve
from cbctl.localnet.errors import EXIT_USAGE, Stop
from cbctl.localnet.http import HOST, RpcApp, check_port_free, serve
from cbctl.localnet.rpc.dispatch import answer
from cbctl.localnet.slots import SlotClock
from cbctl.localnet.state import StateFolder

log = logging.getLogger("localnet")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\n")


def _port(text: str) -> int:
    port = int(text)
    # The WebSocket port is the next one, so the last port has no room for it.
    if not 1 <= port <= 65534:
        raise argparse.ArgumentTypeError("a port is between 1 and 65534")
    return port


def _slot_ms(text: str) -> int:
    slot_ms = int(text)
    if not 1 <= slot_ms <= 60_000:
        raise argparse.ArgumentTypeError("a slot takes between 1 and 60000 milliseconds")
    return slot_ms


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = _Parser(prog="python -m cbctl.localnet", description="A Solana cluster of one process")
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="state folder")
    parser.add_argument("--port", type=_port, default=8899, help="RPC port (default 8899)")
    parser.add_argument(
        "--slot-ms", type=_slot_ms, default=200, help="length of a slot (default 200)"
    )
    return parser.parse_args(argv)


async def _run(state: StateFolder, port: int, slot_ms: int) -> None:
    started = time.monotonic()
    check_port_free(port)
    ledger, new = state.open_ledger()
    if ledger.cut:
        log.warning("cut %d bytes of a torn last record off the ledger", ledger.cut)
    stop = asyncio.Event()
    failure: list[Stop] = []

    def fatal(reason: Stop) -> None:
        failure.append(reason)
        stop.set()

    commit = GroupCommit(ledger, fatal)
    reserve = SlotReserve(state, slot_ms)
    bank = Bank(ledger, SlotClock(reserve.first_slot(ledger), slot_ms), commit.soon)
    bank.rpc_port = port
    reserve.extend(bank.slot)
    log.info(
        "%s chain %s at slot %d, %d transactions, ready in %.2f s on http://%s:%d",
        "new" if new else "known",
        bank.genesis_hash,
        bank.slot,
        len(bank.history),
        time.monotonic() - started,
        HOST,
        port,
    )
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)

    def serve_body(body: bytes) -> bytes:
        reserve.cover(bank.clock.slot() + 1)  # the clock may tick before the answer is made
        return answer(bank, body)

    reserving = asyncio.ensure_future(reserve.keep(bank.clock, fatal))
    try:
        await serve(RpcApp(serve_body, fatal), port, stop)
    finally:
        reserving.cancel()
        await asyncio.wait({reserving})
        await commit.finish()
        ledger.close()
    if failure:
        raise failure[0]
    reserve.close(bank.tick() + 1)
    log.info("stopped at slot %d", bank.slot)


def main(argv: list[str] | None = None) -> int:
    """Runs until a signal comes; returns the exit code."""
    arguments = _arguments(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="localnet: %(message)s")
    try:
        state = StateFolder(arguments.state)
        asyncio.run(_run(state, arguments.port, arguments.slot_ms))
    except Stop as stop:
        log.error("%s", stop)
        return stop.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
