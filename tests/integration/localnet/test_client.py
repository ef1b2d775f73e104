"""solana-py's client against the localnet, as any program of the platform uses it."""

from __future__ import annotations

import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Finalized
from solana.rpc.core import RPCException
from solana.rpc.models import TxOpts
from solders.account import Account
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message, MessageV0, MessageV1, TransactionConfig
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import Legacy, VersionedTransaction
from solders.transaction_status import EncodedConfirmedTransactionWithStatusMeta
from tests.integration.localnet.loader import MEMO
from tests.integration.localnet.support import SOL, Localnet, in_loop

OPTS = TxOpts(preflight_commitment=Confirmed)


def _message(version: object, payer: Pubkey, to: Pubkey, blockhash: Hash) -> object:
    pay = [transfer(TransferParams(from_pubkey=payer, to_pubkey=to, lamports=SOL))]
    if version == 0:
        return MessageV0.try_compile(payer, pay, [], blockhash)
    if version == 1:
        config = TransactionConfig(
            compute_unit_limit=1_000, loaded_accounts_data_size_limit=100_000, priority_fee=7
        )
        return MessageV1.try_compile(payer, pay, blockhash, config)
    return Message.new_with_blockhash(pay, payer, blockhash)


@pytest.mark.parametrize("version", ["legacy", 0, 1])
def test_a_transfer_of_every_version_is_confirmed_and_found_again(
    net: Localnet, version: str | int
) -> None:
    async def work() -> None:
        async with AsyncClient(net.url, Confirmed) as client:
            payer, to = Keypair(), Pubkey.new_unique()
            airdrop = (await client.request_airdrop(payer.pubkey(), 10 * SOL)).value
            await client.confirm_transaction(airdrop, Confirmed, sleep_seconds=0.02)

            latest = (await client.get_latest_blockhash()).value
            message = _message(version, payer.pubkey(), to, latest.blockhash)
            fee = (await client.get_fee_for_message(message)).value  # type: ignore[arg-type]
            assert fee == (5_007 if version == 1 else 5_000)

            transaction = VersionedTransaction(message, [payer])  # type: ignore[arg-type]
            signature = (await client.send_transaction(transaction, OPTS)).value
            statuses = await client.confirm_transaction(
                signature,
                Confirmed,
                sleep_seconds=0.02,
                last_valid_block_height=latest.last_valid_block_height,
            )
            assert statuses.value[0] is not None
            assert statuses.value[0].err is None
            assert (await client.get_balance(to)).value == SOL
            assert (await client.get_balance(payer.pubkey())).value == 9 * SOL - fee

            found = (
                await client.get_transaction(
                    signature, commitment=Confirmed, max_supported_transaction_version=1
                )
            ).value
            assert isinstance(found, EncodedConfirmedTransactionWithStatusMeta)
            assert found.transaction.version == (Legacy.Legacy if version == "legacy" else version)
            assert found.transaction.meta is not None
            assert found.transaction.meta.fee == fee
            assert found.transaction.meta.post_balances[1] == SOL

            raw = (
                await client.get_transaction(
                    signature, "base64", Confirmed, max_supported_transaction_version=1
                )
            ).value
            assert raw is not None
            assert raw.transaction.transaction == transaction

            listed = (await client.get_signatures_for_address(to, commitment=Confirmed)).value
            assert [item.signature for item in listed] == [signature]

    in_loop(work)


def test_a_version_that_the_client_does_not_read_is_not_shown(net: Localnet) -> None:
    payer = net.funded()
    message = _message(1, payer.pubkey(), Pubkey.new_unique(), net.blockhash())
    signature = net.send(VersionedTransaction(message, [payer]))  # type: ignore[arg-type]
    net.confirm(signature)

    async def work() -> None:
        async with AsyncClient(net.url, Confirmed) as client:
            with pytest.raises(RPCException, match="version \\(1\\) is not supported"):
                await client.get_transaction(
                    Signature.from_string(signature),
                    commitment=Confirmed,
                    max_supported_transaction_version=0,
                )

    in_loop(work)


def test_commitment_grows_with_slots(net: Localnet) -> None:
    signature = net.call("requestAirdrop", str(Pubkey.new_unique()), SOL)
    first = net.status(signature)
    assert first["slot"] <= net.slot()

    async def work() -> None:
        async with AsyncClient(net.url) as client:
            name = Signature.from_string(signature)
            await client.confirm_transaction(name, Confirmed, sleep_seconds=0.02)
            status = await client.confirm_transaction(name, Finalized, sleep_seconds=0.1)
            assert status.value[0] is not None
            assert status.value[0].confirmations is None
            assert (await client.get_slot(Finalized)).value >= first["slot"]
            assert net.slot() >= first["slot"] + 32

    in_loop(work)


def test_accounts_are_shown_in_the_encodings_of_the_rpc(net: Localnet) -> None:
    async def work() -> None:
        async with AsyncClient(net.url) as client:
            account = (await client.get_account_info(MEMO)).value
            assert isinstance(account, Account)
            assert account.executable
            assert bytes(account.data[:4]) == b"\x7fELF"
            both = (await client.get_multiple_accounts([MEMO, Pubkey.new_unique()])).value
            assert both == [account, None]

    in_loop(work)
    part = net.call(
        "getAccountInfo",
        str(MEMO),
        {"encoding": "base58", "dataSlice": {"offset": 1, "length": 3}},
    )["value"]
    assert part["data"] == ["QH2u", "base58"]
    assert part["space"] > 1_000


def test_program_accounts_are_filtered(net: Localnet) -> None:
    owner = "BPFLoaderUpgradeab1e11111111111111111111111"
    config = {"encoding": "base64", "dataSlice": {"offset": 0, "length": 4}}
    every = net.call("getProgramAccounts", owner, config)
    programs = net.call("getProgramAccounts", owner, {**config, "filters": [{"dataSize": 36}]})
    # memcmp on the state's tag: 2 is Program, "Jx" is no base58 of it, so bytes are given as list
    by_tag = net.call(
        "getProgramAccounts",
        owner,
        {**config, "filters": [{"memcmp": {"offset": 0, "bytes": [2, 0, 0, 0]}}]},
    )
    assert programs == by_tag
    assert 0 < len(programs) < len(every)
    shown = net.call("getProgramAccounts", owner, {**config, "withContext": True})
    assert shown["value"] == every
    assert shown["context"]["slot"] > 0


def test_a_simulation_answers_and_changes_nothing(net: Localnet) -> None:
    payer, to = net.funded(), Pubkey.new_unique()
    before = net.balance(payer.pubkey())

    async def work() -> None:
        async with AsyncClient(net.url) as client:
            pay = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=SOL))
            stale = Message.new_with_blockhash([pay], payer.pubkey(), Hash.default())
            unsigned = VersionedTransaction.populate(stale, [Keypair().sign_message(b"x")])
            done = (
                await client.simulate_transaction(
                    unsigned, replace_recent_blockhash=True, accounts_addresses=[to]
                )
            ).value
            assert done.err is None
            assert done.units_consumed == 150
            assert done.replacement_blockhash is not None
            assert done.accounts is not None
            assert done.accounts[0] is not None
            assert done.accounts[0].lamports == SOL

            refused = (await client.simulate_transaction(unsigned)).value
            assert str(refused.err) == "TransactionErrorFieldless.BlockhashNotFound"
            unproved = (await client.simulate_transaction(unsigned, sig_verify=True)).value
            assert str(unproved.err) == "TransactionErrorFieldless.SignatureFailure"

    in_loop(work)
    assert net.balance(payer.pubkey()) == before
    assert net.balance(to) == 0


def test_a_block_holds_the_transactions_of_its_slot(net: Localnet) -> None:
    signature = net.call("requestAirdrop", str(Pubkey.new_unique()), SOL)
    slot = net.confirm(signature)["slot"]
    config = {"commitment": "confirmed", "maxSupportedTransactionVersion": 1}
    block = net.call("getBlock", slot, {**config, "transactionDetails": "signatures"})
    assert signature in block["signatures"]
    full = net.call("getBlock", slot, config)
    assert full["parentSlot"] == slot - 1
    assert len(full["transactions"]) == len(block["signatures"])
    assert full["blockTime"] == net.call("getBlockTime", slot)
    assert net.call("getBlocks", slot, slot, {"commitment": "confirmed"}) == [slot]
