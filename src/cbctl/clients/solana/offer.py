"""An offer of the upgrade authority: one transaction that both authorities sign, at two places.

It holds the loader's SetAuthorityChecked and nothing else, after AdvanceNonce where it has a
durable nonce. The present authority pays and has signed; the new one completes it. What is read is
built again from its few parts and must be the same byte for byte, so nothing else is ever signed.

Layout of a nonce account: `solana_nonce::versions::Versions`, bincode: version u32, state u32,
authority 32, stored blockhash 32, fee u64.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import ID as SYSTEM
from solders.system_program import AdvanceNonceAccountParams, advance_nonce_account
from solders.transaction import VersionedTransaction

from cbctl.clients.solana import loader
from cbctl.clients.solana.rpc import Rpc
from cbctl.clients.solana.signer import Signer
from cbctl.clients.solana.transaction import Signed

_NONCE = struct.Struct("<II32s32sQ")
_USABLE = (1, 1)  # current version, initialized


class BadOffer(ValueError):
    """Why this is no offer that could be accepted."""


@dataclass(frozen=True)
class Offer:
    """
    programdata  the account whose authority is handed on
    blockhash    a recent one, or what the nonce account stores
    """

    programdata: Pubkey
    current: Pubkey
    new: Pubkey
    blockhash: str
    nonce: Pubkey | None = None

    def message(self) -> Message:
        """The only message that this offer can be."""
        change = loader.set_authority_checked(self.programdata, self.current, self.new)
        return Message.new_with_blockhash(
            [*self._advance(), change], self.current, Hash.from_string(self.blockhash)
        )

    def _advance(self) -> list[Instruction]:
        if self.nonce is None:
            return []
        params = AdvanceNonceAccountParams(nonce_pubkey=self.nonce, authorized_pubkey=self.current)
        return [advance_nonce_account(params)]


def signed_by_present(offer: Offer, present: Signer) -> bytes:
    """The transaction as it is handed over: the new authority's signature is still empty."""
    message = offer.message()
    mine = present.sign_message(bytes(message))
    return bytes(VersionedTransaction.populate(message, [mine, Signature.default()]))


def read(wire: bytes) -> Offer:
    """Errors: BadOffer for everything but an offer that the present authority has signed."""
    try:
        transaction = VersionedTransaction.from_bytes(wire)
        message = transaction.message
        keys = message.account_keys
        first, last = message.instructions[0], message.instructions[-1]
        nonce = keys[first.accounts[0]] if len(message.instructions) > 1 else None
        found = Offer(
            programdata=keys[last.accounts[0]],
            current=keys[0],
            new=keys[1],
            blockhash=str(message.recent_blockhash),
            nonce=nonce,
        )
    except (ValueError, IndexError):
        raise BadOffer("it is no transaction that hands an upgrade authority on") from None
    same = isinstance(message, Message) and bytes(message) == bytes(found.message())
    if not same or bytes(transaction) != wire or found.current == found.new:
        raise BadOffer("it does something else than handing one upgrade authority on")
    if not transaction.signatures[0].verify(found.current, bytes(message)):
        raise BadOffer(f"the signature of {found.current} is not that of this offer")
    return found


def accepted(wire: bytes, offer: Offer, new: Signer) -> Signed:
    """The same transaction with both signatures."""
    message = offer.message()
    first = VersionedTransaction.from_bytes(wire).signatures[0]
    both = [first, new.sign_message(bytes(message))]
    return Signed(str(first), bytes(VersionedTransaction.populate(message, both)))


def void(rpc: Rpc, offer: Offer) -> str | None:
    """Why it can no longer be carried out, None while it can."""
    if offer.nonce is None:
        if rpc.is_valid(offer.blockhash):
            return None
        return "the offer has expired: its blockhash is too old"
    stored = stored_nonce(rpc, offer.nonce, offer.current)
    if stored == offer.blockhash:
        return None
    return f"the offer is void: its nonce account {offer.nonce} has gone on"


def stored_nonce(rpc: Rpc, account: Pubkey, authority: Pubkey) -> str | None:
    """What the account stores, None when it is no nonce account of that authority."""
    found = rpc.account(account)
    if found is None or found.owner != SYSTEM or len(found.data) != _NONCE.size:
        return None
    version, state, owner, stored, _ = _NONCE.unpack(found.data)
    if (version, state) != _USABLE or owner != bytes(authority):
        return None
    return str(Hash.from_bytes(stored))
