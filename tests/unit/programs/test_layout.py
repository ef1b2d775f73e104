"""The bytes of accounts, arguments and events: by hand-written offsets and through both IDLs."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from solders.pubkey import Pubkey
from tests.unit.programs import idl_codec
from tests.unit.programs.crypto_bet import (
    ARTIFACTS,
    CONFIG_LENGTH,
    OFFSET,
    Asset,
    Config,
    Error,
    Platform,
    Scope,
    Settings,
    config_address,
    emergency_pause,
    initialize_program,
    read_config,
    read_pause_changed,
    read_program_initialized,
)
from tests.unit.programs.svm import Chain, Program

CURRENT = ARTIFACTS / "crypto_bet.idl.json"
LEGACY = ARTIFACTS / "crypto_bet.idl-0.29.json"
SCOPES = {Scope.NONE: "None", Scope.NEW_BETS: "NewBets", Scope.ALL_BUT_CLAIMS: "AllButClaims"}


def load(path: Path) -> idl_codec.Idl:
    return idl_codec.current(path) if path == CURRENT else idl_codec.legacy(path)


def snake(value: object) -> object:
    """Keys in snake case, as the present specification writes them."""
    if not isinstance(value, dict):
        return value
    return {
        re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), key): snake(inner)
        for key, inner in value.items()
    }


def distinct_account(program: Program) -> bytes:
    """A configuration in which every byte of every number differs, so that no swap goes unseen."""
    data = bytearray(i % 251 + 1 for i in range(CONFIG_LENGTH))
    data[:8] = idl_codec.sighash("account", "GlobalConfig")
    data[OFFSET["pause_scope"]] = Scope.ALL_BUT_CLAIMS
    return bytes(data)


def as_dict(config: Config) -> dict[str, object]:
    def plain(value: object) -> object:
        if isinstance(value, Asset):
            return {field.name: getattr(value, field.name) for field in fields(value)}
        return value

    values = {field.name: plain(getattr(config, field.name)) for field in fields(config)}
    return values | {"pause_scope": SCOPES[Scope(config.pause_scope)]}


@pytest.mark.parametrize("path", [CURRENT, LEGACY], ids=["0.1.0", "0.29"])
def test_account_by_offsets_and_by_idl(chain: Chain, platform: Platform, path: Path) -> None:
    chain.must(
        [emergency_pause(platform.program, platform.guardian.pubkey(), Scope.NEW_BETS)],
        platform.guardian,
    )
    for data in (
        chain.data(config_address(platform.program.id)),
        distinct_account(platform.program),
    ):
        assert snake(load(path).read("GlobalConfig", data)) == as_dict(read_config(data))


def test_offsets_leave_no_gap() -> None:
    sizes = {"version": 1, "bump": 1, "fee_bps": 2, "pause_scope": 1, "sol": 48, "usdc": 48}
    keys = {"authority", "pending_authority", "resolver", "guardian", "treasury", "usdc_mint"}
    sizes |= dict.fromkeys(keys, 32) | {"reserve": 120}
    at = 8
    for name, offset in OFFSET.items():
        assert offset == at, name
        at += sizes.get(name, 8)
    assert at == CONFIG_LENGTH


@pytest.mark.parametrize("path", [CURRENT, LEGACY], ids=["0.1.0", "0.29"])
def test_events_by_hand_and_by_idl(chain: Chain, program: Program, path: Path) -> None:
    idl, settings, authority = load(path), Settings(), program.upgrade_authority
    (first,) = chain.must([initialize_program(program, settings)], authority).events
    (second,) = chain.must(
        [emergency_pause(program, authority.pubkey(), Scope.NEW_BETS)], authority
    ).events

    by_hand = read_program_initialized(first)
    assert snake(idl.read("ProgramInitialized", first)) == {
        "sequence": by_hand.sequence,
        "timestamp": by_hand.timestamp,
        "authority": by_hand.authority,
        "config": argument(settings),
    }
    changed = read_pause_changed(second)
    assert snake(idl.read("PauseChanged", second)) == {
        "sequence": changed.sequence,
        "timestamp": changed.timestamp,
        "actor": changed.actor,
        "old_scope": "None",
        "new_scope": "NewBets",
    }


def argument(settings: Settings) -> dict[str, Any]:
    """The argument as a tool holds it: nested like the account."""
    values = {field.name: getattr(settings, field.name) for field in fields(settings)}
    for asset in ("sol", "usdc"):
        values[asset] = {limit: values.pop(f"{asset}_{limit}") for limit in ("min_bet", "max_bet")}
    return values


def test_argument_by_hand_and_by_idl() -> None:
    settings = Settings()
    idl = idl_codec.current(CURRENT)
    (config,) = _instruction(idl, "initialize_program")["args"]
    assert idl.write(config["type"], argument(settings)) == settings.pack()
    (scope,) = _instruction(idl, "emergency_pause")["args"]
    assert [idl.write(scope["type"], name) for name in SCOPES.values()] == [b"\0", b"\1", b"\2"]


def test_every_setting_has_its_path_in_the_account(chain: Chain, platform: Platform) -> None:
    """What lets a deploy tool compare a wanted configuration with the one on chain."""
    account = idl_codec.current(CURRENT).read(
        "GlobalConfig", chain.data(config_address(platform.program.id))
    )

    def compare(wanted: dict[str, Any], found: dict[str, Any], path: str) -> None:
        for name, value in wanted.items():
            assert name in found, path + name
            if isinstance(value, dict):
                compare(value, found[name], f"{path}{name}.")
            else:
                assert found[name] == value, path + name

    compare(argument(platform.settings), account, "")


def test_discriminators_are_anchors() -> None:
    document = idl_codec.current(CURRENT).document
    for namespace, kind in (
        ("global", "instructions"),
        ("account", "accounts"),
        ("event", "events"),
    ):
        assert document[kind]
        for entry in document[kind]:
            assert bytes(entry["discriminator"]) == idl_codec.sighash(namespace, entry["name"])


def test_errors_are_numbered_in_the_documented_order() -> None:
    names = [
        "InvalidParameters",
        "TitleTooLong",
        "BetAmountTooSmall",
        "MarketAlreadyResolved",
        "Unauthorized",
        "AlreadyClaimed",
        "NumberOverflow",
        "AlreadyInitialized",
        "UnsupportedVersion",
        "InvariantViolated",
        "PlatformPaused",
        "BetAmountTooLarge",
        "BettingClosed",
        "PayoutTooLow",
        "TermsChanged",
        "TermsFixed",
        "MarketStateInvalid",
        "TooEarly",
        "TooLate",
        "NothingToClaim",
        "UnsupportedMint",
        "AccountMismatch",
        "MoneyStillOwed",
        "Insolvent",
    ]
    for path in (CURRENT, LEGACY):
        errors = load(path).document["errors"]
        assert [(error["code"], error["name"]) for error in errors] == list(enumerate(names, 6000))
        assert all(error["msg"] for error in errors)
    own = {error.value for error in Error if error >= 6000}
    assert own <= {error["code"] for error in errors}


def test_accounts_of_the_instructions() -> None:
    pda = {"seeds": [{"kind": "const", "value": list(b"global_config")}]}
    zero = str(Pubkey.default())
    expected = {
        "initialize_program": [
            {"name": "authority", "writable": True, "signer": True},
            {"name": "config", "writable": True, "pda": pda},
            {"name": "program_data"},
            {"name": "system_program", "address": zero},
        ],
        "emergency_pause": [
            {"name": "authority", "signer": True},
            {"name": "config", "writable": True, "pda": pda},
        ],
        "emergency_unpause": [
            {"name": "authority", "signer": True},
            {"name": "config", "writable": True, "pda": pda},
        ],
    }
    idl = idl_codec.current(CURRENT)
    found = {
        instruction["name"]: [
            {key: value for key, value in account.items() if key != "docs"}
            for account in instruction["accounts"]
        ]
        for instruction in idl.document["instructions"]
    }
    assert {name: found[name] for name in expected} == expected


def test_both_idls_say_the_same() -> None:
    now, then = idl_codec.current(CURRENT).document, idl_codec.legacy(LEGACY).document
    assert now["metadata"]["name"] == then["name"]
    assert now["metadata"]["version"] == then["version"]
    for new, old in zip(now["instructions"], then["instructions"], strict=True):
        assert _camel(new["name"]) == old["name"]
        for account, former in zip(new["accounts"], old["accounts"], strict=True):
            assert _camel(account["name"]) == former["name"]
            assert account.get("writable", False) is former["isMut"]
            assert account.get("signer", False) is former["isSigner"]


def test_no_program_id_is_named() -> None:
    assert idl_codec.current(CURRENT).document["address"] == str(Pubkey.default())
    assert "metadata" not in idl_codec.legacy(LEGACY).document


def _instruction(idl: idl_codec.Idl, name: str) -> dict[str, Any]:
    (found,) = [entry for entry in idl.document["instructions"] if entry["name"] == name]
    result: dict[str, Any] = found
    return result


def _camel(name: str) -> str:
    return re.sub("_(.)", lambda match: match[1].upper(), name)
