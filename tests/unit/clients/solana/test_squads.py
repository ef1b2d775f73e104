"""Squads v4: addresses by a derivation of our own, the account by its layout in the program."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.testbed.multisig import SQUADS, multisig_account

from cbctl.clients.solana import squads
from cbctl.clients.solana.types import Account

P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P


def on_curve(point: bytes) -> bool:
    """RFC 8032, 5.1.3: whether there is an x for this y."""
    y = int.from_bytes(point, "little") & (1 << 255) - 1
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    square = u * pow(v, P - 2, P) % P
    return square == 0 or pow(square, (P - 1) // 2, P) == 1


def derived(*seeds: bytes, program: bytes) -> bytes:
    for bump in range(255, -1, -1):
        text = b"".join(seeds) + bytes([bump]) + program + b"ProgramDerivedAddress"
        found = hashlib.sha256(text).digest()
        if not on_curve(found):
            return found
    raise AssertionError


@pytest.mark.parametrize("index", [0, 1, 7, 255])
def test_addresses_of_vaults(index: int) -> None:
    multisig = Keypair().pubkey()
    seeds = (b"multisig", bytes(multisig), b"vault", bytes([index]))
    expected = derived(*seeds, program=bytes(Pubkey.from_string(SQUADS)))
    assert bytes(squads.vault_address(multisig, index)) == expected


def test_a_multisig_that_there_is() -> None:
    """As its owners have published it (gmx-io/gmx-token-lz, docs/SOLANA_MULTISIG_PAYLOADS.md)."""
    multisig = Pubkey.from_string("CHnvkrsy37qheATdjgFNifbCngnDQARhvrtFu7iC3vDM")
    vault = "EwXp4sepbKE7aoSn6Q4APR26BKWoqsc7hKq8NtCUpC1K"
    assert str(squads.vault_address(multisig, 0)) == vault


class Cluster:
    def __init__(self, accounts: dict[Pubkey, Account]) -> None:
        self._accounts = accounts

    def account(self, key: Pubkey) -> Account | None:
        return self._accounts.get(key)


def test_what_proves_a_vault() -> None:
    multisig, owner = Keypair().pubkey(), Pubkey.from_string(SQUADS)
    data = multisig_account(threshold=3, members=5)
    rpc: Any = Cluster({multisig: Account(1, owner, data, False)})
    assert squads.threshold(rpc, multisig) == 3
    for index in (0, 255):
        vault = squads.vault_address(multisig, index)
        assert squads.not_its_vault(rpc, multisig, vault) is None
    stranger = squads.vault_address(Keypair().pubkey(), 0)
    assert "is not a vault of" in str(squads.not_its_vault(rpc, multisig, stranger))
    assert "the multisig itself" in str(squads.not_its_vault(rpc, multisig, multisig))


@pytest.mark.parametrize("wrong", ["absent", "owner", "kind", "short"])
def test_what_is_no_multisig(wrong: str) -> None:
    multisig, owner = Keypair().pubkey(), Pubkey.from_string(SQUADS)
    data = multisig_account(threshold=3, members=5)
    account = {
        "owner": Account(1, Keypair().pubkey(), data, False),
        "kind": Account(1, owner, struct.pack("<Q", 1) + data[8:], False),
        "short": Account(1, owner, data[:73], False),
    }
    rpc: Any = Cluster({multisig: account[wrong]} if wrong in account else {})
    said = squads.not_its_vault(rpc, multisig, squads.vault_address(multisig, 0))
    assert "is no Squads multisig" in str(said)
