"""What bringing a file on chain costs, to the lamport, from what the cluster itself answers.

Rent and fees are never assumed: they have changed three times within two years.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from solders.pubkey import Pubkey

from cbctl.clients.solana import buffer, final, loader
from cbctl.clients.solana.elf import Elf
from cbctl.clients.solana.fees import Fees
from cbctl.clients.solana.onchain import OnChain
from cbctl.clients.solana.rpc import Rpc


@dataclass(frozen=True)
class Estimate:
    """Lamports.

    needed    that the payer must have now, so that it never falls below what keeps it alive
    locked    that stay in the program's accounts beyond what is there now
    returned  that are laid out for the buffer and come back
    fees      that are gone
    """

    needed: int
    locked: int
    returned: int
    fees: int
    transactions: int


def estimate(
    rpc: Rpc,
    payer: Pubkey,
    authority: Pubkey,
    program: Pubkey,
    elf: Elf,
    chain: OnChain,
    place: buffer.Place,
    max_len: int,
    fees: Fees,
    vault: Pubkey | None = None,
) -> Estimate:
    """The cost from here on: what an interrupted run has paid already is not counted again.

    vault  the upgrade authority, where that is a multisig: it pays for the upgrade itself
    """
    buffer_rent = rpc.rent(loader.BUFFER_HEADER + elf.size)
    terms = buffer.Terms(payer, authority, buffer_rent, fees.v1, fees.price)
    orders = [] if place.handed else buffer.plan(place, elf, place.elf, terms).orders
    outlay = max(0, buffer_rent - place.lamports)
    in_buffer = returned = max(place.lamports, buffer_rent)
    if chain.state == "absent":
        program_rent = rpc.rent(loader.PROGRAM_SIZE)
        account = max(0, program_rent - chain.lamports[0])
        locked = account + rpc.rent(_programdata(elf, chain, max_len))
        lamports = chain.lamports[0]
        orders.append(
            final.first(payer, program, place.address, authority, max_len, program_rent, lamports)
        )
        # The program account is paid while the money is still in the buffer.
        peak = max(outlay + account, outlay - in_buffer + locked)
    else:
        extend = final.extension(program, payer, chain, elf.size)
        missing = rpc.rent(_programdata(elf, chain, max_len)) - chain.lamports[1]
        orders += [extend] if extend else []
        if vault is None:
            orders.append(final.upgrade(payer, program, place.address, authority))
        elif not place.handed:
            orders.append(final.hand_over(place.address, authority, vault))
        locked = max(0, missing)
        # Rent has changed since the last deploy: an upgrade takes what is missing out of the
        # buffer, and returns what is too much.
        returned = in_buffer - (min(0, missing) if extend else missing)
        peak = outlay + (locked if extend else 0)
    gone = fees.of(orders, payer)
    needed = peak + gone + rpc.rent(0) if orders else 0
    return Estimate(needed, locked, returned, gone, len(orders))


def _programdata(elf: Elf, chain: OnChain, max_len: int) -> int:
    """Bytes of ProgramData afterwards."""
    if chain.state == "absent":
        return loader.PROGRAMDATA_HEADER + max_len
    additional = loader.extension(chain.capacity, elf.size)
    return loader.PROGRAMDATA_HEADER + chain.capacity + additional


def know_rents(rpc: Rpc, elf: Elf, chain: OnChain, max_len: int) -> None:
    """Asks at once for all that the estimate needs; the RPC's client keeps them."""
    sizes = (
        0,
        loader.PROGRAM_SIZE,
        loader.BUFFER_HEADER + elf.size,
        _programdata(elf, chain, max_len),
    )
    rpc.together(*(partial(rpc.rent, size) for size in sizes))
