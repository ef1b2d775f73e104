"""The instructions and states against the loader's own code, in LiteSVM."""

from __future__ import annotations

from pathlib import Path

import pytest
from solders.account import Account
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata

from cbctl.clients.solana import buffer, loader
from cbctl.clients.solana import elf as elves
from cbctl.clients.solana.buffer import Place, Terms, creation
from cbctl.clients.solana.final import _program_account
from cbctl.clients.solana.onchain import judge
from cbctl.clients.solana.transaction import LEGACY_SIZE, V1_SIZE, Limits, sign
from cbctl.clients.solana.types import Account as Ours

ARTIFACT = Path(__file__).parents[4] / "programs/crypto_bet/artifacts/crypto_bet.so"


class Chain:
    def __init__(self) -> None:
        self.svm = (
            LiteSVM.default()
            .with_feature_set(LiteSVM.mainnet_feature_set())
            .with_builtins()
            .with_sysvars()
            .with_feature_accounts()
        )
        self.payer, self.program = Keypair(), Keypair()
        self.svm.set_account(self.payer.pubkey(), Account(10**15, b"", SYSTEM, False, 0))

    @property
    def key(self) -> Pubkey:
        return self.payer.pubkey()

    def send(
        self, *instructions: Instruction, signers: tuple[Keypair, ...] = (), v1: bool = False
    ) -> str | None:
        """The error, None when it succeeded."""
        self.svm.expire_blockhash()
        limits = Limits(10_000, 1 << 20) if v1 else None
        blockhash = str(self.svm.latest_blockhash())
        signed = sign(instructions, self.payer, signers, blockhash, limits)
        assert len(signed.wire) <= (V1_SIZE if v1 else LEGACY_SIZE)
        result = self.svm.send_transaction(VersionedTransaction.from_bytes(signed.wire))
        return str(result.err()) if isinstance(result, FailedTransactionMetadata) else None

    def rent(self, size: int) -> int:
        return self.svm.minimum_balance_for_rent_exemption(size)

    def next_slot(self) -> None:
        self.svm.warp_to_slot(self.svm.get_clock().slot + 1)

    def account(self, key: Pubkey) -> Ours | None:
        found = self.svm.get_account(key)
        if found is None or not found.lamports:
            return None
        return Ours(found.lamports, found.owner, bytes(found.data), found.executable)

    def fill(self, data: bytes, lamports: int = 0) -> Pubkey:
        """A buffer at its seeded address, written by v1 transactions."""
        elf = elves.parse(data)
        seed = loader.buffer_seed(self.program.pubkey(), elf.sha256, 0)
        address = loader.buffer_address(self.key, seed)
        if lamports:
            self.svm.set_account(address, Account(lamports, b"", SYSTEM, False, 0))
        size = loader.BUFFER_HEADER + elf.size
        place = Place(address, seed, lamports, None)
        make = creation(place, Terms(self.key, self.key, self.rent(size), v1=True), elf.size)
        assert self.send(*make) is None
        step = loader.WRITE_PAYLOAD
        for start in range(0, len(data), 3 * step):
            writes = [
                loader.write(address, self.key, at, data[at : at + step])
                for at in range(start, min(start + 3 * step, len(data)), step)
            ]
            assert self.send(*writes, v1=True) is None
        made = self.account(address)
        assert made is not None
        assert buffer.ours(made, self.key, elf)
        assert loader.parse(made.data) == loader.Buffer(self.key, data)
        return address

    def deploy(self, data: bytes, max_len: int) -> None:
        place = self.fill(data)
        instructions = (
            *_program_account(self.key, self.program.pubkey(), self.rent(36), 0),
            loader.deploy(self.key, self.program.pubkey(), place, self.key, max_len),
        )
        assert self.send(*instructions, signers=(self.program,)) is None
        assert self.account(place) is None


@pytest.fixture
def chain() -> Chain:
    return Chain()


@pytest.fixture(scope="module")
def data() -> bytes:
    return ARTIFACT.read_bytes()


def state(chain: Chain) -> loader.ProgramData:
    program = chain.program.pubkey()
    account = chain.account(program)
    assert account is not None
    found = loader.parse(account.data)
    assert found == loader.Program(loader.programdata_address(program))
    holder = chain.account(loader.programdata_address(program))
    assert holder is not None
    code = loader.parse(holder.data)
    assert isinstance(code, loader.ProgramData)
    return code


def test_deploy_extend_upgrade_and_hand_over(chain: Chain, data: bytes) -> None:
    chain.deploy(data, len(data) + 100)
    code = state(chain)
    assert code.elf == data + bytes(100)
    assert code.authority == chain.key
    assert code.slot == chain.svm.get_clock().slot

    longer = data + b"\1" * 5_000
    program = chain.program.pubkey()
    additional = loader.extension(len(code.elf), len(longer))
    assert additional == loader.LEAST_EXTENSION
    chain.next_slot()
    assert chain.send(loader.extend(program, additional - 1, chain.key)) is not None
    assert chain.send(loader.extend(program, additional, chain.key)) is None
    place = chain.fill(longer)
    upgrade = loader.upgrade(program, place, chain.key, chain.key)
    assert chain.send(upgrade) is not None  # in the slot of the extension
    chain.next_slot()
    assert chain.send(upgrade) is None
    assert state(chain).elf.rstrip(b"\0") == longer
    assert len(state(chain).elf) == len(data) + 100 + additional

    address = loader.programdata_address(program)
    assert chain.send(loader.set_authority(address, chain.key, None)) is None
    assert state(chain).authority is None
    assert state(chain).elf.rstrip(b"\0") == longer  # the ELF starts at byte 45 all the same


def test_prefunded_addresses(chain: Chain, data: bytes) -> None:
    place = chain.fill(data, lamports=5_000_000)
    program = chain.program.pubkey()
    chain.svm.set_account(program, Account(1_000_000, b"", SYSTEM, False, 0))
    instructions = (
        *_program_account(chain.key, program, chain.rent(36), 1_000_000),
        loader.deploy(chain.key, program, place, chain.key, len(data)),
    )
    assert chain.send(*instructions, signers=(chain.program,)) is None
    assert state(chain).elf == data


def test_abandoned_buffer_gives_its_money_back(chain: Chain, data: bytes) -> None:
    place = chain.fill(data)
    held, before = chain.account(place), chain.svm.get_balance(chain.key)
    assert held is not None and before is not None
    assert chain.send(loader.close_buffer(place, chain.key, chain.key)) is None
    assert chain.svm.get_balance(chain.key) == before + held.lamports - 5_000
    assert chain.account(place) is None


def test_largest_writes(chain: Chain, data: bytes) -> None:
    place = chain.fill(data)
    chunk = buffer.legacy_chunk(place, chain.key, chain.key)
    assert chunk == 1_012
    assert chain.send(loader.write(place, chain.key, 0, data[:chunk])) is None
    with pytest.raises(AssertionError):
        chain.send(loader.write(place, chain.key, 0, data[: chunk + 1]))


def test_two_signers_leave_room_in_both_forms() -> None:
    payer, authority, place = Keypair(), Keypair(), Keypair().pubkey()
    chunk = buffer.legacy_chunk(place, authority.pubkey(), payer.pubkey())
    assert chunk == 916
    blockhash = str(Pubkey.default())
    one = [loader.write(place, authority.pubkey(), 0, bytes(chunk))]
    assert len(sign(one, payer, (authority,), blockhash).wire) == LEGACY_SIZE
    three = [loader.write(place, authority.pubkey(), 0, bytes(loader.WRITE_PAYLOAD))] * 3
    wire = sign(three, payer, (authority,), blockhash, Limits(7_110, 1 << 20)).wire
    assert len(wire) <= V1_SIZE


def test_seeds_differ_by_program_file_and_nonce() -> None:
    first, second = Keypair().pubkey(), Keypair().pubkey()
    seeds = {
        loader.buffer_seed(program, elf, nonce)
        for program in (first, second)
        for elf in ("00" * 32, "11" * 32)
        for nonce in range(16)
    }
    assert len(seeds) == 64
    assert {len(seed) for seed in seeds} == {32}
    # known answer: a change would make every interrupted deploy unfindable
    assert loader.buffer_seed(Pubkey.default(), "00" * 32, 3) == "dfe913195e9010ef84ebe90d45c60003"


@pytest.mark.parametrize(
    ("capacity", "needed", "additional"),
    [
        (100, 100, 0),
        (100, 99, 0),
        (100, 101, 10_240),
        (100, 10_340, 10_240),
        (100, 10_341, 10_241),
        (10 * 1024 * 1024 - 45 - 9, 10 * 1024 * 1024 - 45, 9),
    ],
)
def test_extension(capacity: int, needed: int, additional: int) -> None:
    assert loader.extension(capacity, needed) == additional


@pytest.mark.parametrize("raw", [b"", b"\1", b"\1\0\0\0", b"\3\0\0\0" + bytes(40), b"\x09" * 50])
def test_data_of_no_known_form(raw: bytes) -> None:
    assert loader.parse(raw) is None


def test_what_may_lie_at_a_programs_address() -> None:
    program = Keypair().pubkey()
    address = loader.programdata_address(program)
    paid = Ours(1, SYSTEM, b"", False)
    code = Ours(1, loader.LOADER, b"\2\0\0\0" + bytes(address), True)
    token = Ours(1, Keypair().pubkey(), bytes(36), False)
    alive = Ours(1, loader.LOADER, b"\3\0\0\0" + bytes(41) + b"ELF", False)
    emptied = Ours(1, loader.LOADER, bytes(4), False)
    assert judge(None, None, 1).state == "absent"
    assert judge(paid, None, 1).state == "absent"
    assert judge(None, paid, 1).state == "spoiled"
    assert judge(token, None, 1).state == "foreign"
    assert judge(alive, None, 1).state == "foreign"
    assert judge(code, None, 1).state == "closed"
    assert judge(code, emptied, 1).state == "closed"
    assert judge(code, alive, 1).state == "deployed"
    assert judge(code, alive, 1).authority is None
