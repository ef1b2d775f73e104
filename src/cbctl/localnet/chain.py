"""The chain on disk: `chain.db` with the accounts as they were at one position of the ledger, and
`ledger/` with everything that happened.

What of the ledger the store has not taken in is run again at a start. What it has is kept as
history, up to a bound.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from solders.account import Account
from solders.hash import Hash
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from cbctl.localnet import ledger as ledgers
from cbctl.localnet import startup, store
from cbctl.localnet.errors import EXIT_FAILED, EXIT_USAGE, Stop
from cbctl.localnet.genesis import DEFAULT_SLOT_MS, Genesis, Loaded, Wanted
from cbctl.localnet.ledger import Ledger, Place
from cbctl.localnet.records import Entry, Moment, unpack
from cbctl.localnet.slots import FIRST_SLOT
from cbctl.localnet.startup import StartFile
from cbctl.localnet.state import vm_version
from cbctl.localnet.store import Head, Store
from cbctl.localnet.vm import Vm, features

# Half a billion SOL, as solana-test-validator's faucet holds.
FAUCET_LAMPORTS = 500_000_000 * 1_000_000_000

# Signed transactions with their logs and balances: the newest are kept. With what the store needs
# to find them they are half as much again on disk.
HISTORY_BYTES = 512 * 1024 * 1024


class Options(NamedTuple):
    """What a command line asks for; None and empty: as the state has it, or the default."""

    slot_ms: int | None = None
    activated: Sequence[str] = ()
    deactivated: Sequence[str] = ()
    files: Sequence[StartFile] = ()

    def wanted(self) -> Wanted:
        """The same, files by their content. Stop for what no chain can start with."""
        try:
            features(self.activated, self.deactivated)
        except ValueError as error:
            raise Stop(str(error), EXIT_USAGE) from None
        loaded = [startup.read(file, lambda length: 0).loaded for file in self.files]
        return Wanted(
            self.slot_ms, tuple(self.activated), tuple(self.deactivated), tuple(sorted(loaded))
        )


class Chain:
    """An open chain."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(folder / "chain.db")
        try:
            head = self.store.head
            self.ledger = Ledger(folder / "ledger", vm_version(), head.position)
        except BaseException:
            self.store.close()
            raise
        # A crash may have come between forgetting history and removing it.
        self.ledger.drop(head.first)

    def records(self) -> Iterator[tuple[Entry | Moment, Place]]:
        """What the store has not taken in, in the order in which it happened."""
        for payload, place in self.ledger.payloads(self.store.head.position):
            try:
                record = unpack(payload)
            except ValueError as error:
                raise Stop(
                    f"the ledger holds {error} at position {place.offset}: use the cbctl that "
                    "wrote it",
                    EXIT_USAGE,
                ) from None
            yield record, place

    def last_slot(self) -> int:
        """The newest slot of which anything is known."""
        slots = (record.slot for record, _ in self.records())
        return max(slots, default=self.store.head.moment.slot)

    def close(self) -> None:
        """Syncs and closes."""
        self.ledger.close()
        self.store.close()


def exists(folder: Path) -> bool:
    """Whether a folder holds a chain."""
    return (folder / "chain.db").exists()


def create(folder: Path, options: Options) -> None:
    """A new chain: complete, or not there at all."""
    genesis = Genesis(
        genesis_hash=secrets.token_hex(32),
        blockhash_seed=secrets.token_hex(32),
        faucet_seed=secrets.token_hex(32),
        faucet_lamports=FAUCET_LAMPORTS,
        first_slot=FIRST_SLOT,
        unix_time=int(time.time()),
        vm=vm_version(),
        slot_ms=options.slot_ms or DEFAULT_SLOT_MS,
        activated=tuple(options.activated),
        deactivated=tuple(options.deactivated),
    )
    loaded, accounts = _initial(genesis, options.files)
    write(folder, msgspec.structs.replace(genesis, loaded=loaded), accounts)


def write(folder: Path, genesis: Genesis, accounts: dict[Pubkey, Account]) -> None:
    """The files of a chain at its first slot."""
    faucet = Keypair.from_seed(bytes.fromhex(genesis.faucet_seed)).pubkey()
    funded = Account(genesis.faucet_lamports, b"", Pubkey.default(), False, 2**64 - 1)
    log = folder / "ledger"
    log.mkdir(mode=0o700, exist_ok=True)
    for path in log.iterdir():
        # Left by a start that was broken off; with records in it something else has happened.
        if path.stat().st_size > ledgers.EMPTY_BYTES:
            raise Stop(
                f"{folder} has a ledger and lacks chain.db: restore the folder from a copy or a "
                "snapshot, or remove it to start a new chain",
                EXIT_FAILED,
            )
    ledgers.create(log, vm_version())
    head = Head(
        genesis=genesis,
        position=0,
        first=0,
        moment=Moment(genesis.first_slot - 1, genesis.unix_time, 0, genesis.unix_time),
        transactions=0,
        branches=((secrets.token_hex(8), 0),),
    )
    store.create(folder / "chain.db", head, {**accounts, faucet: funded}.items())


def _initial(
    genesis: Genesis, files: Sequence[StartFile]
) -> tuple[tuple[Loaded, ...], dict[Pubkey, Account]]:
    """What the files of a start hold, tried in a VM with the features of the start."""
    vm = Vm(lambda slot: Hash.default(), features(genesis.activated, genesis.deactivated))
    vm.enter(genesis.first_slot, genesis.unix_time, genesis.unix_time)
    accounts: dict[Pubkey, Account] = {}
    loaded = []
    for file in files:
        initial = startup.read(file, vm.rent_exempt_minimum)
        for address, account in initial.accounts:
            if address in accounts:
                raise Stop(f"--{file.kind} {address}: given twice", EXIT_USAGE)
            accounts[address] = account
        loaded.append(initial.loaded)
    try:
        vm.load(sorted(accounts.items(), key=lambda item: item[1].executable))
    except ValueError as error:
        raise Stop(f"this VM does not take {error}; is its file damaged?", EXIT_USAGE) from None
    return tuple(sorted(loaded)), accounts
