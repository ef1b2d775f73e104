"""Another platform — program, IDL, service, data, names — operated by the same `cbctl`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.elf import another_build
from tests.e2e.guest_house import VARIABLES, GuestHouse
from tests.e2e.support import Platform

PARTS = ["postgres", "redis", "localnet", "program", "api"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[GuestHouse]:
    made = GuestHouse.make(tmp_path)
    yield made
    made.end()


@pytest.fixture
def neighbour(tmp_path: Path) -> Iterator[Platform]:
    """The platform of this repository, with its state folder beside the guest house's."""
    made = Platform.make(tmp_path)
    yield made
    made.end()


def test_deployed_changed_rolled_back_and_reset(neighbour: Platform, house: GuestHouse) -> None:
    assert neighbour.root == house.root
    deploying = house.start("deploy", "sandbox")
    neighbour.deploy()
    deployed = deploying.end().ended(0)
    assert "cbctl health sandbox    cbctl local logs --follow --env sandbox" in deployed.out
    assert sorted(path.name for path in house.root.iterdir()) == ["crypto-bet", "guest-house"]
    before = neighbour.pids()

    check_that_everything_is_there(house)
    (first,) = house.releases()
    program = house.address("book")
    assert first["parts"]["program_id"] == program
    assert house.program_on_chain(program) == first["parts"]["elf"]
    assert house.post("/guests/12", "Ada") == "Ada"
    assert house.post("/bell/12") == "1"

    # Another service, and the former one again; the data stays.
    house.greet("Bienvenue")
    second = house.deploy()
    assert (second["release"], {c["step"] for c in second["changes"]}) == ("r2", {"api"})
    assert told(house)["greeting"] == "Bienvenue"
    house.run("rollback", "sandbox").ended(0)
    assert (told(house)["greeting"], told(house)["rung"]) == ("Welcome", 1)
    assert json.loads(house.get("/guests")[1]) == {"12": "Ada"}
    states = {r["id"]: r["state"] for r in house.releases()}
    assert states == {"r1": "healthy", "r2": "bad", "r3": "healthy"}

    # Another program: an upgrade, which leaves the book as it is.
    shipped = house.elf.read_bytes()
    another_build(house.elf)
    third = house.deploy()
    assert {c["step"] for c in third["changes"]} == {"elf", "program", "api"}
    assert house.program_on_chain(program) == house.releases()[-1]["parts"]["elf"]
    assert house.program_on_chain(program) != first["parts"]["elf"]
    house.run("rollback", "sandbox", "--to", "r1").ended(0)
    assert house.program_on_chain(program) == first["parts"]["elf"]
    assert house.book()["title"] == "2026"

    # Other values for a book that is open.
    house.elf.write_bytes(shipped)
    house.give(VARIABLES.replace("=2026", "=2027").replace("=-12", "=9"))
    house.run("deploy", "sandbox").refused(
        7,
        "title: on chain 2026, in cbctl.yaml 2027; warmth: on chain -12, in cbctl.yaml 9",
    )

    # `cbctl local` means the only environment that is on this machine, also without its name.
    assert "removed" in house.run("local", "reset", "--yes").ended(0).out
    assert house.processes() == []
    assert not house.state.exists()
    assert neighbour.pids() == before
    neighbour.run("health", "local").ended(0)


def check_that_everything_is_there(house: GuestHouse) -> None:
    """As the platform's own configuration has it."""
    parts = house.status()
    assert list(parts) == PARTS
    assert {p["state"] for p in parts.values()} == {"running", "deployed"}
    house.run("health", "sandbox").ended(0)
    book = house.book()
    assert book.pop("bump") in range(256)
    assert book == {
        "owner": house.address("owner"),
        "landlord": house.address("landlord"),
        "sponsor": None,
        "shelf": 7,
        "title": "2026",  # a text, though it looks like a number where it is kept
        "rules": {
            "moderated": True,
            "visibility": {"Members": {"least_age": 18}},
            "lines": [12, 24, 36],
        },
        "curators": [house.address("day-porter"), house.address("night-porter")],
        "closes_at": 1893456000,
        "motto": None,
        "stamp": "c0ffee00",
        "warmth": -12,
        "entries": 0,
    }
    assert {table for table, *_ in house.schema()} >= {"guests", "rings"}
    assert told(house) == {
        "title": "2026",
        "greeting": "Welcome",
        "house": "The Guest House",
        "rung": 0,
    }
    assert (house.state / "secrets" / "bell-key").read_text().strip()


def told(house: GuestHouse) -> dict[str, Any]:
    """What its service reads from the chain, its files, its variables and its cache."""
    status, body = house.get("/book")
    assert status == 200, body
    answer: dict[str, Any] = json.loads(body)
    return answer


def test_what_its_idl_and_its_files_do_not_have_is_said(house: GuestHouse) -> None:
    for environment in ("sandbox", "open"):
        house.run("config", "validate", environment).ended(0)
    house.edit("visibility: { Members: { least_age: 18 } }", "visibility: { Member: {} }")
    house.edit("        landlord: ${env:LANDLORD}", "        landlady: ${env:LANDLORD}")
    house.run("deploy", "sandbox").refused(
        64, "expected one of Everyone, Members, Rooms", "open_book has no account `landlady`"
    )
    house.config.write_text(house.shipped)
    house.give("WARMTH=-12\n")
    house.run("deploy", "sandbox").refused(64, "BOOK_TITLE is not set in .env.sandbox")
    assert house.processes() == []


def test_a_program_may_need_no_first_configuration(house: GuestHouse) -> None:
    def steps() -> set[str]:
        plan = house.run("deploy", "sandbox", "--plan", "--output", "json").ended(2).json
        return {step["id"] for step in plan["steps"]}

    before = steps()
    start = house.shipped.index("      initialize:\n")
    own = house.shipped[start : house.shipped.index("    database:", start)]
    house.edit(own, "      initialize: null\n")
    assert steps() == before - {"initialize"}
