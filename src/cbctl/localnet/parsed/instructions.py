"""Which parser an instruction's program has."""

from __future__ import annotations

from collections.abc import Callable

from cbctl.localnet.parsed import native
from cbctl.localnet.parsed.reader import Unparsable, utf8
from cbctl.localnet.parsed.token_instructions import parse_token

Parser = Callable[[bytes, list[str]], object]

MEMO_PROGRAMS = (
    "Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo",
    "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr",
    "Memo4c2pN8afCj432Lb7RMVKi9PbQnnW7ewFFaV3oAH",
)


def _memo(data: bytes, _: list[str]) -> object:
    return utf8(data)


_PROGRAMS: dict[str, tuple[str, Parser]] = {
    "AddressLookupTab1e1111111111111111111111111": (
        "address-lookup-table",
        native.parse_lookup_table,
    ),
    "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL": (
        "spl-associated-token-account",
        native.parse_associated,
    ),
    **dict.fromkeys(MEMO_PROGRAMS, ("spl-memo", _memo)),
    "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA": ("spl-token", parse_token),
    "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb": ("spl-token", parse_token),
    "BPFLoader2111111111111111111111111111111111": ("bpf-loader", native.parse_loader),
    "BPFLoaderUpgradeab1e11111111111111111111111": (
        "bpf-upgradeable-loader",
        native.parse_upgradeable_loader,
    ),
    "Stake11111111111111111111111111111111111111": ("stake", native.parse_stake),
    "11111111111111111111111111111111": ("system", native.parse_system),
}


def parse_instruction(program: str, data: bytes, accounts: list[str]) -> tuple[str, object] | None:
    """The program's name and what it was told; None when nobody here knows."""
    known = _PROGRAMS.get(program)
    if known is None:
        return None
    name, parse = known
    if not accounts and parse is not _memo:  # validators look at accounts before anything else
        return None
    try:
        return name, parse(data, accounts)
    except Unparsable:
        return None


def memo_of(instructions: list[tuple[str, bytes]]) -> str | None:
    """The memos among instructions (program, data), as signatures are listed with them."""
    memos = []
    for program, data in instructions:
        if program in MEMO_PROGRAMS:
            try:
                text = utf8(data)
            except Unparsable:
                text = "(unparseable)"
            memos.append(f"[{len(data)}] {text}")
    return "; ".join(memos) or None
