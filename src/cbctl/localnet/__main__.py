"""`python -m cbctl.localnet --state DIR --port 8899 [--slot-ms 200] …`

JSON-RPC is on the port, the WebSocket on the next one.

Exit codes: 0 stopped by SIGTERM or SIGINT, 1 could not start or go on, 6 the state folder is in
use, 7 its chain was started otherwise, 64 usage or a state folder of another format.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import NoReturn

from cbctl.localnet import ports
from cbctl.localnet.access import Access, parse_name, parse_origin
from cbctl.localnet.chain import Options
from cbctl.localnet.durability import GroupCommit, Saves
from cbctl.localnet.errors import EXIT_USAGE, Stop
from cbctl.localnet.opening import open_bank
from cbctl.localnet.rpc.dispatch import ALL_METHODS, METHODS
from cbctl.localnet.serving import serve
from cbctl.localnet.startup import ACCOUNT, BPF_PROGRAM, UPGRADEABLE_PROGRAM, StartFile
from cbctl.localnet.state import StateFolder

log = logging.getLogger("localnet")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # not with the usage of this module: `cbctl localnet run` hands its options on
        raise Stop(f"{message}; see `cbctl localnet run --help`", EXIT_USAGE)


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


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no IP address") from None


def _said(parse: Callable[[str], str]) -> Callable[[str], str]:
    """The sentence of a ValueError, which argparse would drop."""

    def parsed(text: str) -> str:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parsed


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = _Parser(prog="python -m cbctl.localnet", description="A Solana cluster of one process")
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="state folder")
    parser.add_argument("--port", type=_port, default=8899, help="RPC port (default 8899)")
    parser.add_argument(
        "--host",
        type=_address,
        default=ports.LOOPBACK,
        metavar="ADDRESS",
        help=f"address to listen on (default {ports.LOOPBACK}: this machine only)",
    )
    parser.add_argument(
        "--allow-host",
        type=_said(parse_name),
        action="append",
        default=[],
        metavar="NAME",
        help="a name, besides localhost, by which clients may come; repeatable",
    )
    parser.add_argument(
        "--allow-origin",
        type=_said(parse_origin),
        action="append",
        default=[],
        metavar="URL",
        help="a web page's origin that may use this chain from a browser; repeatable",
    )
    start = parser.add_argument_group(
        "what a new chain starts with; a known one has it already and refuses what differs"
    )
    start.add_argument("--slot-ms", type=_slot_ms, help="length of a slot (default 200)")
    start.add_argument(
        "--feature",
        action="append",
        default=[],
        metavar="ID",
        help="activate a feature that mainnet has not",
    )
    start.add_argument(
        "--deactivate-feature",
        action="append",
        default=[],
        metavar="ID",
        help="leave out a feature that mainnet has",
    )
    for option, names, text in (
        ("--bpf-program", ("ADDRESS", "FILE.so"), "a program that nobody can upgrade"),
        ("--upgradeable-program", ("ADDRESS", "FILE.so", "AUTHORITY"), "a program"),
        ("--account", ("ADDRESS", "FILE.json"), "as `solana account --output json` writes it"),
    ):
        start.add_argument(
            option, action="append", default=[], nargs=len(names), metavar=names, help=text
        )
    return parser.parse_args(argv)


def _options(arguments: argparse.Namespace) -> Options:
    files = [
        StartFile(kind, address, Path(file), *authority)
        for kind, given in (
            (BPF_PROGRAM, arguments.bpf_program),
            (UPGRADEABLE_PROGRAM, arguments.upgradeable_program),
            (ACCOUNT, arguments.account),
        )
        for address, file, *authority in given
    ]
    return Options(
        arguments.slot_ms, sorted(arguments.feature), sorted(arguments.deactivate_feature), files
    )


def _reserve(host: str, port: int, folder: Path) -> ports.Ports:
    """The ports, before the folder is touched."""
    try:
        return ports.reserve(host, port)
    except Stop:
        if os.path.exists(folder / "lock"):  # noqa: PTH110 - False where it may not be asked
            StateFolder(folder).close()  # if this localnet is what has them, that says more
        raise


async def _run(
    state: StateFolder, host: str, port: int, both: ports.Ports, access: Access, options: Options
) -> None:
    started = time.monotonic()
    stop = asyncio.Event()
    failure: list[Stop] = []

    def fatal(reason: Stop) -> None:
        failure.append(reason)
        stop.set()

    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):  # one that comes while the chain is opened, too
        loop.add_signal_handler(name, stop.set)

    bank, reserve, new = open_bank(state, options)
    commit, saves = GroupCommit(bank.chain.ledger, fatal), Saves(bank)

    def on_append() -> None:
        commit.soon()
        saves.soon()

    bank.on_append = on_append
    bank.rpc_port = port
    log.info(
        "%s chain %s at slot %d, %d transactions, ready in %.2f s on %s and %s",
        "new" if new else "known",
        bank.genesis_hash,
        bank.slot,
        len(bank.history),
        time.monotonic() - started,
        ports.url("http", host, port),
        ports.url("ws", host, port + 1),
    )
    own = ip_address(host).is_loopback
    if not own:
        log.warning("open to the network: whoever reaches %s may use and change this chain", host)
    reserving = asyncio.ensure_future(reserve.keep(bank.clock, fatal))
    state.tell_url(ports.url("http", host, port))
    try:
        await serve(bank, ALL_METHODS if own else METHODS, both, access, stop, fatal)
    finally:
        reserving.cancel()
        await asyncio.wait({reserving})
        await saves.finish()
        await commit.finish()
        if not failure:
            with contextlib.suppress(OSError):  # it was said, and the ledger has it all
                bank.save()
        bank.close()
    if failure:
        raise failure[0]
    reserve.close(bank.slot + 1)
    log.info("stopped at slot %d", bank.slot)


def main(argv: list[str] | None = None) -> int:
    """Runs until a signal comes; returns the exit code."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="localnet: %(message)s")
    try:
        arguments = _arguments(sys.argv[1:] if argv is None else argv)
        options = _options(arguments)
        options.wanted()  # refused before the folder is touched
        both = _reserve(arguments.host, arguments.port, arguments.state)
        state = StateFolder(arguments.state)
        access = Access(frozenset(arguments.allow_host), frozenset(arguments.allow_origin))
        asyncio.run(_run(state, arguments.host, arguments.port, both, access, options))
    except Stop as stop:
        print(f"error: {stop}", file=sys.stderr)
        return stop.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
