"""The program of the guest house does what its IDL, which is written by hand, says."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.unit.programs.guestbook import ELF, IDL, book_address, index_address, terms, text
from tests.unit.programs.svm import Chain, program_data_address, transfer

from cbctl.clients.solana.idl.program import Program

ERRORS = {item["name"]: item["code"] for item in json.loads(IDL.read_text())["errors"]}


@dataclass
class House:
    """The deployed program, as its IDL describes it."""

    chain: Chain
    program: Program
    owner: Keypair
    landlord: Pubkey

    def accounts(self, arguments: dict[str, Any], **more: Pubkey) -> dict[str, Pubkey]:
        given = {"owner": self.owner.pubkey(), "landlord": self.landlord, **more}
        return self.program.accounts("open_book", arguments, given)

    def wire(self, arguments: dict[str, Any], **more: Pubkey) -> Instruction:
        return self.program.build("open_book", arguments, self.accounts(arguments, **more))

    def answer(self, data: bytes) -> int | str | None:
        """The error to an instruction with these bytes behind the discriminator."""
        wire = self.wire(ARGUMENTS)
        raw = Instruction(wire.program_id, bytes(wire.data[:8]) + data, wire.accounts)
        return self.chain.send([raw], self.owner).error


@pytest.fixture
def house(chain: Chain) -> House:
    owner = chain.funded()
    deployed = chain.deploy(ELF.read_bytes(), owner)
    program = Program.from_text(IDL.read_text(), deployed.id)
    return House(chain, program, owner, Pubkey.new_unique())


ARGUMENTS: dict[str, Any] = {
    "shelf": 7,
    "title": "Visitors",
    "rules": {"moderated": True, "visibility": {"Members": {"least_age": 18}}, "lines": [1, 2, 3]},
    "curators": [],
    "stamp": "",
    "warmth": -12,
}


def test_the_book_holds_what_it_was_opened_with(house: House) -> None:
    curators = (Pubkey.new_unique(), Pubkey.new_unique())
    arguments = ARGUMENTS | {
        "title": "Gäste",
        "curators": [str(key) for key in curators],
        "closes_at": -1,
        "motto": "Be kind",
        "stamp": "c0ffee",
    }
    house.chain.must([house.wire(arguments)], house.owner)

    owner, program = house.owner.pubkey(), house.program.address
    book, bump = book_address(program, owner)
    packed = terms(
        title=text("Gäste"),
        lines=b"\1\2\3",
        curators=curators,
        closes_at=b"\1" + struct.pack("<q", -1),
        motto=b"\1" + text("Be kind"),
        stamp=struct.pack("<I", 3) + b"\xc0\xff\xee",
    )
    head = b"BOOK" + bytes([bump]) + bytes(owner) + bytes(house.landlord) + b"\0"
    assert house.chain.data(book) == head + packed + bytes(8)
    account = house.chain.account(book)
    assert account is not None and account.owner == program

    read = house.program.decode("Book", house.chain.data(book))
    canonical = house.program.canonical("open_book", arguments)
    assert {name: read[name] for name in canonical} == canonical
    assert (read["owner"], read["sponsor"], read["entries"]) == (str(owner), None, 0)

    index = index_address(program, book)
    assert house.chain.data(index) == b"I" + bytes(book) + bytes(4)
    assert house.program.decode("Index", house.chain.data(index)) == {
        "book": str(book),
        "pages": 0,
    }


def test_a_sponsor_may_be_named(house: House) -> None:
    sponsor = Pubkey.new_unique()
    house.chain.must([house.wire(ARGUMENTS, sponsor=sponsor)], house.owner)
    book, _ = book_address(house.program.address, house.owner.pubkey())
    read = house.program.decode("Book", house.chain.data(book))
    assert (read["sponsor"], read["warmth"]) == (str(sponsor), -12)


def test_lamports_at_the_addresses_are_in_nobodys_way(house: House) -> None:
    places = house.accounts(ARGUMENTS)
    payments = [transfer(house.owner.pubkey(), places[n], 10**9) for n in ("book", "index")]
    house.chain.must(payments, house.owner)
    house.chain.must([house.wire(ARGUMENTS)], house.owner)


def test_once_only_and_by_the_upgrade_authority_only(house: House) -> None:
    stranger = house.chain.funded()
    asked = house.wire(ARGUMENTS, owner=stranger.pubkey())
    assert house.chain.send([asked], stranger).error == ERRORS["NotTheOwner"]
    forged = house.chain.deploy(ELF.read_bytes(), stranger)
    asked = house.wire(ARGUMENTS, owner=stranger.pubkey(), program_data=forged.data)
    assert house.chain.send([asked], stranger).error == ERRORS["WrongPlace"]
    unsigned = house.wire(ARGUMENTS)
    metas = [AccountMeta(m.pubkey, False, m.is_writable) for m in unsigned.accounts]
    asked = Instruction(unsigned.program_id, bytes(unsigned.data), metas)
    assert house.chain.send([asked], stranger).error == ERRORS["NotTheOwner"]

    house.chain.must([house.wire(ARGUMENTS)], house.owner)
    assert house.chain.send([house.wire(ARGUMENTS)], house.owner).error == ERRORS["OpenAlready"]
    # on another shelf there is another book
    house.chain.must([house.wire(ARGUMENTS | {"shelf": 8})], house.owner)


def test_every_byte_of_the_terms_is_read(house: House) -> None:
    assert house.answer(terms() + b"\0") == ERRORS["UnreadableTerms"]
    assert house.answer(terms()[:-1]) == ERRORS["UnreadableTerms"]
    assert house.answer(b"") == ERRORS["UnreadableTerms"]
    assert house.answer(terms()) is None


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (terms(title=text("")), "NoTitle"),
        (terms(title=text("x" * 65)), "TooMuch"),
        (terms(title=struct.pack("<I", 1) + b"\xff"), "UnreadableTerms"),
        (terms(moderated=2), "UnreadableTerms"),
        (terms(visibility=b"\3"), "UnreadableTerms"),
        (terms(visibility=b"\2" + struct.pack("<I", 5) + bytes(10)), "TooMuch"),
        (terms(visibility=b"\2" + struct.pack("<I", 4) + bytes(8)), None),
        (terms(visibility=b"\0"), None),
        (terms(curators=(Pubkey.default(),) * 9), "TooMuch"),
        (terms(closes_at=b"\2"), "UnreadableTerms"),
        (terms(motto=b"\1" + text("m" * 33)), "TooMuch"),
        (terms(motto=b"\1" + struct.pack("<I", 2) + b"\xc3\x28"), "UnreadableTerms"),
        (terms(stamp=struct.pack("<I", 33) + bytes(33)), "TooMuch"),
    ],
)
def test_terms_out_of_bounds(house: House, data: bytes, error: str | None) -> None:
    assert house.answer(data) == (None if error is None else ERRORS[error])


@pytest.mark.parametrize("account", ["book", "index"])
def test_accounts_elsewhere(house: House, account: str) -> None:
    asked = house.wire(ARGUMENTS, **{account: Pubkey.new_unique()})
    assert house.chain.send([asked], house.owner).error == ERRORS["WrongPlace"]


def test_another_instruction(house: House) -> None:
    wire = house.wire(ARGUMENTS)
    asked = Instruction(wire.program_id, bytes(8) + terms(), wire.accounts)
    assert house.chain.send([asked], house.owner).error == ERRORS["UnknownInstruction"]
    assert program_data_address(wire.program_id) == house.accounts(ARGUMENTS)["program_data"]
