"""program.init with a program whose instruction, arguments and accounts are unlike our own's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair
from tests.integration.program.support import SOL, Localnet, Wallet, run
from tests.testbed.context import FakeContext
from tests.unit.programs.guestbook import ELF, IDL, book_address

from cbctl.clients.solana.idl.program import Program
from cbctl.config.types import Reference
from cbctl.engine.step import Blocked, Changes, Nothing
from cbctl.steps.program import deploy, init

LANDLORD, PORTER = str(Keypair().pubkey()), str(Keypair().pubkey())
ARGUMENTS: dict[str, Any] = {
    "shelf": 7,
    "title": Reference("env", "TITLE"),
    "rules": {
        "moderated": False,
        "visibility": {"Rooms": [[101, 102]]},
        "lines": [12, 24, 36],
    },
    "curators": [PORTER],
    "closes_at": Reference("env", "CLOSES_AT", optional=True),
    "stamp": "c0ffee",
    "warmth": Reference("env", "WARMTH"),
}
VALUES = {"TITLE": "2026", "WARMTH": "-12", "LANDLORD": LANDLORD, "CLOSES_AT": ""}


@pytest.fixture(scope="module")
def owner(net: Localnet, tmp_path_factory: pytest.TempPathFactory) -> Wallet:
    """Somebody whose guestbook is deployed."""
    made = Wallet.make(tmp_path_factory.mktemp("keys"))
    net.fund(made.key.pubkey(), 10 * SOL)
    run(deploy.STEP, made.inputs(net, ELF))
    return made


def opening(net: Localnet, owner: Wallet, /, **more: Any) -> init.Inputs:
    given: dict[str, Any] = {
        "rpc": net.url,
        "idl": IDL,
        "program_id": str(owner.program.pubkey()),
        "wallet": owner.folder / "wallet.json",
        "instruction": "open_book",
        "account": "Book",
        "at": "book",
        "accounts": {"landlord": Reference("env", "LANDLORD")},
        "arguments": ARGUMENTS,
        "genesis_hash": net.genesis,
    }
    return init.Inputs(**(given | more))


def blocked(inputs: init.Inputs, **values: str) -> str:
    verdict = run(init.STEP, inputs, FakeContext(VALUES | values)).verdict
    assert isinstance(verdict, Blocked), verdict
    return verdict.why


def test_what_does_not_fit_is_said_before_anything_is_sent(net: Localnet, owner: Wallet) -> None:
    two = "say which account of open_book is written; it derives book, index"
    assert two in blocked(opening(net, owner, at=None))
    assert "accounts.landlord: open_book needs it" in blocked(opening(net, owner, accounts={}))
    wrong = blocked(opening(net, owner), LANDLORD="the landlord")
    assert "accounts.landlord: is not an address" in wrong
    assert "the program answers TooMuch (7103)" in blocked(opening(net, owner), TITLE="x" * 65)
    assert "the program answers NoTitle (7102)" in blocked(opening(net, owner), TITLE="")
    assert "warmth: expected a whole number" in blocked(opening(net, owner), WARMTH="warm")
    member = {**ARGUMENTS["rules"], "visibility": {"Member": {}}}
    told = blocked(opening(net, owner, arguments=ARGUMENTS | {"rules": member}))
    assert "no variant 'Member'; there are Everyone, Members, Rooms" in told


def test_opened_once(net: Localnet, owner: Wallet) -> None:
    ctx = FakeContext(VALUES)
    assert isinstance(run(init.STEP, opening(net, owner), ctx).verdict, Changes)
    address = book_address(owner.program.pubkey(), owner.key.pubkey())[0]
    account = net.rpc.account(address)
    assert account is not None
    book = Program.from_text(Path(IDL).read_text(), owner.program.pubkey()).decode(
        "Book", account.data
    )
    assert (book["title"], book["warmth"], book["landlord"]) == ("2026", -12, LANDLORD)
    assert (book["closes_at"], book["motto"], book["curators"]) == (None, None, [PORTER])
    assert book["rules"] == ARGUMENTS["rules"]

    again = run(init.STEP, opening(net, owner), ctx)
    assert isinstance(again.verdict, Nothing)
    assert again.outcome.address == str(address)
    why = blocked(opening(net, owner), CLOSES_AT="1893456000")
    assert why.endswith("closes_at: on chain null, in cbctl.yaml 1893456000")
    moderated = ARGUMENTS | {"rules": ARGUMENTS["rules"] | {"moderated": True}}
    why = blocked(opening(net, owner, arguments=moderated))
    assert why.endswith("rules.moderated: on chain false, in cbctl.yaml true")
