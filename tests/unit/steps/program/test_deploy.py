"""What `program.deploy` plans from given facts; no chain, no file."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from tests.testbed.context import FakeContext

from cbctl.engine.canonical import canonical, plain
from cbctl.engine.step import After, Blocked, CannotUndo, Changes, Nothing
from cbctl.runbook.inputs import BadInput, bind
from cbctl.steps.program._deploy_facts import Facts
from cbctl.steps.program.deploy import STEP, Inputs

INPUTS = Inputs(rpc="http://127.0.0.1:8899", elf=Path("program.so"), wallet=Path("wallet.json"))
NEW = Facts(
    elf_sha256="s",
    elf_hash="new",
    elf_size=1_000,
    elf_problem=None,
    answers=True,
    genesis_hash="G",
    program_id="P",
    wallet="W",
)
OLD = dataclasses.replace(
    NEW, state="deployed", chain_hash="old", authority="W", capacity=1_000, slot=7
)


def names(facts: Facts, **inputs: Any) -> list[str]:
    verdict = STEP.plan(dataclasses.replace(INPUTS, **inputs), facts)
    assert isinstance(verdict, Changes), verdict
    return [change.what for change in verdict.changes]


def why(facts: Facts, **inputs: Any) -> str:
    verdict = STEP.plan(dataclasses.replace(INPUTS, **inputs), facts)
    assert isinstance(verdict, Blocked), verdict
    return verdict.why


def test_deploy_upgrade_and_nothing() -> None:
    assert names(NEW) == ["program bytes"]
    assert names(OLD) == ["program bytes"]
    assert names(dataclasses.replace(OLD, elf_size=1_001)) == ["program bytes", "program size"]
    assert names(dataclasses.replace(NEW, short_by=5), airdrop=9) == ["airdrop", "program bytes"]
    assert names(dataclasses.replace(NEW, program_id=None)) == ["program keypair", "program bytes"]
    assert isinstance(STEP.plan(INPUTS, dataclasses.replace(OLD, chain_hash="new")), Nothing)


def test_same_bytes_are_nothing_to_do_whoever_may_upgrade() -> None:
    for authority in (None, "M"):
        facts = dataclasses.replace(OLD, chain_hash="new", authority=authority)
        assert isinstance(STEP.plan(INPUTS, facts), Nothing)


@pytest.mark.parametrize(
    ("change", "inputs", "words"),
    [
        ({"elf_problem": "it is cut off"}, {}, "program.so is not a program .* it is cut off"),
        ({"elf_problem": "x", "answers": False}, {}, "program.so"),
        ({}, {"genesis_hash": "H"}, "genesis hash is G, expected H"),
        ({"idl_address": "Q"}, {}, "the IDL is that of Q, the program's address is P"),
        ({"state": "closed"}, {}, "P was closed"),
        ({"state": "spoiled"}, {}, "sent lamports to the address"),
        ({"state": "foreign"}, {}, "something else"),
        ({"authority": "M"}, {}, "authority of P is M, the wallet is W"),
        ({"authority": None}, {}, "immutable"),
        ({"state": "absent", "has_keypair": False}, {}, "first deploy of P needs its keypair"),
        ({"short_by": 1_234}, {}, "W has 1,234 lamports too little"),
        ({"short_by": 1_234}, {"payer": Path("p")}, "the payer has 1,234 lamports too little"),
    ],
)
def test_blocked(change: dict[str, Any], inputs: dict[str, Any], words: str) -> None:
    assert re.search(words, why(dataclasses.replace(OLD, **change), **inputs))


def test_cluster_is_the_first_thing_that_must_be_right() -> None:
    facts = dataclasses.replace(OLD, authority="M", short_by=5, state="foreign")
    assert "another cluster" in why(facts, genesis_hash="H")


def test_later_changes_are_all_announced() -> None:
    later = STEP.plan(INPUTS, dataclasses.replace(NEW, answers=False, program_id=None, wallet=None))
    assert isinstance(later, After)
    assert later.needs == ("localnet",)
    announced = {change.what for change in later.may}
    most = dataclasses.replace(OLD, program_id=None, wallet=None, elf_size=2_000, short_by=5)
    possible = STEP.plan(dataclasses.replace(INPUTS, airdrop=9), dataclasses.replace(most))
    assert isinstance(possible, Blocked)  # of another wallet, so never more than this:
    assert announced == {
        "program keypair",
        "wallet keypair",
        "airdrop",
        "program bytes",
        "program size",
    }


def test_facts_are_plain_data() -> None:
    assert canonical(OLD)
    assert isinstance(plain(OLD), dict)


def test_inputs_come_from_a_runbook() -> None:
    values = {"rpc": "http://x", "elf": "a.so", "wallet": Path("w"), "airdrop": 5}
    made = bind(Inputs, values)
    assert made.elf == Path("a.so")
    assert (made.generate, made.chain_step, made.max_len) == (False, "localnet", None)
    with pytest.raises(BadInput, match="airdrop"):
        bind(Inputs, values | {"airdrop": "5"})


def test_no_way_back_of_its_own() -> None:
    assert isinstance(STEP.undo(FakeContext(), INPUTS, None, None), CannotUndo)
