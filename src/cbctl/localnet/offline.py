"""`python -m cbctl.localnet.offline --state DIR ACTION …`: what can be done with a chain that is
not running. The result is JSON on stdout.

Exit codes as those of `python -m cbctl.localnet`.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from cbctl.localnet import chain as chains
from cbctl.localnet import old, snapshots
from cbctl.localnet.bank import Bank
from cbctl.localnet.chain import Options
from cbctl.localnet.errors import (
    EXIT_FAILED,
    EXIT_REFUSED,
    EXIT_USAGE,
    RpcError,
    SnapshotError,
    Stop,
)
from cbctl.localnet.opening import open_bank
from cbctl.localnet.rpc import control
from cbctl.localnet.rpc.params import Params
from cbctl.localnet.state import StateFolder
from cbctl.localnet.store import Store
from cbctl.localnet.summary import summary

log = logging.getLogger("localnet")


@contextmanager
def _taken_up(folder: Path, *, make: bool = False) -> Iterator[Bank]:
    """The chain of a folder, saved in the end; `make`: also where there is none yet."""
    if not make:
        _require(folder)
    state = StateFolder(folder)
    opened = open_bank(state, Options())
    try:
        yield opened.bank
        opened.bank.save()
        opened.reserve.close(opened.bank.slot + 1)
    finally:
        opened.bank.close()
        state.close()


def _require(folder: Path) -> None:
    if not chains.exists(folder) and not old.exists(folder):
        raise Stop(f"there is no chain in {folder} yet", EXIT_REFUSED)


def _status(folder: Path) -> object:
    """As of the last save: nothing is run again and nothing is changed, so that the next start
    finds what it has to tell."""
    _require(folder)
    state = StateFolder(folder)
    store = Store(folder / "chain.db")
    try:
        return summary(folder, store)
    finally:
        store.close()
        state.close()


def _snapshot(folder: Path, file: Path) -> object:
    with _taken_up(folder) as bank:
        bank.save()
        store = bank.chain.store
        count = snapshots.write(file, store.head, store.accounts())
        return {"slot": bank.slot, "unixTime": bank.unix_time, "accounts": count}


def _restore(folder: Path, file: Path) -> object:
    snapshot = snapshots.read(file)  # before anything is made for it
    with _taken_up(folder, make=True) as bank:
        bank.restore(snapshot.head, snapshot.accounts)
        count = bank.chain.store.count_accounts()
        return {"slot": bank.slot, "unixTime": bank.unix_time, "accounts": count}


def _reset(folder: Path) -> object:
    """Only what is ours: the folder may hold more."""
    _require(folder)
    state = StateFolder(folder)
    # The store first: without it there is no chain any more, whatever is left.
    for pattern in ("chain.db*", "ledger*", "taken-over", "snapshots", "slot", "url", "lock"):
        for path in folder.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    state.close()
    return {"removed": str(folder.absolute())}


def _clock(folder: Path, method: control.Method, value: object) -> object:
    with _taken_up(folder) as bank:
        return method(bank, Params([value]))


def _result(arguments: argparse.Namespace) -> object:
    folder = arguments.state
    match arguments.action:
        case "snapshot":
            return _snapshot(folder, arguments.file)
        case "restore":
            return _restore(folder, arguments.file)
        case "reset":
            return _reset(folder)
        case "advance-slots":
            return _clock(folder, control.advance_clock, {"slots": arguments.number})
        case "advance-seconds":
            return _clock(folder, control.advance_clock, {"seconds": arguments.number})
        case "set":
            return _clock(folder, control.set_clock, arguments.number)
        case _:
            return _status(folder)


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m cbctl.localnet.offline")
    parser.add_argument("--state", type=Path, required=True, metavar="DIR")
    actions = parser.add_subparsers(dest="action", required=True)
    for name in ("status", "reset"):
        actions.add_parser(name)
    for name in ("snapshot", "restore"):
        actions.add_parser(name).add_argument("file", type=Path)
    for name in ("advance-slots", "advance-seconds", "set"):
        actions.add_parser(name).add_argument("number", type=int)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Returns the exit code."""
    arguments = _arguments(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="localnet: %(message)s")
    try:
        result = _result(arguments)
    except Stop as stop:
        log.error("%s", stop)
        return stop.exit_code
    except SnapshotError as error:
        log.error("%s", error)
        return EXIT_REFUSED
    except RpcError as error:
        log.error("%s", error)
        return EXIT_USAGE
    except OSError as error:
        log.error("%s: %s", error.filename or arguments.state, error.strerror or error)
        return EXIT_FAILED
    print(msgspec.json.encode(result).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
