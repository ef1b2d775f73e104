"""A platform with markets, and everybody who has something to do with them.

The same calls serve Degen and Stable markets: each person has a token account beside the wallet.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from solders.account import Account
from solders.clock import Clock
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.unit.programs import markets, tokens
from tests.unit.programs.crypto_bet import (
    ELF,
    Config,
    Platform,
    Scope,
    Settings,
    config_address,
    emergency_pause,
    initialize_program,
    read_config,
)
from tests.unit.programs.markets import Addresses, Kind, Market, Position, Side, Terms
from tests.unit.programs.svm import Chain, Outcome, Program

HOUR = 3_600
BET = 10_000_000


@dataclass
class House:
    chain: Chain
    program: Program
    settings: Settings
    authority: Keypair
    resolver: Keypair
    guardian: Keypair
    treasury: Pubkey
    mint: Pubkey
    anybody: Keypair
    purses: dict[Pubkey, Pubkey] = field(default_factory=dict)
    """token account of each person"""
    markets_made: int = 0

    @staticmethod
    def build(chain: Chain, elf: bytes | None = None, **changes: object) -> House:
        program = chain.deploy(elf or ELF.read_bytes(), chain.funded(), chain.key())
        resolver, guardian, anybody = chain.funded(), chain.funded(), chain.funded()
        treasury, mint = chain.funded(), chain.key().pubkey()
        tokens.put_mint(chain, mint)
        settings = Settings(
            resolver=resolver.pubkey(),
            guardian=guardian.pubkey(),
            treasury=treasury.pubkey(),
            usdc_mint=mint,
        ).but(**changes)
        chain.must([initialize_program(program, settings)], program.upgrade_authority)
        house = House(
            chain,
            program,
            settings,
            program.upgrade_authority,
            resolver,
            guardian,
            treasury.pubkey(),
            mint,
            anybody,
        )
        house.purse(treasury.pubkey())
        return house

    @property
    def platform(self) -> Platform:
        return Platform(self.program, self.settings, self.authority, self.guardian, self.chain)

    @property
    def config(self) -> Config:
        return read_config(self.chain.data(config_address(self.program.id)))

    def forge(self, address: Pubkey, offset: int, content: bytes) -> None:
        """Overwrites bytes of an account behind the program's back."""
        account = self.chain.account(address)
        assert account is not None
        data = bytes(account.data)
        changed = data[:offset] + content + data[offset + len(content) :]
        self.chain.vm.set_account(address, Account(account.lamports, changed, account.owner))

    def rob(self, at: Addresses, side: int, amount: int) -> None:
        """Takes money out of a vault behind the program's back; a negative amount is a gift."""
        vault = at.vault(side)
        if at.kind == Kind.STABLE:
            left = tokens.balance(self.chain, vault) - amount
            self.forge(vault, 64, left.to_bytes(8, "little"))
            return
        account = self.chain.account(vault)
        assert account is not None
        self.chain.vm.set_account(
            vault, Account(account.lamports - amount, account.data, account.owner)
        )

    def pause(self, scope: Scope) -> None:
        instruction = emergency_pause(self.program, self.authority.pubkey(), scope)
        self.must(instruction, self.authority)

    # -- people and time

    def person(self, lamports: int = 10**12, token: int = 10**12) -> Keypair:
        keypair = self.chain.funded(lamports)
        self.purse(keypair.pubkey(), token)
        return keypair

    def purse(self, owner: Pubkey, amount: int = 0) -> Pubkey:
        if owner not in self.purses:
            self.purses[owner] = tokens.put_account(self.chain, self.mint, owner, amount)
        return self.purses[owner]

    def money(self, kind: Kind, owner: Pubkey) -> int:
        if kind == Kind.STABLE:
            return tokens.balance(self.chain, self.purse(owner))
        return self.chain.vm.get_balance(owner) or 0

    @property
    def now(self) -> int:
        return self.chain.vm.get_clock().unix_timestamp

    def move_clock(self, to: int) -> None:
        clock = self.chain.vm.get_clock()
        self.chain.vm.set_clock(
            Clock(
                clock.slot,
                clock.epoch_start_timestamp,
                clock.epoch,
                clock.leader_schedule_epoch,
                to,
            )
        )

    # -- markets

    def terms(self) -> Terms:
        return Terms(self.now + 2 * HOUR, self.now + 3 * HOUR)

    def new(self, kind: Kind = Kind.DEGEN, authority: Keypair | None = None) -> Addresses:
        """A market that takes bets."""
        owner = authority or self.anybody
        self.markets_made += 1
        at = Addresses.of(self.program.id, self.markets_made, owner.pubkey(), kind)
        self.must(markets.create_market(at, self.markets_made, self.terms(), self.mint), owner)
        return replace(at, terms_version=self.market(at).terms_version)

    def market(self, at: Addresses) -> Market:
        return markets.read_market(self.chain.data(at.market))

    def position(self, at: Addresses, user: Pubkey) -> Position:
        return markets.read_position(self.chain.data(at.position(user)))

    def send(self, instruction: Instruction, *signers: Keypair) -> Outcome:
        """Anybody pays the fee of the transaction, so that balances show money alone."""
        return self.chain.send([instruction], self.anybody, *_others(self.anybody, signers))

    def must(self, instruction: Instruction, *signers: Keypair) -> Outcome:
        return self.chain.must([instruction], self.anybody, *_others(self.anybody, signers))

    def bet(self, at: Addresses, user: Keypair, side: Side, amount: int = BET) -> None:
        token = self.purse(user.pubkey())
        self.must(markets.place_bet(at, user.pubkey(), side, amount, token=token), user)

    def propose(self, at: Addresses, side: Side) -> None:
        self.move_clock(max(self.now, self.market(at).resolution_time))
        self.must(markets.resolve_market(at, self.resolver.pubkey(), side), self.resolver)

    def finalize(self, at: Addresses) -> Outcome:
        market = self.market(at)
        self.move_clock(market.state_since + market.dispute_window)
        return self.must(markets.finalize_market(at, self.anybody.pubkey()))

    def resolve(self, at: Addresses, side: Side) -> None:
        self.propose(at, side)
        self.finalize(at)

    def cancel(self, at: Addresses) -> None:
        self.must(markets.cancel_market(at, self.authority.pubkey()), self.authority)

    def claim(self, at: Addresses, user: Pubkey, side: Side) -> Outcome:
        return self.send(markets.claim_winnings(at, user, side, self.purse(user)))

    def refund(self, at: Addresses, user: Pubkey) -> Outcome:
        return self.send(markets.claim_refund(at, user, self.purse(user)))

    def withdraw_fees(self, at: Addresses, loser: Side) -> Outcome:
        token = self.purse(self.treasury)
        return self.send(markets.withdraw_fees(at, self.treasury, loser, token))

    def sweep(self, at: Addresses) -> Outcome:
        token = self.purse(self.treasury)
        instruction = markets.sweep_market(at, self.authority.pubkey(), self.treasury, token)
        return self.send(instruction, self.authority)

    def close_position(self, at: Addresses, user: Pubkey) -> Outcome:
        return self.send(markets.close_position(at, user))

    def held(self, at: Addresses, side: int) -> int:
        """What a vault holds beside its rent."""
        if at.kind == Kind.STABLE:
            return tokens.balance(self.chain, at.vault(side))
        balance = self.chain.vm.get_balance(at.vault(side)) or 0
        return balance - self.chain.rent(0)


def _others(payer: Keypair, signers: tuple[Keypair, ...]) -> list[Keypair]:
    return [one for one in signers if one != payer]
