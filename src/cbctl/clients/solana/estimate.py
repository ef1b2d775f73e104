"""What bringing a file on chain costs, to the lamport, from what the cluster itself answers.

Rent and fees are never assumed: they have changed three times within two years.
"""

from __future__ import annotations

from dataclasses import dataclass

from solders.pubkey import Pubkey

from cbctl.clients.solana import buffer, loader
from cbctl.clients.solana.deployer import OnChain
from cbctl.clients.solana.elf import Elf
from cbctl.clients.solana.failures import Unreachable
from cbctl.clients.solana.rpc import Rpc
from cbctl.clients.solana.transaction import compile_message


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
    elf: Elf,
    chain: OnChain,
    place: buffer.Place,
    max_len: int,
) -> Estimate:
    """The cost from here on: what an interrupted run has paid already is not counted again."""
    per_signature = _fee_per_signature(rpc, payer)
    signers = 1 if payer == authority else 2
    held = place.elf if place.elf is not None else bytes(elf.size)
    chunks = len(buffer.differing(elf.data, held, loader.WRITE_PAYLOAD))
    # The first of them goes alone only in time, not in content: three writes each.
    writes = -(-chunks // buffer.WRITES_PER_V1)
    count = writes + (place.elf is None) + 1
    signatures = count * signers
    buffer_rent = rpc.rent(loader.BUFFER_HEADER + elf.size)
    outlay = max(0, buffer_rent - place.lamports)
    in_buffer = max(place.lamports, buffer_rent)
    if chain.state == "absent":
        account = max(0, rpc.rent(loader.PROGRAM_SIZE) - chain.lamports[0])
        locked = account + rpc.rent(loader.PROGRAMDATA_HEADER + max_len)
        signatures += 1  # the program's own
        # The program account is paid while the money is still in the buffer.
        peak = max(outlay + account, outlay - in_buffer + locked)
    else:
        additional = loader.extension(chain.capacity, elf.size)
        size = loader.PROGRAMDATA_HEADER + chain.capacity + additional
        locked = max(0, rpc.rent(size) - chain.lamports[1]) if additional else 0
        signatures += 1 if additional else 0
        count += 1 if additional else 0
        peak = outlay + locked
    fees = signatures * per_signature
    return Estimate(peak + fees + rpc.rent(0), locked, in_buffer, fees, count)


def _fee_per_signature(rpc: Rpc, payer: Pubkey) -> int:
    """Of a transaction without a price for compute units, which is what is sent."""
    probe = loader.write(payer, payer, 0, b"")
    message = compile_message([probe], payer, rpc.blockhash().hash, None)
    fee = rpc.fee(bytes(message))
    if fee is None:
        raise Unreachable("the node does not know its own newest blockhash", where=rpc.host)
    return fee
