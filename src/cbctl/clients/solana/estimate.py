"""What bringing a file on chain costs, to the lamport, from what the cluster itself answers.

Rent and fees are never assumed: they have changed three times within two years.
"""

from __future__ import annotations

from dataclasses import dataclass

from solders.pubkey import Pubkey

from cbctl.clients.solana import buffer, fees, final, loader
from cbctl.clients.solana.elf import Elf
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
    price: int = 0,
) -> Estimate:
    """The cost from here on: what an interrupted run has paid already is not counted again.

    price  of a compute unit, in millionths of a lamport
    """
    buffer_rent = rpc.rent(loader.BUFFER_HEADER + elf.size)
    terms = buffer.Terms(payer, authority, buffer_rent, fees.takes_v1(rpc, payer), price)
    orders = buffer.plan(place, elf, place.elf, terms).orders
    outlay = max(0, buffer_rent - place.lamports)
    in_buffer = returned = max(place.lamports, buffer_rent)
    if chain.state == "absent":
        program_rent = final.program_rent(rpc)
        account = max(0, program_rent - chain.lamports[0])
        locked = account + rpc.rent(loader.PROGRAMDATA_HEADER + max_len)
        lamports = chain.lamports[0]
        orders.append(
            final.first(payer, program, place.address, authority, max_len, program_rent, lamports)
        )
        # The program account is paid while the money is still in the buffer.
        peak = max(outlay + account, outlay - in_buffer + locked)
    else:
        extend = final.extension(program, payer, chain, elf.size)
        additional = loader.extension(chain.capacity, elf.size)
        missing = rpc.rent(loader.PROGRAMDATA_HEADER + chain.capacity + additional)
        missing -= chain.lamports[1]
        orders += [extend] if extend else []
        orders.append(final.upgrade(payer, program, place.address, authority))
        locked = max(0, missing)
        # Rent has changed since the last deploy: an upgrade takes what is missing out of the
        # buffer, and returns what is too much.
        returned = in_buffer - (min(0, missing) if extend else missing)
        peak = outlay + (locked if extend else 0)
    gone = fees.read(rpc, payer, price).of(orders, payer)
    return Estimate(peak + gone + rpc.rent(0), locked, returned, gone, len(orders))
