"""What is completed by `authority accept` is an offer and nothing else, whatever it looks like."""

from __future__ import annotations

import struct

import pytest
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import (
    AdvanceNonceAccountParams,
    TransferParams,
    advance_nonce_account,
    transfer,
)
from solders.transaction import VersionedTransaction

from cbctl.clients.solana.offer import BadOffer, Offer, accepted, read, signed_by_present

PRESENT, NEW, STRANGER = (Keypair.from_seed(bytes([n]) * 32) for n in (1, 2, 3))
DATA, NONCE = (Pubkey.from_bytes(bytes([n]) * 32) for n in (4, 5))
LOADER = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
BLOCK = Hash.from_bytes(bytes([6]) * 32)
PRESENT_KEY, NEW_KEY = PRESENT.pubkey(), NEW.pubkey()
PLAIN = Offer(DATA, PRESENT_KEY, NEW_KEY, str(BLOCK))
DURABLE = Offer(DATA, PRESENT_KEY, NEW_KEY, str(BLOCK), NONCE)


def hand_over(new: Pubkey = NEW_KEY, checked: bool = True, tail: bytes = b"") -> Instruction:
    """By the loader's own description: SetAuthorityChecked is 7, SetAuthority 4."""
    accounts = [
        AccountMeta(DATA, False, True),
        AccountMeta(PRESENT.pubkey(), True, False),
        AccountMeta(new, checked, False),
    ]
    return Instruction(LOADER, struct.pack("<I", 7 if checked else 4) + tail, accounts)


def advance(by: Pubkey = PRESENT_KEY) -> Instruction:
    return advance_nonce_account(
        AdvanceNonceAccountParams(nonce_pubkey=NONCE, authorized_pubkey=by)
    )


def pay(sender: Keypair = PRESENT) -> Instruction:
    return transfer(
        TransferParams(from_pubkey=sender.pubkey(), to_pubkey=STRANGER.pubkey(), lamports=1)
    )


def half_signed(message: Message | MessageV0, signer: Keypair = PRESENT) -> bytes:
    from solders.message import to_bytes_versioned

    empty = [Signature.default()] * (message.header.num_required_signatures - 1)
    signed = signer.sign_message(to_bytes_versioned(message))
    return bytes(VersionedTransaction.populate(message, [signed, *empty]))


def of(*instructions: Instruction, payer: Keypair = PRESENT) -> bytes:
    message = Message.new_with_blockhash(list(instructions), payer.pubkey(), BLOCK)
    return half_signed(message, payer)


@pytest.mark.parametrize("offer", [PLAIN, DURABLE], ids=["plain", "durable"])
def test_an_offer_comes_back_and_is_completed(offer: Offer) -> None:
    wire = signed_by_present(offer, PRESENT)
    assert read(wire) == offer
    signed = accepted(wire, offer, NEW)
    whole = VersionedTransaction.from_bytes(signed.wire)
    assert whole.verify_with_results() == [True, True]
    assert signed.signature == str(whole.signatures[0])


def test_it_is_what_others_would_build() -> None:
    assert signed_by_present(PLAIN, PRESENT) == of(hand_over())
    assert signed_by_present(DURABLE, PRESENT) == of(advance(), hand_over())


@pytest.mark.parametrize("offer", [PLAIN, DURABLE], ids=["plain", "durable"])
def test_no_byte_of_it_can_be_changed(offer: Offer) -> None:
    wire = signed_by_present(offer, PRESENT)
    theirs = range(65, 129)  # the empty signature, which is made anew
    for at in range(len(wire)):
        for bit in (0, 7):
            changed = bytearray(wire)
            changed[at] ^= 1 << bit
            if at in theirs:
                assert read(bytes(changed)) == offer
            else:
                with pytest.raises(BadOffer):
                    read(bytes(changed))
    for cut in (wire[:-1], wire[:64], wire + b"\0", b""):
        with pytest.raises(BadOffer):
            read(cut)


OTHERS = {
    "a payment after it": of(hand_over(), pay()),
    "a payment before it": of(pay(), hand_over()),
    "a payment of the new one's": of(hand_over(), pay(NEW)),
    "two of them": of(hand_over(), hand_over()),
    "unchecked": of(hand_over(checked=False)),
    "to the present one": of(hand_over(new=PRESENT.pubkey())),
    "another instruction's data": of(hand_over(tail=b"\1")),
    "another payer": of(hand_over(), payer=STRANGER),
    "a nonce of somebody else's": of(advance(NEW.pubkey()), hand_over()),
    "the nonce at the end": of(hand_over(), advance()),
    "the nonce twice": of(advance(), advance(), hand_over()),
    "only a payment": of(pay()),
    "nothing": of(),
    "version 0": half_signed(MessageV0.try_compile(PRESENT.pubkey(), [hand_over()], [], BLOCK)),
    "signed by somebody else": half_signed(PLAIN.message(), STRANGER),
    "not signed": bytes(VersionedTransaction.populate(PLAIN.message(), [Signature.default()] * 2)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_anything_else_is_not_signed(name: str) -> None:
    with pytest.raises(BadOffer):
        read(OTHERS[name])
