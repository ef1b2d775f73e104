"""What each instruction costs, against the committed table.

The table is `programs/crypto_bet/compute-units.json`. After a deliberate change it is written by

    python -m tests.unit.programs.test_compute_units
"""

from __future__ import annotations

import json
from hashlib import sha256
from itertools import count

import pytest
from solders.keypair import Keypair
from tests.unit.programs import markets
from tests.unit.programs.crypto_bet import ELF, ROOT, initialize_program
from tests.unit.programs.house import BET, House
from tests.unit.programs.markets import Addresses, Kind, Side
from tests.unit.programs.scenes import EVERY, scene
from tests.unit.programs.svm import Chain

TABLE = ROOT / "compute-units.json"
RISE = 1.03

AIMS = {
    "place_bet": 3_000,
    "place_bet, the first": 6_000,
    "place_bet (USDC)": 8_000,
    "place_bet, the first (USDC)": 8_000,
    "claim_winnings": 4_000,
    "claim_winnings (USDC)": 4_000,
}


def same_chain() -> Chain:
    """Keys that are the same in every run: how long the search for a bump takes depends on them."""
    numbers = count()

    def key() -> Keypair:
        return Keypair.from_seed(sha256(b"key %d" % next(numbers)).digest())

    return Chain(key=key)


def measure(name: str, kind: Kind) -> int:
    house = House.build(same_chain())
    found = scene(house, name, kind)
    return house.must(found.instruction, *found.signers).compute_units


def initialization() -> int:
    chain = same_chain()
    house = House.build(chain)
    program = chain.deploy(ELF.read_bytes(), chain.funded(), chain.key())
    instruction = initialize_program(program, house.settings)
    return chain.must([instruction], program.upgrade_authority).compute_units


def row(name: str, kind: Kind) -> str:
    return f"{name} (USDC)" if kind == Kind.STABLE else name


def measured() -> dict[str, int]:
    figures = {row(name, kind): measure(name, kind) for name, kind in EVERY}
    return {"initialize_program": initialization(), **figures}


@pytest.fixture(scope="module")
def figures() -> dict[str, int]:
    return measured()


def test_no_instruction_costs_more_than_it_did(figures: dict[str, int]) -> None:
    table: dict[str, int] = json.loads(TABLE.read_text())
    assert set(figures) == set(table)
    risen = {
        name: f"{table[name]} → {cost}"
        for name, cost in figures.items()
        if cost > table[name] * RISE
    }
    assert risen == {}


@pytest.mark.parametrize(("name", "aim"), AIMS.items())
def test_aims(figures: dict[str, int], name: str, aim: int) -> None:
    assert figures[name] <= aim


def test_the_number_of_users_costs_nothing() -> None:
    """A bet, a decision and a claim among sixty others cost what they cost among two."""

    def costs(others: int) -> list[int]:
        house = House.build(same_chain())
        user, second = house.person(), house.person()
        at: Addresses = house.new()
        house.bet(at, user, Side.YES)
        house.bet(at, second, Side.NO)
        for number in range(others):
            house.bet(at, house.person(), Side(number % 2))
        bet = house.must(markets.place_bet(at, user.pubkey(), Side.YES, BET), user)
        house.propose(at, Side.YES)
        final = house.finalize(at)
        claim = house.claim(at, user.pubkey(), Side.YES)
        return [bet.compute_units, final.compute_units, claim.compute_units]

    few, many = costs(0), costs(60)
    # the division of a sum of more bits may take a few more units
    assert all(abs(a - b) < 20 for a, b in zip(few, many, strict=True)), (few, many)


if __name__ == "__main__":
    TABLE.write_text(json.dumps(measured(), indent=2) + "\n")
