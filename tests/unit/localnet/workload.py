"""Everything that people do with a chain, at random and the same again for the same seed."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from pathlib import Path

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.system_program import (
    AdvanceNonceAccountParams,
    TransferParams,
    advance_nonce_account,
    create_nonce_account,
    transfer,
)
from solders.transaction import VersionedTransaction
from tests.integration.localnet import loader
from tests.unit.localnet.support import SOL

from cbctl.localnet.bank import Bank
from cbctl.localnet.history import Landed

ELF = (Path(__file__).parents[3] / "programs/crypto_bet/artifacts/crypto_bet.so").read_bytes()
TABLES = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
ASSOCIATED = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")


class Twins:
    """One chain or several that should stay the same: all get the same transactions."""

    def __init__(self, *banks: Bank) -> None:
        self.banks = banks
        self.keys: set[Pubkey] = set()

    @property
    def bank(self) -> Bank:
        return self.banks[0]

    def rent(self, length: int) -> int:
        return self.bank.vm.rent_exempt_minimum(length)

    def run(self, instructions: Sequence[Instruction], *signers: Keypair, **_: object) -> str:
        self.bank.tick()
        blockhash = self.bank.hashes.at(self.bank.slot)
        message = Message.new_with_blockhash(list(instructions), signers[0].pubkey(), blockhash)
        return self.send(VersionedTransaction(message, list(signers)))

    def send(self, transaction: VersionedTransaction) -> str:
        results = [bank.submit(transaction) for bank in self.banks]
        first = results[0]
        for other in results[1:]:
            if isinstance(first, Landed):
                other = other._replace(place=first.place) if isinstance(other, Landed) else other
            assert other == first
        if isinstance(first, Landed):
            self.keys.update(first.outcome.keys)
        return str(transaction.signatures[0])

    def assert_equal(self) -> None:
        """All accounts that were ever named, and all that the loaders and the chain itself own."""
        for bank in self.banks:
            bank.tick()
        first = self.banks[0]
        for other in self.banks[1:]:
            assert other.genesis == first.genesis
            assert (other.slot, other.unix_time) == (first.slot, first.unix_time)
            for key in self.keys:
                # Not compared in the assertion: pytest would print megabytes.
                same = other.vm.account(key) == first.vm.account(key)
                assert same, key
            for owner in (loader.LOADER, Pubkey.default(), TOKEN, TABLES, *_SYSVAR_OWNERS):
                same = other.vm.program_accounts(owner) == first.vm.program_accounts(owner)
                assert same, owner


_SYSVAR_OWNERS = (
    Pubkey.from_string("Sysvar1111111111111111111111111111111111111"),
    Pubkey.from_string("Feature111111111111111111111111111111111111"),
)


class Workload:
    """Acts on chains; it remembers what it made there."""

    def __init__(self, seed: int, twins: Twins) -> None:
        self.random = random.Random(seed)
        self.twins = twins
        self.payer = self.key()
        twins.banks[0].tick()
        self.nonces: list[Pubkey] = []
        self.programs: list[Keypair] = []
        self.tables: list[tuple[Pubkey, Pubkey]] = []
        self.mints: list[Pubkey] = []
        self.people = [self.key() for _ in range(5)]
        self._airdrop(self.payer.pubkey(), 100_000 * SOL)

    def key(self) -> Keypair:
        return Keypair.from_seed(self.random.randbytes(32))

    def act(self, count: int) -> None:
        """So many random things, slots pass in between if the caller lets them."""
        for _ in range(count):
            self.random.choice(self.acts)(self)

    def _airdrop(self, to: Pubkey, lamports: int) -> None:
        for bank in self.twins.banks:
            bank.airdrop(to, lamports)

    def pay(self) -> None:
        """Sometimes more than there is."""
        to = self.random.choice(self.people).pubkey()
        self.twins.run([pay(self.payer, to, self.random.randrange(1, 200_000) * SOL)], self.payer)

    def pay_back(self) -> None:
        """Whoever has nothing yet cannot even pay the fee."""
        person = self.random.choice(self.people)
        self.twins.run([pay(person, self.payer.pubkey(), SOL)], person)

    def empty(self) -> None:
        """An account that ends with nothing is gone."""
        person = self.random.choice(self.people)
        rest = self.twins.bank.vm.balance(person.pubkey()) - 5_000
        if rest > 0:
            self.twins.run([pay(person, self.payer.pubkey(), rest)], person)

    def make_nonce(self) -> None:
        nonce = self.key()
        make = create_nonce_account(self.payer.pubkey(), nonce.pubkey(), self.payer.pubkey(), SOL)
        self.twins.run(list(make), self.payer, nonce)
        self.nonces.append(nonce.pubkey())

    def use_nonce(self) -> None:
        """Also again in the same slot, and also for what fails."""
        if not self.nonces:
            return self.make_nonce()
        nonce = self.random.choice(self.nonces)
        lamports = self.random.choice([1, 10**9]) * SOL
        paid = pay(self.payer, self.random.choice(self.people).pubkey(), lamports)
        account = self.twins.bank.vm.account(nonce)
        if account is not None:
            value = Hash(bytes(account.data[40:72]))
            steps = [_advance(nonce, self.payer.pubkey()), paid]
            message = Message.new_with_blockhash(steps, self.payer.pubkey(), value)
            self.twins.send(VersionedTransaction(message, [self.payer]))
        return None

    def advance_nonce(self) -> None:
        if self.nonces:
            nonce = self.random.choice(self.nonces)
            self.twins.run([_advance(nonce, self.payer.pubkey())], self.payer)

    def deploy(self) -> None:
        program = self.key()
        buffer = self._upload()
        deploy = loader.deploy_instructions(
            self.twins, self.payer, program.pubkey(), buffer, len(ELF) + 20_480
        )
        self.twins.run(deploy, self.payer, program)
        self.programs.append(program)
        self.call()

    def _upload(self) -> Pubkey:
        buffer = self.key()
        size = 37 + len(ELF)
        create, initialize = loader.buffer_instructions(self.twins, self.payer, buffer, size)
        self.twins.run([create, initialize], self.payer, buffer)
        for write in loader.write_instructions(self.payer, buffer.pubkey(), ELF):
            self.twins.run([write], self.payer)
        return buffer.pubkey()

    def call(self) -> None:
        if self.programs:
            program = self.random.choice(self.programs).pubkey()
            self.twins.run([loader.call_instruction(program, self.payer.pubkey())], self.payer)

    def upgrade(self) -> None:
        if self.programs:
            program = self.random.choice(self.programs).pubkey()
            upgrade = loader.upgrade_instruction(program, self._upload(), self.payer.pubkey())
            self.twins.run([upgrade], self.payer)
            self.call()

    def close(self) -> None:
        if self.programs and self.random.random() < 0.5:
            program = self.random.choice(self.programs).pubkey()
            self.twins.run([loader.close_instruction(program, self.payer.pubkey())], self.payer)
            self.call()

    def use_table(self) -> None:
        owner = self.payer.pubkey()
        if not self.tables:
            recent = self.twins.bank.tick() - 1
            seeds = [bytes(owner), struct.pack("<Q", recent)]
            table, bump = Pubkey.find_program_address(seeds, TABLES)
            accounts = [
                AccountMeta(table, False, True),
                AccountMeta(owner, True, False),
                AccountMeta(owner, True, True),
                AccountMeta(Pubkey.default(), False, False),
            ]
            to = self.people[0].pubkey()
            create = Instruction(TABLES, struct.pack("<IQB", 0, recent, bump), accounts)
            extend = Instruction(TABLES, struct.pack("<IQ", 2, 1) + bytes(to), accounts)
            self.twins.run([create, extend], self.payer)
            self.tables.append((table, to))
        table, to = self.tables[0]
        blockhash = self.twins.bank.hashes.at(self.twins.bank.slot)
        known = AddressLookupTableAccount(table, [to])
        message = MessageV0.try_compile(owner, [pay(self.payer, to, SOL)], [known], blockhash)
        self.twins.send(VersionedTransaction(message, [self.payer]))

    def token(self) -> None:
        """The associated token program calls the token program."""
        if not self.mints:
            mint, size = self.key(), 82
            create = loader.create(self.twins, self.payer, mint.pubkey(), size, TOKEN)
            data = b"\x14\x06" + bytes(self.payer.pubkey()) + b"\x00"
            initialize = Instruction(TOKEN, data, [AccountMeta(mint.pubkey(), False, True)])
            self.twins.run([create, initialize], self.payer, mint)
            self.mints.append(mint.pubkey())
        mint_key, owner = self.mints[0], self.random.choice(self.people).pubkey()
        seeds = [bytes(owner), bytes(TOKEN), bytes(mint_key)]
        address, _ = Pubkey.find_program_address(seeds, ASSOCIATED)
        accounts = [
            AccountMeta(self.payer.pubkey(), True, True),
            AccountMeta(address, False, True),
            AccountMeta(owner, False, False),
            AccountMeta(mint_key, False, False),
            AccountMeta(Pubkey.default(), False, False),
            AccountMeta(TOKEN, False, False),
        ]
        self.twins.run([Instruction(ASSOCIATED, b"\x01", accounts)], self.payer)

    acts = (
        *(pay, pay, pay_back, empty, make_nonce, use_nonce, use_nonce, advance_nonce),
        *(deploy, call, call, upgrade, close, use_table, token),
    )


def pay(payer: Keypair, to: Pubkey, lamports: int) -> Instruction:
    return transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports))


def _advance(nonce: Pubkey, authority: Pubkey) -> Instruction:
    return advance_nonce_account(
        AdvanceNonceAccountParams(nonce_pubkey=nonce, authorized_pubkey=authority)
    )
