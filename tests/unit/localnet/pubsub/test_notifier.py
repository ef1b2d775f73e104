"""From the chain to those who listen: what they are told, when, and what bounds it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import (
    CreateAccountParams,
    TransferParams,
    create_account,
    transfer,
)
from solders.transaction import VersionedTransaction
from tests.unit.localnet.pubsub.listening import Ear, Run, Station

from cbctl.localnet import snapshots
from cbctl.localnet.bank import Bank
from cbctl.localnet.errors import RpcError
from cbctl.localnet.history import Landed
from cbctl.localnet.pubsub import notifier as notifier_module
from cbctl.localnet.pubsub.methods import Calls
from cbctl.localnet.slots import FIRST_SLOT
from cbctl.localnet.transactions import VOTE_PROGRAM

SOL = 1_000_000_000
SYSTEM = "11111111111111111111111111111111"


def _send(bank: Bank, payer: Keypair, *instructions: Any, also: tuple[Keypair, ...] = ()) -> Landed:
    bank.tick()
    message = Message.new_with_blockhash(
        list(instructions), payer.pubkey(), bank.hashes.at(bank.slot)
    )
    landed = bank.submit(VersionedTransaction(message, [payer, *also]))
    assert isinstance(landed, Landed)
    return landed


def _funded(bank: Bank) -> Keypair:
    payer = Keypair()
    bank.airdrop(payer.pubkey(), 100 * SOL)
    return payer


def _pay(payer: Keypair, to: Pubkey, lamports: int) -> Any:
    return transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports))


def _lamports(results: list[Any]) -> list[int]:
    return [item["value"]["lamports"] for item in results]


def test_an_account_is_told_of_at_each_commitment_when_it_is_due(run: Run) -> None:
    async def work(tuned: Station) -> None:
        key = Pubkey.new_unique()
        ids = {
            commitment: tuned.subscribe("account", str(key), {"commitment": commitment})
            for commitment in ("processed", "confirmed", "finalized")
        }

        def heard() -> dict[str, list[int]]:
            return {name: _lamports(tuned.ear.results(number)) for name, number in ids.items()}

        slot = tuned.bank.tick()
        tuned.bank.airdrop(key, SOL)
        tuned.bank.airdrop(key, 2 * SOL)
        await tuned.told()
        # Each change at once; later the slot's last state, once.
        assert heard() == {"processed": [SOL, 3 * SOL], "confirmed": [], "finalized": []}
        await tuned.slots(1)
        assert heard()["confirmed"] == []  # a power cut could still take it back
        tuned.to_disk()
        await tuned.told()
        assert heard()["confirmed"] == [3 * SOL]
        await tuned.slots(30)
        assert heard()["finalized"] == []
        await tuned.slots(1)
        assert heard() == {
            "processed": [SOL, 3 * SOL],
            "confirmed": [3 * SOL],
            "finalized": [3 * SOL],
        }
        for number in ids.values():
            assert {item["context"]["slot"] for item in tuned.ear.results(number)} == {slot}
        await tuned.slots(40)
        assert [len(item) for item in heard().values()] == [2, 1, 1]

    run(work)


def test_a_later_commitment_sees_each_slot_as_it_was(run: Run) -> None:
    async def work(tuned: Station) -> None:
        key = Pubkey.new_unique()
        final = tuned.subscribe("account", str(key))  # finalized, as on a validator
        for _ in range(3):
            tuned.bank.airdrop(key, SOL)
            await tuned.slots(1)
        tuned.to_disk()
        await tuned.slots(40)
        results = tuned.ear.results(final)
        assert _lamports(results) == [SOL, 2 * SOL, 3 * SOL]
        slots = [item["context"]["slot"] for item in results]
        assert slots == [FIRST_SLOT, FIRST_SLOT + 1, FIRST_SLOT + 2]

    run(work)


def test_a_closed_account_is_told_as_empty(run: Run) -> None:
    async def work(tuned: Station) -> None:
        payer, poor = _funded(tuned.bank), Keypair()
        tuned.bank.airdrop(poor.pubkey(), SOL)
        number = tuned.subscribe(
            "account", str(poor.pubkey()), {"commitment": "processed", "encoding": "base64"}
        )
        away = _pay(poor, Pubkey.new_unique(), SOL)
        _send(tuned.bank, payer, away, also=(poor,))
        await tuned.told()
        [told] = tuned.ear.results(number)
        assert told["value"]["lamports"] == 0
        assert told["value"]["data"] == ["", "base64"]
        assert told["value"]["owner"] == SYSTEM

    run(work)


def test_only_the_payer_of_a_failed_transaction_has_changed(run: Run) -> None:
    async def work(tuned: Station) -> None:
        payer, to = _funded(tuned.bank), Pubkey.new_unique()
        config = {"commitment": "processed"}
        ids = [tuned.subscribe("account", str(key), config) for key in (payer.pubkey(), to)]
        landed = _send(tuned.bank, payer, _pay(payer, to, 1_000 * SOL))
        assert landed.outcome.error is not None
        await tuned.told()
        assert [len(tuned.ear.results(number)) for number in ids] == [1, 0]
        assert _lamports(tuned.ear.results(ids[0])) == [100 * SOL - 5_000]

    run(work)


def test_accounts_that_a_transaction_only_reads_are_not_told(run: Run) -> None:
    async def work(tuned: Station) -> None:
        payer = _funded(tuned.bank)
        number = tuned.subscribe("account", SYSTEM, {"commitment": "processed"})
        _send(tuned.bank, payer, _pay(payer, Pubkey.new_unique(), SOL))
        await tuned.told()
        assert tuned.ear.results(number) == []

    run(work)


def test_a_program_s_accounts_are_filtered(run: Run) -> None:
    async def work(tuned: Station) -> None:
        payer, owner = _funded(tuned.bank), Pubkey.new_unique()
        config = {"commitment": "processed", "encoding": "base64"}
        every = tuned.subscribe("program", str(owner), config)
        sized = tuned.subscribe("program", str(owner), {**config, "filters": [{"dataSize": 9}]})
        at_two = {"memcmp": {"offset": 2, "bytes": "1"}}  # a zero byte
        both = [{"dataSize": 9}, at_two]
        zero = tuned.subscribe("program", str(owner), {**config, "filters": both})
        one = {"memcmp": {"offset": 2, "bytes": "2"}}
        none = tuned.subscribe("program", str(owner), {**config, "filters": [one]})
        made = []
        for space in (9, 10):
            account = Keypair()
            made.append(str(account.pubkey()))
            create = CreateAccountParams(
                from_pubkey=payer.pubkey(),
                to_pubkey=account.pubkey(),
                lamports=SOL,
                space=space,
                owner=owner,
            )
            _send(tuned.bank, payer, create_account(create), also=(account,))
        await tuned.told()

        def keys(number: int) -> list[str]:
            return [item["value"]["pubkey"] for item in tuned.ear.results(number)]

        assert [keys(number) for number in (every, sized, zero, none)] == [
            made,
            made[:1],
            made[:1],
            [],
        ]
        assert tuned.ear.results(every)[0]["value"]["account"]["space"] == 9

    run(work)


def test_base58_says_in_the_data_that_an_account_is_too_large(run: Run) -> None:
    async def work(tuned: Station) -> None:
        payer, account = _funded(tuned.bank), Keypair()
        processed = {"commitment": "processed"}
        plain = tuned.subscribe("account", str(account.pubkey()), processed)
        named = tuned.subscribe(
            "account", str(account.pubkey()), {**processed, "encoding": "base58"}
        )
        create = CreateAccountParams(
            from_pubkey=payer.pubkey(),
            to_pubkey=account.pubkey(),
            lamports=SOL,
            space=129,
            owner=Pubkey.new_unique(),
        )
        _send(tuned.bank, payer, create_account(create), also=(account,))
        await tuned.told()
        sentence = "error: data too large for bs58 encoding"
        values = [tuned.ear.results(number)[0]["value"] for number in (plain, named)]
        assert [item["data"] for item in values] == [sentence, [sentence, "base58"]]
        assert {(item["space"], item["lamports"]) for item in values} == {(129, SOL)}

    run(work)


def test_logs_of_all_of_those_that_mention_somebody_and_of_failures(run: Run) -> None:
    async def work(tuned: Station) -> None:
        payer, to = _funded(tuned.bank), Pubkey.new_unique()
        await tuned.told()
        processed = {"commitment": "processed"}
        every = tuned.subscribe("logs", "all", processed)
        votes = tuned.subscribe("logs", "allWithVotes", processed)
        about = tuned.subscribe("logs", {"mentions": [str(to)]}, processed)
        confirmed = tuned.subscribe("logs", {"mentions": [str(to)]}, {"commitment": "confirmed"})
        first = _send(tuned.bank, payer, _pay(payer, to, SOL))
        failed = _send(tuned.bank, payer, _pay(payer, Pubkey.new_unique(), 1_000 * SOL))
        await tuned.told()

        def signatures(number: int) -> list[str]:
            return [item["value"]["signature"] for item in tuned.ear.results(number)]

        both = [first.signature, failed.signature]
        assert signatures(every) == signatures(votes) == both
        assert signatures(about) == both[:1]
        assert tuned.ear.results(every)[1]["value"]["err"] == {
            "InstructionError": [0, {"Custom": 1}]
        }
        assert tuned.ear.results(every)[0]["value"]["logs"] == [
            f"Program {SYSTEM} invoke [1]",
            f"Program {SYSTEM} success",
        ]
        assert signatures(confirmed) == []
        tuned.to_disk()
        await tuned.slots(1)
        assert signatures(confirmed) == both[:1]

    run(work)


def test_votes_are_told_to_those_who_ask_for_them(run: Run) -> None:
    async def work(tuned: Station) -> None:
        payer = _funded(tuned.bank)
        tuned.to_disk()
        await tuned.slots(1)
        asked: dict[str, list[int]] = {}
        for commitment in ("processed", "confirmed"):
            for filter_ in ("all", "allWithVotes", {"mentions": [str(payer.pubkey())]}):
                number = tuned.subscribe("logs", filter_, {"commitment": commitment})
                asked.setdefault(str(filter_)[:12], []).append(number)
        # The vote program refuses it, so it is one that failed: a vote all the same.
        vote = _send(tuned.bank, payer, Instruction(VOTE_PROGRAM, b"", []))
        tuned.to_disk()
        await tuned.slots(1)
        told = {name: [len(tuned.ear.results(n)) for n in ids] for name, ids in asked.items()}
        assert told == {"all": [0, 0], "allWithVotes": [1, 1], "{'mentions':": [1, 1]}
        assert vote.outcome.error is not None

    run(work)


def test_a_signature_is_told_once_and_is_then_over(run: Run) -> None:
    async def work(tuned: Station) -> None:
        payer = _funded(tuned.bank)
        pay = _pay(payer, Pubkey.new_unique(), SOL)
        tuned.bank.tick()
        message = Message.new_with_blockhash(
            [pay], payer.pubkey(), tuned.bank.hashes.at(tuned.bank.slot)
        )
        transaction = VersionedTransaction(message, [payer])
        name = str(transaction.signatures[0])
        received = tuned.subscribe(
            "signature", name, {"commitment": "confirmed", "enableReceivedNotification": True}
        )
        processed = tuned.subscribe("signature", name, {"commitment": "processed"})
        slot = tuned.bank.slot
        tuned.bank.submit(transaction)
        await tuned.told()
        context = {"slot": slot}
        assert tuned.ear.results(processed) == [{"context": context, "value": {"err": None}}]
        assert tuned.ear.results(received) == [{"context": context, "value": "receivedSignature"}]
        tuned.to_disk()
        await tuned.slots(1)
        assert tuned.ear.results(received)[1:] == [{"context": context, "value": {"err": None}}]
        await tuned.slots(40)
        assert len(tuned.ear.heard) == 3
        for number in (received, processed):
            with pytest.raises(RpcError, match="Invalid subscription id") as over:
                tuned.unsubscribe("signature", number)
            assert over.value.code == -32602

    run(work)


def test_a_signature_that_landed_before_is_told_when_it_is_sure_enough(run: Run) -> None:
    async def work(tuned: Station) -> None:
        name = tuned.bank.airdrop(Pubkey.new_unique(), SOL)
        processed = tuned.subscribe("signature", name, {"commitment": "processed"})
        await tuned.slots(1)
        # The slot is over and the disk has not answered: asked in exactly this moment.
        confirmed = tuned.subscribe("signature", name, {"commitment": "confirmed"})
        await tuned.told()
        assert len(tuned.ear.results(processed)) == 1
        assert tuned.ear.results(confirmed) == []
        tuned.to_disk()
        await tuned.told()
        assert len(tuned.ear.results(confirmed)) == 1
        await tuned.slots(32)
        late = tuned.subscribe("signature", name)
        await tuned.told()
        assert [item["value"] for item in tuned.ear.results(late)] == [{"err": None}]
        unknown = tuned.subscribe("signature", str(Signature.new_unique()))
        await tuned.slots(1)
        assert tuned.ear.results(unknown) == []

    run(work)


def test_slots_roots_and_their_updates(run: Run) -> None:
    async def work(tuned: Station) -> None:
        slots, roots = tuned.subscribe("slot"), tuned.subscribe("root")
        updates = tuned.subscribe("slotsUpdates")
        tuned.bank.airdrop(Pubkey.new_unique(), SOL)
        tuned.to_disk()
        await tuned.slots(1)
        assert tuned.ear.results(slots) == [
            {"parent": FIRST_SLOT, "root": FIRST_SLOT, "slot": FIRST_SLOT + 1}
        ]
        seen = tuned.ear.results(updates)
        assert [item["type"] for item in seen] == [
            "frozen",
            "createdBank",
            "optimisticConfirmation",
        ]
        assert seen[0]["stats"] == {
            "numTransactionEntries": 1,
            "numSuccessfulTransactions": 1,
            "numFailedTransactions": 0,
            "maxTransactionsPerEntry": 1,
        }
        await tuned.slots(33)
        assert [item["slot"] for item in tuned.ear.results(slots)] == list(
            range(FIRST_SLOT + 1, FIRST_SLOT + 35)
        )
        assert tuned.ear.results(roots) == [FIRST_SLOT, FIRST_SLOT + 1, FIRST_SLOT + 2]
        assert tuned.ear.results(slots)[-1]["root"] == FIRST_SLOT + 2

    run(work)


def test_a_clock_that_jumps_tells_what_was_there_and_not_every_empty_slot(run: Run) -> None:
    async def work(tuned: Station) -> None:
        slots = tuned.subscribe("slot")
        name = tuned.bank.airdrop(Pubkey.new_unique(), SOL)
        final = tuned.subscribe("signature", name)
        tuned.to_disk()
        await tuned.slots(10_000_000)
        assert len(tuned.ear.results(final)) == 1
        told = [item["slot"] for item in tuned.ear.results(slots)]
        assert told[-1] == FIRST_SLOT + 10_000_000
        assert len(told) <= 201
        await tuned.slots(1)
        assert tuned.ear.results(slots)[-1]["slot"] == FIRST_SLOT + 10_000_001

    run(work)


def test_blocks_are_told_when_they_are_confirmed(run: Run) -> None:
    async def work(tuned: Station) -> None:
        payer, to = _funded(tuned.bank), Pubkey.new_unique()
        config = {"commitment": "confirmed", "transactionDetails": "signatures"}
        every = tuned.subscribe("block", "all", config)
        about = tuned.subscribe("block", {"mentionsAccountOrProgram": str(to)}, config)
        signature = _send(tuned.bank, payer, _pay(payer, to, SOL)).signature
        slot = tuned.bank.slot
        tuned.to_disk()
        await tuned.slots(2)
        assert [item["value"]["slot"] for item in tuned.ear.results(every)] == [slot, slot + 1]
        [mentioned] = tuned.ear.results(about)
        assert mentioned["value"]["block"]["signatures"] == [signature]
        assert mentioned["value"]["err"] is None
        assert mentioned["context"] == {"slot": slot}
        first = tuned.ear.results(every)[0]["value"]["block"]
        assert len(first["signatures"]) == 2  # the airdrop too
        assert "rewards" not in first
        assert first["parentSlot"] == slot - 1

    run(work)


def test_a_block_that_the_client_cannot_read_is_told_as_an_error(run: Run) -> None:
    async def work(tuned: Station) -> None:
        payer, to = _funded(tuned.bank), Pubkey.new_unique()
        about = {"mentionsAccountOrProgram": str(to)}
        number = tuned.subscribe("block", about, {"commitment": "confirmed"})
        message = MessageV0.try_compile(
            payer.pubkey(), [_pay(payer, to, SOL)], [], tuned.bank.hashes.at(tuned.bank.slot)
        )
        tuned.bank.submit(VersionedTransaction(message, [payer]))
        tuned.to_disk()
        await tuned.slots(1)
        [told] = tuned.ear.results(number)
        assert told["value"]["block"] is None
        assert told["value"]["err"] == {"UnsupportedTransactionVersion": 0}

    run(work)


class PanicException(BaseException):
    """What pyo3 raises when Rust panics."""


def test_a_vm_that_breaks_silences_nobody(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(tuned: Station) -> None:
        slots = tuned.subscribe("slot")
        name = tuned.bank.airdrop(Pubkey.new_unique(), SOL)
        confirmed = tuned.subscribe("signature", name, {"commitment": "confirmed"})
        tuned.to_disk()

        def panic(*_: object) -> None:
            raise PanicException("index out of bounds")

        broken = tuned.bank.vm
        monkeypatch.setattr(broken, "enter", panic)
        await tuned.slots(1)
        assert tuned.bank.vm is not broken
        await tuned.told()
        assert [item["slot"] for item in tuned.ear.results(slots)] == [FIRST_SLOT + 1]
        assert len(tuned.ear.results(confirmed)) == 1

    run(work)


def test_equal_subscriptions_share_an_id_and_leave_one_by_one(run: Run) -> None:
    async def work(tuned: Station) -> None:
        other = Ear()
        key = str(Pubkey.new_unique())
        config = {"commitment": "processed"}
        mine = tuned.subscribe("account", key, config)
        assert tuned.subscribe("account", key, config) == mine
        assert Calls(tuned.bank, tuned.notifier, other)("accountSubscribe", [key, config]) == mine
        assert tuned.subscribe("account", key, {"commitment": "confirmed"}) != mine
        assert tuned.unsubscribe("account", mine) is True
        tuned.bank.airdrop(Pubkey.from_string(key), SOL)
        await tuned.told()
        assert tuned.ear.results(mine) == []
        assert len(other.results(mine)) == 1
        tuned.notifier.drop(other)
        tuned.bank.airdrop(Pubkey.from_string(key), SOL)
        await tuned.told()
        assert len(other.results(mine)) == 1

    run(work)


def test_nobody_waits_for_accounts_that_fill_the_memory(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier_module, "MAX_HELD_BYTES", 1_000_000)

    async def work(tuned: Station) -> None:
        payer, owner = _funded(tuned.bank), Pubkey.new_unique()
        number = tuned.subscribe("program", str(owner), {"encoding": "base64"})
        for count in range(3):
            account = Keypair()
            create = CreateAccountParams(
                from_pubkey=payer.pubkey(),
                to_pubkey=account.pubkey(),
                lamports=10 * SOL,
                space=400_000,
                owner=owner,
            )
            _send(tuned.bank, payer, create_account(create), also=(account,))
            await tuned.told()
            assert bool(tuned.ear.closed) is (count == 2)
        assert tuned.ear.closed == ["the accounts that wait to be confirmed are too large"]
        tuned.to_disk()
        await tuned.slots(40)
        assert tuned.ear.results(number) == []

    run(work)


def test_the_chain_waits_for_the_notifier_when_too_much_is_to_be_told(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier_module, "MAX_QUEUED_EVENTS", 3)

    async def work(tuned: Station) -> None:
        number = tuned.subscribe("logs", "all", {"commitment": "processed"})
        await tuned.told()
        for _ in range(5):
            tuned.bank.airdrop(Pubkey.new_unique(), SOL)
        waiting = asyncio.ensure_future(tuned.notifier.room())
        await asyncio.wait_for(waiting, 10)
        assert len(tuned.ear.results(number)) == 5

    run(work)


def test_with_nobody_listening_nothing_is_kept(run: Run) -> None:
    async def work(tuned: Station) -> None:
        for _ in range(5):
            tuned.bank.airdrop(Pubkey.new_unique(), SOL)
        number = tuned.subscribe("logs", "all", {"commitment": "confirmed"})
        tuned.bank.airdrop(Pubkey.new_unique(), SOL)
        assert tuned.unsubscribe("logs", number) is True
        await tuned.told()
        state = tuned.notifier
        assert (len(state._events), state._held_bytes, len(state._subscriptions)) == (0, 0, 0)

    run(work)


def test_what_a_restore_undoes_is_not_told_any_more(run: Run, tmp_path: Path) -> None:
    async def work(tuned: Station) -> None:
        bank, to = tuned.bank, Pubkey.new_unique()
        payer = _funded(bank)
        bank.save()
        snapshots.write(tmp_path / "s", bank.chain.store.head, bank.chain.store.accounts())
        confirmed = {"commitment": "confirmed"}
        account = tuned.subscribe("account", str(to), confirmed)
        undone = _send(bank, payer, _pay(payer, to, SOL))
        signature = tuned.subscribe("signature", undone.signature, confirmed)
        await tuned.told()
        snapshot = snapshots.read(tmp_path / "s")
        bank.restore(snapshot.head, snapshot.accounts)
        tuned.to_disk()
        await tuned.slots(3)
        assert tuned.ear.results(account) == []
        assert tuned.ear.results(signature) == []
        # and it goes on with what happens now
        again = _send(bank, payer, _pay(payer, to, 2 * SOL))
        tuned.to_disk()
        await tuned.slots(2)
        assert _lamports(tuned.ear.results(account)) == [2 * SOL]
        assert tuned.ear.results(account)[0]["context"]["slot"] == again.slot

    run(work)
