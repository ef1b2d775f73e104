"""The slot that a call looks at: its commitment, its least slot, and the answer's context."""

from __future__ import annotations

from cbctl.localnet.bank import Bank
from cbctl.localnet.rpc.params import ContextConfig, Params, check_context

# LiteSVM 0.15 runs the code of Agave 4.1.
API_VERSION = "4.1.0"


def slot_of(bank: Bank, config: ContextConfig) -> int:
    """The newest slot of the commitment, "finalized" where none is said."""
    slot = bank.slot_at(config.commitment or "finalized")
    check_context(slot, config.min_context_slot)
    return slot


def asked_slot(bank: Bank, params: Params, index: int) -> int:
    """`slot_of` for the configuration object at `index`."""
    return slot_of(bank, params.config(index, ContextConfig))


def with_context(slot: int, value: object) -> dict[str, object]:
    """A value and the slot that it was read at."""
    return {"context": {"apiVersion": API_VERSION, "slot": slot}, "value": value}
