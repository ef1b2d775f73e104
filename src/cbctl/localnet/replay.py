"""Runs what the ledger holds after the store's position, as it ran before."""

from __future__ import annotations

import logging
from typing import NamedTuple

from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from cbctl.localnet.blockhash import BlockhashQueue
from cbctl.localnet.chain import Chain
from cbctl.localnet.errors import EXIT_FAILED, Stop, VmPanic
from cbctl.localnet.genesis import Genesis
from cbctl.localnet.ledger import Place
from cbctl.localnet.outcome import changed_keys
from cbctl.localnet.records import Entry, Moment
from cbctl.localnet.vm import Vm, features

log = logging.getLogger(__name__)


class Again(NamedTuple):
    """A transaction that ran again."""

    signature: Signature
    slot: int
    place: Place
    keys: list[Pubkey]
    changed: list[Pubkey]


class Replayed(NamedTuple):
    """Where the ledger ends."""

    vm: Vm
    moment: Moment
    transactions: list[Again]


def hashes_of(genesis: Genesis) -> BlockhashQueue:
    """The blockhashes of a chain."""
    return BlockhashQueue(bytes.fromhex(genesis.blockhash_seed), genesis.first_slot)


def vm_of(genesis: Genesis) -> Vm:
    """A VM with the features of a chain, and none of its accounts."""
    return Vm(hashes_of(genesis).at, features(genesis.activated, genesis.deactivated))


def replay(chain: Chain) -> Replayed:
    """Stop when this VM does not take what is there."""
    head = chain.store.head
    moment, transactions = head.moment, []
    differing = 0
    try:
        vm = vm_of(head.genesis)
        vm.enter(moment.slot, moment.unix_time, moment.epoch_start)
        vm.load(chain.store.accounts())
        for record, place in chain.records():
            if isinstance(record, Moment):
                moment = record
            else:
                moment = moment._replace(slot=record.slot, unix_time=record.unix_time)
            vm.enter(moment.slot, moment.unix_time, moment.epoch_start)
            if isinstance(record, Entry):
                transaction = VersionedTransaction.from_bytes(record.raw)
                outcome = vm.execute(transaction, record.by_nonce)
                differing += (outcome.error is None) != record.succeeded
                signature, keys = transaction.signatures[0], outcome.keys
                changed = changed_keys(transaction.message, outcome, record.by_nonce)
                transactions.append(Again(signature, record.slot, place, keys, changed))
    except (VmPanic, ValueError) as error:
        raise Stop(
            f"the chain cannot be taken up again ({error}); it was begun with {head.genesis.vm}: "
            "use that version, or remove the state folder to start a new chain",
            EXIT_FAILED,
        ) from None
    if differing:
        log.warning(
            "%d transactions end differently now than when they were sent; the chain was begun "
            "with %s",
            differing,
            head.genesis.vm,
        )
    return Replayed(vm, moment, transactions)
