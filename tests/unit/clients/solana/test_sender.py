"""What the sender does when time passes: a chain of a few lines, a clock that a test moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from cbctl.clients.solana.failures import RpcRefusal, TransactionFailed, Unreachable
from cbctl.clients.solana.rpc import Rpc
from cbctl.clients.solana.sender import EXPIRY_MARGIN, STALL, Order, Sender
from cbctl.clients.solana.types import Blockhash, Position, Simulation, Status
from cbctl.errors import CbctlError, Exit

PAYER = Keypair()
LIFE = 150  # blocks


@dataclass
class Pace:
    now: float = 0.0
    fences: int = 0

    def fence(self) -> None:
        self.fences += 1

    def progress(self, message: str, done: int | None = None, total: int | None = None) -> None:
        """Nobody listens."""

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Chain(Rpc):
    """A block each 0.2 s. `land` says for the n-th send whether and how it arrives."""

    pace: Pace
    outcomes: list[Any] = field(default_factory=list)
    landed: dict[str, Status] = field(default_factory=dict)
    sends: list[tuple[str, bool]] = field(default_factory=list)
    signed: list[str] = field(default_factory=list)
    silent: list[Any] = field(default_factory=list)
    rehearsal: Any = None

    def __post_init__(self) -> None:
        Rpc.__init__(self, "http://localhost")

    def position(self) -> Position:
        height = int(self.pace.now / 0.2)
        return Position(height + 7, height)

    def blockhash(self) -> Blockhash:
        height = self.position().height
        return Blockhash(str(Hash(height.to_bytes(32, "little"))), height + LIFE)

    def send(self, wire: bytes, *, preflight: bool, once: bool = False) -> None:
        signature = str(VersionedTransaction.from_bytes(wire).signatures[0])
        self.sends.append((signature, preflight))
        if signature not in self.signed:
            self.signed.append(signature)
        outcome = self.outcomes.pop(0) if self.outcomes else "lands"
        if outcome == "lands":
            self.landed.setdefault(signature, Status(self.position().slot, None, True))
        elif outcome == "lands, answer lost":
            self.landed.setdefault(signature, Status(self.position().slot, None, True))
            raise Unreachable("cut", where="localhost")
        elif isinstance(outcome, Status):
            self.landed[signature] = outcome
        elif isinstance(outcome, Exception):
            raise outcome

    def statuses(
        self, signatures: Any, *, history: bool = False, since: int = 0
    ) -> list[Status | None]:
        if self.silent:
            outcome = self.silent.pop(0)
            if outcome is not None:
                raise outcome
            return [None] * len(signatures)
        return [self.landed.get(one) for one in signatures]

    def simulate(self, wire: bytes, *, signed: bool = True) -> Simulation:
        return Simulation(self.rehearsal, (), 0)


@pytest.fixture
def chain() -> Chain:
    return Chain(Pace())


def order(lamports: int = 1) -> Order:
    to = Keypair().pubkey()
    move = transfer(TransferParams(from_pubkey=PAYER.pubkey(), to_pubkey=to, lamports=lamports))
    return Order("move money", (move,))


def refusal(err: Any) -> RpcRefusal:
    return RpcRefusal(-32002, "simulation failed", {"err": err, "logs": []}, where="localhost")


def sender(chain: Chain) -> Sender:
    return Sender(chain, PAYER, chain.pace)


LOST = "lost"
DOWN = Unreachable("down", where="localhost")


def test_one_is_simulated_and_confirmed(chain: Chain) -> None:
    sent = sender(chain).one(order())
    assert chain.sends == [(sent.signatures[0], True)]
    assert chain.pace.fences == 1


def test_many_are_not_simulated_and_all_confirmed(chain: Chain) -> None:
    heard: list[int] = []
    sent = sender(chain).many([order() for _ in range(300)], heard.append)
    assert len(set(sent.signatures)) == 300
    assert heard[-1] == 300
    assert not any(preflight for _, preflight in chain.sends)
    assert chain.pace.fences > 1


def test_lost_one_is_sent_again_as_it_is(chain: Chain) -> None:
    chain.outcomes = [LOST, LOST, "lands"]
    sent = sender(chain).one(order())
    assert len(chain.signed) == 1
    assert len(chain.sends) == 3
    assert sent.resent == 2


def test_simulation_is_made_up_for_when_the_first_send_never_arrived(chain: Chain) -> None:
    chain.outcomes = [DOWN, LOST, "lands"]
    sender(chain).one(order())
    assert [preflight for _, preflight in chain.sends] == [True, True, False]


def test_answer_that_was_lost_is_no_reason_to_send_another(chain: Chain) -> None:
    chain.outcomes = ["lands, answer lost"]
    sender(chain).one(order())
    assert len(chain.sends) == 1


def test_signed_anew_only_past_the_last_height(chain: Chain) -> None:
    chain.outcomes = [LOST] * 100
    sender_, wanted = sender(chain), order()

    def lands_later(seconds: float) -> None:
        chain.pace.now += seconds
        if len(chain.signed) == 2:
            chain.outcomes = []

    chain.pace.sleep = lands_later  # type: ignore[method-assign]
    sent = sender_.one(wanted)
    assert len(chain.signed) == 2
    assert sent.signatures == [chain.signed[1]]
    assert chain.pace.now > (LIFE + EXPIRY_MARGIN) * 0.2


def test_late_arrival_is_seen_by_the_last_look(chain: Chain) -> None:
    """It lands unseen, statuses say nothing until the blockhash has expired."""
    chain.silent = [None] * 620
    sent = sender(chain).one(order())
    assert len(chain.signed) == 1
    assert len(sent.signatures) == 1


def test_without_the_last_look_nothing_is_signed_anew(chain: Chain) -> None:
    chain.outcomes = [LOST] * 100
    chain.silent = [DOWN] * 9_000
    with pytest.raises(CbctlError) as caught:
        sender(chain).one(order())
    assert caught.value.exit == Exit.TIMEOUT
    assert len(chain.signed) == 1


def test_seen_but_unconfirmed_is_waited_for_past_its_expiry(chain: Chain) -> None:
    chain.outcomes = [Status(3, None, False)]
    original, looks = chain.statuses, 0

    def statuses(signatures: Any, *, history: bool = False, since: int = 0) -> list[Status | None]:
        nonlocal looks
        looks += history
        if looks == 3:
            chain.landed = {one: Status(3, None, True) for one in chain.landed}
        return original(signatures, history=history, since=since)

    chain.statuses = statuses  # type: ignore[method-assign]
    chain.outcomes += [LOST] * 100
    sender(chain).one(order())
    assert len(chain.signed) == 1


def test_failure_on_chain(chain: Chain) -> None:
    err = {"InstructionError": [0, {"Custom": 1}]}
    chain.outcomes = [Status(3, err, True)]
    with pytest.raises(TransactionFailed, match="could not move money: instruction 1 failed"):
        sender(chain).one(order())


def test_failure_in_simulation_costs_nothing(chain: Chain) -> None:
    chain.outcomes = [refusal({"InstructionError": [0, "Custom"]})]
    with pytest.raises(TransactionFailed):
        sender(chain).one(order())
    assert chain.landed == {}


@pytest.mark.parametrize("err", ["AlreadyProcessed", "BlockhashNotFound"])
def test_simulation_that_says_nothing_about_it(chain: Chain, err: str) -> None:
    chain.outcomes = [refusal(err), "lands"]
    sender(chain).one(order())
    assert len(chain.signed) == 1


def test_other_refusals_are_passed_on(chain: Chain) -> None:
    chain.outcomes = [RpcRefusal(-32602, "too large", None, where="localhost")]
    with pytest.raises(RpcRefusal):
        sender(chain).one(order())
    chain.outcomes = [RpcRefusal(-32602, "too large", None, where="localhost")] * 3
    with pytest.raises(RpcRefusal):
        sender(chain).many([order(), order(), order()], lambda done: None)


def test_reason_is_asked_for_when_nothing_arrived_in_time(chain: Chain) -> None:
    chain.outcomes = [LOST] * 1_000
    chain.rehearsal = {"InsufficientFundsForRent": {"account_index": 0}}
    with pytest.raises(TransactionFailed, match="InsufficientFunds"):
        sender(chain).many([order(), order()], lambda done: None)
    assert len(chain.signed) == 2


def test_standstill_ends_in_time_and_says_how_to_go_on(chain: Chain) -> None:
    chain.outcomes = [LOST] * 10_000
    with pytest.raises(CbctlError, match=r"0 of 1 done") as caught:
        sender(chain).one(order())
    assert caught.value.exit == Exit.TIMEOUT
    assert "goes on from where it stopped" in caught.value.fix
    assert chain.pace.now < 2 * STALL


def test_order_does_not_show_its_signers() -> None:
    key = Keypair()
    shown = repr(Order("x", (), (key,)))
    assert str(key) not in shown and str(list(bytes(key))) not in shown
