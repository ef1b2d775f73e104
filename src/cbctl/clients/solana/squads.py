"""What has to be known of Squads multisigs: that a vault is one, and how many must sign.

Source: Squads Protocol v4 (crate squads-multisig-program 2.0.0): seeds of the vault
("multisig", multisig, "vault", index u8), layout of the account Multisig: discriminator 8,
create_key 32, config_authority 32, threshold u16 …
"""

from __future__ import annotations

import hashlib
import struct

from solders.pubkey import Pubkey

from cbctl.clients.solana.rpc import Rpc

PROGRAM = Pubkey.from_string("SQDS4ep65T869zMMBKyuUq6aD6EgTu8psMjkvj52pCf")
DISCRIMINATOR = hashlib.sha256(b"account:Multisig").digest()[:8]
_THRESHOLD_AT = 8 + 32 + 32
_VAULTS = 256


def vault_address(multisig: Pubkey, index: int) -> Pubkey:
    """The vault is what owns; the multisig's own address must never be an authority."""
    seeds = [b"multisig", bytes(multisig), b"vault", bytes([index])]
    return Pubkey.find_program_address(seeds, PROGRAM)[0]


def not_its_vault(rpc: Rpc, multisig: Pubkey, vault: Pubkey) -> str | None:
    """Why `vault` is not one of the multisig's, None when it is."""
    if vault == multisig:
        return f"{multisig} is the multisig itself; the authority has to be its vault, which signs"
    if threshold(rpc, multisig) is None:
        return f"{multisig} is no Squads multisig on this cluster"
    if any(vault_address(multisig, index) == vault for index in range(_VAULTS)):
        return None
    return f"{vault} is not a vault of {multisig}; its first one is {vault_address(multisig, 0)}"


def threshold(rpc: Rpc, multisig: Pubkey) -> int | None:
    """How many members must sign; None when it is no multisig."""
    account = rpc.account(multisig)
    if account is None or account.owner != PROGRAM or len(account.data) < _THRESHOLD_AT + 2:
        return None
    if not account.data.startswith(DISCRIMINATOR):
        return None
    return int(struct.unpack_from("<H", account.data, _THRESHOLD_AT)[0])
