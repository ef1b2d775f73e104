"""Which accounts a transaction has changed, and how they are shown to those who listen."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import zstandard
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import (
    AdvanceNonceAccountParams,
    CreateAccountParams,
    advance_nonce_account,
    create_account,
    create_nonce_account,
)
from solders.transaction import VersionedTransaction
from spl.token import instructions as spl
from spl.token import models
from tests.unit.localnet.pubsub.listening import Run, Station
from tests.unit.localnet.rpc.calls import PROCESSED, SOL, funded, payment, signed

from cbctl.localnet.bank import Bank
from cbctl.localnet.history import Landed
from cbctl.localnet.nonce import durable
from cbctl.localnet.tokens import TOKEN

RENT = 1_461_600  # of 82 bytes


def _landed(bank: Bank, transaction: VersionedTransaction) -> Landed:
    landed = bank.submit(transaction)
    assert isinstance(landed, Landed)
    return landed


def _advance(nonce: Keypair, authority: Keypair) -> Instruction:
    return advance_nonce_account(
        AdvanceNonceAccountParams(nonce_pubkey=nonce.pubkey(), authorized_pubkey=authority.pubkey())
    )


@pytest.mark.parametrize("too_much", [False, True], ids=["succeeds", "fails"])
def test_whoever_pays_and_the_nonce_have_changed_also_when_the_rest_failed(
    run: Run, too_much: bool
) -> None:
    async def work(tuned: Station) -> None:
        bank, nonce, to = tuned.bank, Keypair(), Pubkey.new_unique()
        payer = funded(bank)
        steps = create_nonce_account(payer.pubkey(), nonce.pubkey(), payer.pubkey(), SOL)
        _landed(bank, signed(bank, steps, payer, nonce))
        await tuned.slots(1)
        made = bank.vm.account(nonce.pubkey())
        assert made is not None
        watched = (payer.pubkey(), nonce.pubkey(), to)
        config = {**PROCESSED, "encoding": "base64"}
        ids = [tuned.subscribe("account", str(key), config) for key in watched]
        mine = tuned.subscribe(
            "program", str(Pubkey.default()), {**config, "filters": [{"dataSize": 80}]}
        )
        pay = payment(payer, to, 1_000 * SOL if too_much else SOL)
        message = Message.new_with_blockhash(
            [_advance(nonce, payer), pay], payer.pubkey(), Hash(made.data[40:72])
        )
        waiting = VersionedTransaction(message, [payer])
        assert (_landed(bank, waiting).outcome.error is not None) is too_much
        await tuned.told()
        told = [tuned.ear.results(number) for number in ids]
        assert [len(results) for results in told] == [1, 1, 0 if too_much else 1]
        used = base64.b64decode(told[1][0]["value"]["data"][0])
        assert used[40:72] == durable(bank.hashes.at(bank.slot))
        assert told[0][0]["value"]["lamports"] == bank.vm.balance(payer.pubkey())
        assert [item["value"]["pubkey"] for item in tuned.ear.results(mine)] == [
            str(nonce.pubkey())
        ]

    run(work)


def test_a_nonce_that_a_failed_transaction_did_not_come_with_has_not_changed(run: Run) -> None:
    async def work(tuned: Station) -> None:
        bank, nonce = tuned.bank, Keypair()
        payer = funded(bank)
        steps = create_nonce_account(payer.pubkey(), nonce.pubkey(), payer.pubkey(), SOL)
        _landed(bank, signed(bank, steps, payer, nonce))
        await tuned.slots(1)
        number = tuned.subscribe("account", str(nonce.pubkey()), PROCESSED)
        pay = payment(payer, Pubkey.new_unique(), 1_000 * SOL)
        failed = _landed(bank, signed(bank, [_advance(nonce, payer), pay], payer))
        assert failed.outcome.error is not None
        await tuned.told()
        assert tuned.ear.results(number) == []

    run(work)


def test_accounts_are_shown_as_the_methods_show_them(run: Run) -> None:
    """Parsed, compressed; those of a token program only when they can be parsed."""

    async def work(tuned: Station) -> None:
        bank, mint = tuned.bank, Keypair()
        payer, key = funded(bank), str(mint.pubkey())
        encodings = ("jsonParsed", "base64+zstd")
        parsed, packed = (
            tuned.subscribe("account", key, {**PROCESSED, "encoding": encoding})
            for encoding in encodings
        )
        all_parsed, all_packed = (
            tuned.subscribe("program", str(TOKEN), {**PROCESSED, "encoding": encoding})
            for encoding in encodings
        )
        create = CreateAccountParams(
            from_pubkey=payer.pubkey(),
            to_pubkey=mint.pubkey(),
            lamports=RENT,
            space=82,
            owner=TOKEN,
        )
        initialize = models.InitializeMint2Params(
            decimals=6, program_id=TOKEN, mint=mint.pubkey(), mint_authority=payer.pubkey()
        )
        _landed(bank, signed(bank, [create_account(create)], payer, mint))
        _landed(bank, signed(bank, [spl.initialize_mint2(initialize)], payer))
        await tuned.told()

        def data(results: list[Any]) -> list[Any]:
            values = [item["value"] for item in results]
            return [item.get("account", item)["data"] for item in values]

        account = bank.vm.account(mint.pubkey())
        assert account is not None
        empty, full = data(tuned.ear.results(parsed))
        assert empty == [base64.b64encode(bytes(82)).decode(), "base64"]
        assert full["parsed"]["info"]["decimals"] == 6
        for number in (packed, all_packed):
            text, encoding = data(tuned.ear.results(number))[-1]
            assert encoding == "base64+zstd"
            assert zstandard.decompress(base64.b64decode(text)) == account.data
        assert data(tuned.ear.results(all_parsed)) == [full]
        assert len(tuned.ear.results(all_packed)) == 2

    run(work)
