"""What `program.init` plans from given facts, and how it compares."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from cbctl.clients.solana.idl.program import Program
from cbctl.engine.canonical import canonical
from cbctl.engine.step import After, Blocked, Changes, Nothing
from cbctl.steps.program._initialization import Plan, compare, listed
from cbctl.steps.program.init import STEP, Facts, Inputs

INPUTS = Inputs(
    rpc="http://127.0.0.1:8899",
    idl=Path("idl.json"),
    program_id="P",
    wallet=Path("wallet.json"),
    instruction="begin",
    account="Settings",
    arguments={},
)
READY = Facts(answers=True, genesis_hash="G", deployed=True, address="A")
DIFFERENT = (("fee_bps", 250, 300), ("sol.max_bet", 9, 8))


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, Changes),
        ({"answers": False}, After),
        ({"deployed": False}, After),
        ({"state": "there"}, Nothing),
        ({"state": "there", "differences": DIFFERENT}, Blocked),
        ({"state": "foreign"}, Blocked),
        ({"refusal": "no"}, Blocked),
        ({"problem": "arguments.fee: no such field", "answers": False}, Blocked),
    ],
)
def test_verdicts(change: dict[str, Any], verdict: type) -> None:
    facts = dataclasses.replace(READY, **change)
    assert isinstance(STEP.plan(INPUTS, facts), verdict)
    assert canonical(facts)


def test_difference_is_shown_field_by_field() -> None:
    facts = dataclasses.replace(READY, state="there", differences=DIFFERENT)
    verdict = STEP.plan(INPUTS, facts)
    assert isinstance(verdict, Blocked)
    assert verdict.why == (
        "Settings is initialized with other values: fee_bps: on chain 250, in cbctl.yaml 300; "
        "sol.max_bet: on chain 9, in cbctl.yaml 8"
    )


def test_other_cluster() -> None:
    verdict = STEP.plan(dataclasses.replace(INPUTS, genesis_hash="H"), READY)
    assert isinstance(verdict, Blocked)


IDL = {
    "address": "",
    "metadata": {"spec": "0.1.0"},
    "instructions": [
        {
            "name": "begin",
            "discriminator": [1],
            "accounts": [],
            "args": [
                {"name": "config", "type": {"defined": {"name": "Config"}}},
                {"name": "nonce", "type": "u8"},
                {"name": "limits", "type": {"vec": "u8"}},
            ],
        }
    ],
    "accounts": [{"name": "Settings", "discriminator": [2]}],
    "types": [
        {
            "name": "Config",
            "type": {
                "kind": "struct",
                "fields": [
                    {"name": "fee", "type": "u16"},
                    {"name": "sol", "type": {"defined": {"name": "Range"}}},
                ],
            },
        },
        {
            "name": "Range",
            "type": {"kind": "struct", "fields": [{"name": "low", "type": "u8"}]},
        },
        {"name": "Settings", "type": {"kind": "struct", "fields": []}},
    ],
}
VALUES = {"config": {"fee": 5, "sol": {"low": 1}}, "nonce": 3, "limits": [1, 2]}


@pytest.mark.parametrize(
    ("fields", "differences", "unreadable"),
    [
        ({"fee": 5, "sol": {"low": 1}, "nonce": 3, "limits": [1, 2]}, (), ()),
        # the argument's own name may be kept on chain
        ({"config": {"fee": 5, "sol": {"low": 1}}, "nonce": 3, "limits": [1, 2]}, (), ()),
        ({"fee": 6, "sol": {"low": 1, "more": 9}, "nonce": 3, "limits": [1]},
         (("fee", 6, 5), ("limits", [1], [1, 2])), ()),
        ({"fee": 5, "sol": {"low": 2}, "nonce": 3, "limits": [1, 2]}, (("sol.low", 2, 1),), ()),
        ({"fee": 5, "sol": 7, "limits": [1, 2]}, (), ("config.sol.low", "nonce")),
    ],
)  # fmt: skip
def test_arguments_are_found_on_chain(
    fields: dict[str, Any], differences: tuple[Any, ...], unreadable: tuple[str, ...]
) -> None:
    program = Program.from_text(json.dumps(IDL), Keypair().pubkey())
    plan = Plan(program, Keypair().pubkey(), "begin", "Settings", VALUES, {}, Pubkey.default())
    assert compare(plan, fields) == (differences, unreadable)


def test_listed() -> None:
    assert listed((("a", 1, None),)) == "a: on chain 1, in cbctl.yaml null"
