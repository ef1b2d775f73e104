"""Nothing of the platform that lives in this repository is written in the command itself.

Its names are read from where they come from: `cbctl.yaml`, the program's IDL, the service's
migrations. So a name that the platform gets later is looked for too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORDS = re.compile(
    r"crypto.?bet|cbapi|\bbets?\b|market|parimutuel|treasury|guardian|usdc|jwt|emergency.?(?:un)?pause",
    re.IGNORECASE,
)
"""The platform's own name in any spelling, and what it is about."""

ONE_WORD = re.compile(r"[a-z]+")
"""A market has a title, a state and users, as much else has: one word is nobody's, but for those
that `WORDS` looks for."""

COMMON = {
    # of Solana, of Anchor, of everybody's YAML and Rust
    *("program", "program_data", "system_program", "authority", "wallet", "config", "sol", "bump"),
    *("token_program", "created_at", "Active", "Cancelled", "No", "Outcome", "Position"),
    # members of what a validator shows parsed
    *("programData", "systemProgram", "tokenProgram", "newAuthority"),
    *("Resolved", "Side", "Yes"),
    *("actor", "reserve", "scope", "sequence", "timestamp", "version", "None", "KEY", "NAME"),
    "UnsupportedVersion",  # of a transaction
    ".",  # a folder
    # what cbctl calls the addresses of the servers that it starts itself
    *("database-url", "redis-url", "rpc-url"),
}
"""Names of the platform that are not its alone."""


def test_no_name_of_the_platform_is_in_the_command_or_its_runbooks() -> None:
    files = list(shipped())
    found = [
        f"{path.relative_to(ROOT)}:{number}: {name}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for name in named(line)
    ]
    found += [str(path) for path in files if named(str(path.relative_to(ROOT)))]
    assert len(files) > 200
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        'image = "CryptoBet/api"',
        "from cbapi.settings import Settings",
        'INSTRUCTION = "initialize_program"',
        'if account == "GlobalConfig":',
        'seeds = [b"global_config"]',
        'os.environ["PROGRAM_ID"]',
        "namespace: crypto-bet-staging",
        "select * from program_config_cache",
        'raise CbctlError("Unauthorized")',
        "fee_bps=250",
        "# pays into the treasury",
    ],
)
def test_a_name_that_is_written_down_is_found(line: str) -> None:
    assert named(line)


def named(line: str) -> list[str]:
    """The names of the platform in a line."""
    return [*WORDS.findall(line), *_whole_words().findall(line)]


def shipped() -> Iterator[Path]:
    """Every file that an installed cbctl consists of."""
    for path in (ROOT / "src" / "cbctl").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pem":
            yield path
    yield from (ROOT / "runbooks").iterdir()


@cache
def _whole_words() -> re.Pattern[str]:
    own = {name for name in platform_names() - COMMON if not ONE_WORD.fullmatch(name)}
    names = "|".join(re.escape(name) for name in sorted(own))
    return re.compile(rf"(?<![A-Za-z0-9_-])(?:{names})(?![A-Za-z0-9_-])")


def platform_names() -> set[str]:
    program = ROOT / "programs" / "crypto_bet" / "artifacts"
    settings = (ROOT / "cbctl.yaml").read_text()
    found = {*_of_idl(json.loads((program / "crypto_bet.idl.json").read_text()))}
    found |= {*_of_idl(json.loads((program / "crypto_bet.idl-0.29.json").read_text()))}
    found |= {*_of_settings(yaml.safe_load(settings))}
    for name in re.findall(r"\$\{(?:env|key|state|secret):([^}?]+)", settings):
        found |= set(name.split("#"))
    for migration in (ROOT / "src" / "cbapi" / "migrations").glob("*.up.sql"):
        found |= set(re.findall(r"CREATE TABLE (\w+)", migration.read_text()))
    return found


def _of_idl(value: Any) -> Iterator[str]:
    """Instructions, accounts, arguments, types, fields, events, errors, and seeds of addresses."""
    if isinstance(value, list):
        for item in value:
            yield from _of_idl(item)
    elif isinstance(value, dict):
        if isinstance(value.get("name"), str):
            yield value["name"]
        if value.get("kind") == "const":
            yield bytes(value["value"]).decode()
        for item in value.values():
            yield from _of_idl(item)


def _of_settings(value: Any) -> Iterator[str]:
    """Variables of the service, namespaces and clusters."""
    if not isinstance(value, dict):
        return
    if isinstance(value.get("environment"), dict):
        yield from value["environment"]
    for key in ("platform", "context", "namespace"):
        if isinstance(value.get(key), str):
            yield value[key]
    for item in value.values():
        yield from _of_settings(item)
