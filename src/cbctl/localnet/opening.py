"""From a state folder to a running chain."""

from __future__ import annotations

import logging
from typing import NamedTuple

from cbctl.localnet import chain as chains
from cbctl.localnet import old
from cbctl.localnet.bank import Bank
from cbctl.localnet.chain import Chain, Options
from cbctl.localnet.durability import SlotReserve
from cbctl.localnet.genesis import check
from cbctl.localnet.slots import SlotClock
from cbctl.localnet.state import Ended, StateFolder

log = logging.getLogger(__name__)


class Opened(NamedTuple):
    """A chain that goes on; `new` when it begins."""

    bank: Bank
    reserve: SlotReserve
    new: bool


def open_bank(state: StateFolder, options: Options) -> Opened:
    """Makes what is missing, brings what an older version wrote to this format, and says what the
    end of the process before may have cost."""
    folder = state.folder
    if old.exists(folder) and not chains.exists(folder):
        old.migrate(folder, options)
    new = not chains.exists(folder)
    if new:
        chains.create(folder, options)
    chain, wanted = Chain(folder), options.wanted()
    try:
        genesis = chain.store.head.genesis
        check(genesis, wanted)
        _say_loss(state.ended(), chain)
        reserve = SlotReserve(state, genesis.slot_ms)
        clock = SlotClock(reserve.first_slot(chain.last_slot()), genesis.slot_ms)
        bank = Bank(chain, clock, reserve.cover)
        bank.wanted = wanted
        return Opened(bank, reserve, new)
    except BaseException:
        chain.close()
        raise


def _say_loss(ended: Ended, chain: Chain) -> None:
    cut = chain.ledger.cut
    if cut:
        log.warning("cut %d bytes of a torn last record off the ledger", cut)
    if ended is Ended.KILLED and not cut:
        log.info("the process before was killed; nothing is lost")
    elif ended in (Ended.KILLED, Ended.MACHINE, Ended.UNKNOWN):
        log.warning(
            "the process before did not end in order (%s): what was confirmed is here, what was "
            "sent in the last 50 ms before may be missing",
            ended.value,
        )
