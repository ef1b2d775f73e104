"""solana-py's WebSocket client against the localnet: every subscription that it knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Finalized, Processed
from solana.rpc.jsonrpc import SolanaJsonRpcError
from solana.rpc.models import MemcmpOpts
from solana.rpc.websocket_api import SolanaWsClient, Subscription
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.rpc.config import RpcBlockSubscribeFilterMentions, RpcTransactionLogsFilterMentions
from solders.signature import Signature
from solders.system_program import ID as SYSTEM
from tests.integration.localnet.support import SOL, Localnet, in_loop

SECONDS = 60


def client(net: Localnet) -> SolanaWsClient:
    return SolanaWsClient(net.ws_url, request_timeout=SECONDS)


async def _heard(
    websocket: SolanaWsClient, wanted: dict[Subscription, Callable[[Any], bool]]
) -> dict[Subscription, Any]:
    """For each subscription the first result that is the wanted one."""
    found: dict[Subscription, Any] = {}
    async with asyncio.timeout(SECONDS):
        while len(found) < len(wanted):
            told: Any = await websocket.recv()
            for subscription, is_it in wanted.items():
                same = told.subscription == subscription.subscription_id
                if same and subscription not in found and is_it(told.result):
                    found[subscription] = told.result
    return found


def _any(_: Any) -> bool:
    return True


def test_accounts_programs_logs_and_blocks(net: Localnet) -> None:
    async def work() -> None:
        key = Keypair().pubkey()
        async with client(net) as websocket, AsyncClient(net.url) as rpc:
            account = await websocket.account_subscribe(
                pubkey=key, commitment=Confirmed, encoding="base64"
            )
            program = await websocket.program_subscribe(
                program_id=SYSTEM, commitment=Confirmed, encoding="base64", filters=[0]
            )
            other = await websocket.program_subscribe(
                program_id=SYSTEM,
                commitment=Processed,
                encoding="base64",
                filters=[MemcmpOpts(offset=0, bytes="2")],
            )
            mentions = RpcTransactionLogsFilterMentions(key)
            logs = await websocket.logs_subscribe(filter_=mentions, commitment=Confirmed)
            block = await websocket.block_subscribe(
                filter_=RpcBlockSubscribeFilterMentions(key),
                commitment=Confirmed,
                encoding="json",
                max_supported_transaction_version=1,
            )
            name = (await rpc.request_airdrop(key, SOL)).value
            heard = await _heard(
                websocket,
                {
                    account: _any,
                    program: lambda result: bool(result.value.pubkey == key),
                    logs: _any,
                    block: _any,
                },
            )
            assert heard[account].value.lamports == SOL
            assert heard[account].value.owner == SYSTEM
            assert heard[program].value.account == heard[account].value
            assert heard[logs].value.signature == name
            assert heard[logs].value.err is None
            shown = heard[block].value
            assert shown.err is None
            assert [item.transaction.signatures for item in shown.block.transactions] == [[name]]
            slots = {heard[subscription].context.slot for subscription in (account, logs, block)}
            assert slots == {shown.slot}
            for subscription in (account, program, other, logs, block):
                await websocket.unsubscribe(subscription)

    in_loop(work)


def test_signatures_at_every_commitment(net: Localnet) -> None:
    async def work() -> None:
        payer = net.funded()
        async with client(net) as websocket:
            name = Signature.from_string(net.pay(payer, Pubkey.new_unique(), SOL))
            asked = [
                await websocket.signature_subscribe(signature=name, commitment=commitment)
                for commitment in (Processed, Confirmed, Finalized)
            ]
            heard = await _heard(websocket, dict.fromkeys(asked, _any))
            assert [heard[subscription].value.err for subscription in asked] == [None] * 3
            assert net.status(str(name))["confirmationStatus"] == "finalized"

    in_loop(work)


def test_slots_roots_and_their_updates(net: Localnet) -> None:
    async def work() -> None:
        async with client(net) as websocket:
            slot = await websocket.slot_subscribe()
            root = await websocket.root_subscribe()
            updates = await websocket.slots_updates_subscribe()
            heard = await _heard(websocket, dict.fromkeys((slot, root, updates), _any))
            assert heard[slot].parent == heard[slot].slot - 1
            assert heard[root] < heard[slot].slot + 200
            assert heard[updates].slot >= heard[slot].root
            with pytest.raises(SolanaJsonRpcError, match="Method not found"):
                await websocket.vote_subscribe()

    in_loop(work)
