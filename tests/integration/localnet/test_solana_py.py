"""Every method of solana-py's client: it reads the answer, and what it reads is so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Processed
from solana.rpc.core import RPCException
from solana.rpc.models import (
    DataSliceOpts,
    MemcmpOpts,
    TokenAccountOpts,
    TxOpts,
)
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from tests.integration.localnet.loader import CLOCK
from tests.integration.localnet.support import SOL, Localnet, in_loop
from tests.integration.localnet.tokens import DECIMALS, TOKEN, make_token

# No calls of the RPC.
NO_CALLS = {"close", "is_connected", "parse_recent_blockhash", "send_rpc_request"}


class Client(AsyncClient):
    """Remembers which of its methods were used."""

    used: set[str]

    def __getattribute__(self, name: str) -> Any:
        if name != "used" and not name.startswith("_"):
            self.used.add(name)
        return super().__getattribute__(name)


@dataclass(frozen=True)
class Made:
    """What is on the chain: a token, and a transfer of it that is confirmed."""

    net: Localnet
    holder: Keypair
    delegate: Pubkey
    mint: Pubkey
    account: Pubkey
    signature: Signature
    slot: int
    identity: Pubkey

    def payment(self) -> MessageV0:
        pay = transfer(
            TransferParams(
                from_pubkey=self.holder.pubkey(), to_pubkey=Pubkey.new_unique(), lamports=SOL
            )
        )
        return MessageV0.try_compile(self.holder.pubkey(), [pay], [], self.net.blockhash())


@pytest.fixture
def made(net: Localnet) -> Made:
    token = make_token(net, TOKEN)
    signature = net.run([token.transfer(500_000)], token.holder)
    return Made(
        net,
        token.holder,
        token.delegate.pubkey(),
        token.mint,
        token.account_of(token.holder),
        Signature.from_string(signature),
        net.confirm(signature)["slot"],
        Pubkey.from_string(net.call("getIdentity")["identity"]),
    )


async def _accounts(client: Client, made: Made) -> None:
    balance = (await client.get_balance(made.holder.pubkey())).value
    assert balance == made.net.balance(made.holder.pubkey())
    whole: Any = (await client.get_account_info(made.account)).value
    assert (whole.owner, bytes(whole.data[:32])) == (TOKEN, bytes(made.mint))
    part: Any = (
        await client.get_account_info(made.account, Confirmed, "base58", DataSliceOpts(0, 32))
    ).value
    assert bytes(part.data) == bytes(made.mint)
    mint: Any = (await client.get_account_info_json_parsed(made.mint)).value
    assert mint.data.parsed["info"]["supply"] == "1750000"
    several = (await client.get_multiple_accounts([made.account, Pubkey.new_unique()])).value
    assert several == [whole, None]
    parsed: Any = (await client.get_multiple_accounts_json_parsed([made.mint, CLOCK])).value
    assert [account.data.program for account in parsed] == ["spl-token", "sysvar"]

    filters: list[int | MemcmpOpts] = [165, MemcmpOpts(offset=0, bytes=str(made.mint))]
    slices = DataSliceOpts(offset=64, length=8)
    found = (await client.get_program_accounts(TOKEN, Confirmed, "base64", slices, filters)).value
    amounts = [int.from_bytes(item.account.data, "little") for item in found]
    assert sorted(amounts) == [750_000, 1_000_000]
    shown = (await client.get_program_accounts_json_parsed(TOKEN, Confirmed, filters)).value
    assert sorted(_amounts(shown)) == ["0.75", "1"]
    largest = (await client.get_largest_accounts("circulating")).value
    assert largest[0].address == made.identity
    supply = (await client.get_supply(exclude_non_circulating_accounts_list=True)).value
    assert (supply.non_circulating, supply.circulating) == (0, supply.total)
    assert (await client.get_minimum_balance_for_rent_exemption(165)).value == 2_039_280


def _amounts(found: Any) -> list[str]:
    return [item.account.data.parsed["info"]["tokenAmount"]["uiAmountString"] for item in found]


async def _tokens(client: Client, made: Made) -> None:
    balance = (await client.get_token_account_balance(made.account)).value
    assert (balance.amount, balance.decimals, balance.ui_amount) == ("1000000", DECIMALS, 1.0)
    assert (await client.get_token_supply(made.mint)).value.ui_amount_string == "1.75"
    largest = (await client.get_token_largest_accounts(made.mint)).value
    assert [item.amount.amount for item in largest] == ["1000000", "750000"]
    assert largest[0].address == made.account
    owner = made.holder.pubkey()
    for opts in (TokenAccountOpts(mint=made.mint), TokenAccountOpts(program_id=TOKEN)):
        for found in (
            await client.get_token_accounts_by_owner(owner, opts),
            await client.get_token_accounts_by_delegate(made.delegate, opts),
        ):
            assert [item.pubkey for item in found.value] == [made.account]
        for parsed in (
            await client.get_token_accounts_by_owner_json_parsed(owner, opts),
            await client.get_token_accounts_by_delegate_json_parsed(made.delegate, opts),
        ):
            assert _amounts(parsed.value) == ["1"]


async def _ledger(client: Client, made: Made) -> None:
    for encoding in ("json", "jsonParsed", "base64", "base58"):
        found: Any = (await client.get_transaction(made.signature, encoding, Confirmed)).value
        assert found.slot == made.slot
        held = found.transaction.meta.post_token_balances
        assert sorted(item.ui_token_amount.amount for item in held) == ["1000000", "750000"]
        block: Any = (await client.get_block(made.slot, encoding, 0, commitment=Confirmed)).value
        assert block.block_height == made.slot
        assert found.transaction.meta in [item.meta for item in block.transactions]
    for details in (TransactionDetails.Signatures, TransactionDetails.Accounts):
        block = (
            await client.get_block(
                made.slot,
                max_supported_transaction_version=0,
                transaction_details=details,
                rewards=False,
                commitment=Confirmed,
            )
        ).value
        assert block.rewards is None
        inside = block.signatures or [
            signature for item in block.transactions for signature in item.transaction.signatures
        ]
        assert made.signature in inside
    statuses = (
        await client.get_signature_statuses([made.signature, Signature.default()], True)
    ).value
    assert statuses[0] is not None
    assert (statuses[0].slot, statuses[0].err, statuses[1]) == (made.slot, None, None)
    listed = (
        await client.get_signatures_for_address(
            made.account, limit=1, commitment=Confirmed, min_context_slot=made.slot
        )
    ).value
    assert [item.signature for item in listed] == [made.signature]
    older = (
        await client.get_signatures_for_address(
            made.account, before=made.signature, commitment=Confirmed
        )
    ).value
    newer = (
        await client.get_signatures_for_address(
            made.account, until=older[0].signature, commitment=Confirmed
        )
    ).value
    assert newer == listed
    first = (await client.get_first_available_block()).value
    assert (await client.get_minimum_ledger_slot()).value == first
    assert (await client.get_blocks(first, first)).value == [first]
    assert (await client.get_block_time(made.slot)).value == found.block_time
    commitment = await client.get_block_commitment(made.net.slot())
    assert commitment.value.total_stake == 0
    fees = (await client.get_recent_prioritization_fees([made.account])).value
    assert made.slot in [fee.slot for fee in fees]


async def _chain(client: Client, made: Made) -> None:
    slot = (await client.get_slot(Processed)).value
    assert made.slot < slot
    assert (await client.get_block_height(Processed)).value >= slot
    epoch = (await client.get_epoch_info(Processed)).value
    assert epoch.absolute_slot >= slot
    assert (await client.get_epoch_schedule()).value.slots_per_epoch == epoch.slots_in_epoch
    assert (await client.get_transaction_count(Processed)).value > 5
    assert (await client.get_genesis_hash()).value != (
        latest := (await client.get_latest_blockhash(Processed))
    ).value.blockhash
    assert client.parse_recent_blockhash(latest) == latest.value.blockhash
    assert (await client.get_version()).value.solana_core.startswith("4.")
    samples = (await client.get_recent_performance_samples(4)).value
    assert all(sample.sample_period_secs == 60 for sample in samples)


async def _validators(client: Client, made: Made) -> None:
    me = made.identity
    assert (await client.get_identity()).value.identity == me
    assert [node.pubkey for node in (await client.get_cluster_nodes()).value] == [me]
    assert (await client.get_slot_leader()).value == me
    assert (await client.get_slot_leaders(made.slot, 3)).value == [me] * 3
    schedule = (await client.get_leader_schedule()).value
    assert schedule is not None
    assert len(schedule[me]) == 432_000
    votes = (await client.get_vote_accounts(keep_unstaked_delinquents=True)).value
    assert votes.current == votes.delinquent == []
    assert (await client.get_inflation_governor()).value.initial == 0
    assert (await client.get_inflation_rate()).value.total == 0
    with pytest.raises(RPCException, match="cleaned up"):
        await client.get_inflation_reward([me])


async def _sending(client: Client, made: Made) -> None:
    airdrop = (await client.request_airdrop(Pubkey.new_unique(), SOL)).value
    message = made.payment()
    assert (await client.get_fee_for_message(message, Processed)).value == 5_000
    transaction = VersionedTransaction(message, [made.holder])
    told = (
        await client.simulate_transaction(transaction, True, Processed, inner_instructions=True)
    ).value
    assert (told.err, told.units_consumed) == (None, 150)
    checked = TxOpts(preflight_commitment=Processed)
    sent = (await client.send_transaction(transaction, checked)).value
    other = VersionedTransaction(made.payment(), [made.holder])
    raw = await client.send_raw_transaction(bytes(other), TxOpts(skip_preflight=True))
    for signature in (airdrop, sent, raw.value):
        done = await client.confirm_transaction(signature, Confirmed, sleep_seconds=0.02)
        assert done.value[0] is not None
        assert done.value[0].err is None
    with pytest.raises(RPCException, match="already been processed"):
        await client.send_transaction(transaction, checked)


def test_every_method_of_the_client(made: Made) -> None:
    Client.used = set()

    async def work() -> None:
        client = Client(made.net.url, Confirmed)
        async with client:
            assert await client.is_connected()
            for area in (_accounts, _tokens, _ledger, _chain, _validators, _sending):
                await area(client, made)
            with pytest.raises(RPCException, match="Method not found"):
                await client.validator_exit()

    in_loop(work)
    public = {name for name in vars(AsyncClient) if not name.startswith("_")}
    assert public - NO_CALLS <= Client.used
