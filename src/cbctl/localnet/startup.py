"""Programs and accounts that a new chain has from its first slot, out of files.

Options as those of solana-test-validator; account files as `solana account --output json` writes
them.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
from solders.account import Account
from solders.pubkey import Pubkey

from cbctl.localnet.encoding import b58decode, b64decode
from cbctl.localnet.errors import EXIT_USAGE, Stop
from cbctl.localnet.genesis import Loaded
from cbctl.localnet.nonce import SYSVARS
from cbctl.localnet.programs import UPGRADEABLE_LOADER

BPF_PROGRAM = "bpf-program"
UPGRADEABLE_PROGRAM = "upgradeable-program"
ACCOUNT = "account"

MAX_ACCOUNT_BYTES = 10 * 1024 * 1024
# What a file may hold: base64 takes a third more, base58 (short data only) and the rest are small.
_MAX_FILE_BYTES = MAX_ACCOUNT_BYTES * 3 // 2
_U64 = 2**64 - 1


class StartFile(NamedTuple):
    """One option of a start; address "-": the one in the file."""

    kind: str
    address: str
    file: Path
    authority: str = ""


class Initial(NamedTuple):
    """What a file became."""

    loaded: Loaded
    accounts: list[tuple[Pubkey, Account]]


class _FileAccount(msgspec.Struct, rename="camel"):
    lamports: int
    data: tuple[str, str] | str
    owner: str
    executable: bool = False
    rent_epoch: int = _U64


class _AccountFile(msgspec.Struct):
    pubkey: str
    account: _FileAccount


def read(wanted: StartFile, rent: Callable[[int], int]) -> Initial:
    """rent  lamports that exempt so many bytes from rent: programs get them, as from a deploy"""
    content = _content(wanted.file)
    if wanted.kind == ACCOUNT:
        address, accounts = _account(wanted, content)
    else:
        address = _pubkey(wanted.address, f"--{wanted.kind}")
        authority = None
        if wanted.authority:
            authority = _pubkey(wanted.authority, f"--{wanted.kind} {address}")
        accounts = _program(address, content, authority, rent)
    digest = hashlib.sha256(content).hexdigest()
    return Initial(Loaded(wanted.kind, str(address), digest, wanted.authority), accounts)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise Stop(f"cannot read {path}: {error.strerror}", EXIT_USAGE) from None
    if len(content) > _MAX_FILE_BYTES:
        raise Stop(f"{path} is larger than any account or program can be", EXIT_USAGE)
    return content


def _pubkey(text: str, where: str) -> Pubkey:
    try:
        return Pubkey.from_string(text)
    except ValueError:
        raise Stop(f"{where}: {text!r} is no address (base58 of 32 bytes)", EXIT_USAGE) from None


def _program(
    address: Pubkey, elf: bytes, authority: Pubkey | None, rent: Callable[[int], int]
) -> list[tuple[Pubkey, Account]]:
    """The two accounts that the upgradeable loader keeps of a program, deployed in slot 0."""
    code_address, _ = Pubkey.find_program_address([bytes(address)], UPGRADEABLE_LOADER)
    signer = bytes(33) if authority is None else b"\x01" + bytes(authority)
    code = struct.pack("<IQ", 3, 0) + signer + elf
    program = struct.pack("<I", 2) + bytes(code_address)

    def owned(data: bytes, executable: bool) -> Account:
        return Account(rent(len(data)), data, UPGRADEABLE_LOADER, executable, _U64)

    return [(code_address, owned(code, False)), (address, owned(program, True))]


def _account(wanted: StartFile, content: bytes) -> tuple[Pubkey, list[tuple[Pubkey, Account]]]:
    where = f"--{ACCOUNT} {wanted.file}"
    try:
        found = msgspec.json.decode(content, type=_AccountFile)
        stated = found.account
        data = _data(stated.data)
        if not 0 <= stated.lamports <= _U64 or not 0 <= stated.rent_epoch <= _U64:
            raise ValueError("lamports and rentEpoch are numbers of 64 bits")
        if len(data) > MAX_ACCOUNT_BYTES:
            raise ValueError(f"no account has more than {MAX_ACCOUNT_BYTES} bytes")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Stop(
            f"{where} is not what `solana account ADDRESS --output json` writes: {error}",
            EXIT_USAGE,
        ) from None
    owner = _pubkey(stated.owner, where)
    address = _pubkey(found.pubkey if wanted.address == "-" else wanted.address, where)
    if owner == SYSVARS:
        raise Stop(f"{where}: {address} is a sysvar, which the chain itself keeps", EXIT_USAGE)
    account = Account(stated.lamports, data, owner, stated.executable, stated.rent_epoch)
    return address, [(address, account)]


def _data(stated: tuple[str, str] | str) -> bytes:
    text, encoding = (stated, "base58") if isinstance(stated, str) else stated
    if encoding == "base64":
        return b64decode(text)
    if encoding == "base58":
        return b58decode(text)
    raise ValueError(f"data in {encoding} is not read here: write it again with base64")
