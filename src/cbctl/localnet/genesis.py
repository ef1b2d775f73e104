"""What a chain starts from. It belongs to the state for good: a later start may say it again, not
otherwise."""

from __future__ import annotations

import msgspec

from cbctl.localnet.errors import EXIT_REFUSED, Stop

DEFAULT_SLOT_MS = 200


class Loaded(msgspec.Struct, frozen=True, order=True):
    """A program or account that the chain had from its first slot.

    kind       "account", "bpf-program" or "upgradeable-program": the option that named it
    sha256     of the file's bytes
    authority  who may upgrade the program, "" for nobody
    """

    kind: str
    address: str
    sha256: str
    authority: str = ""


class Genesis(msgspec.Struct, frozen=True):
    """Hashes and seeds are 64 hex digits, features and addresses base58."""

    genesis_hash: str
    blockhash_seed: str
    faucet_seed: str
    faucet_lamports: int
    first_slot: int
    unix_time: int
    vm: str  # version of the VM that made the first slot
    slot_ms: int = DEFAULT_SLOT_MS
    activated: tuple[str, ...] = ()
    deactivated: tuple[str, ...] = ()
    loaded: tuple[Loaded, ...] = ()


class Wanted(msgspec.Struct, frozen=True):
    """What a start asks for; None and empty: as the state has it."""

    slot_ms: int | None = None
    activated: tuple[str, ...] = ()
    deactivated: tuple[str, ...] = ()
    loaded: tuple[Loaded, ...] = ()


def check(genesis: Genesis, wanted: Wanted) -> None:
    """Refuses what the chain did not start with."""
    if wanted.slot_ms not in (None, genesis.slot_ms):
        raise _refused(
            f"its slots take {genesis.slot_ms} ms, and --slot-ms says {wanted.slot_ms}", "--slot-ms"
        )
    for option, has, asked in (
        ("--feature", genesis.activated, wanted.activated),
        ("--deactivate-feature", genesis.deactivated, wanted.deactivated),
    ):
        if asked and set(asked) != set(has):
            raise _refused(f"{option} was {', '.join(has) or 'not given'} then", option)
    for kind in sorted({item.kind for item in wanted.loaded}):
        has_now = {item for item in genesis.loaded if item.kind == kind}
        asked_now = {item for item in wanted.loaded if item.kind == kind}
        if has_now != asked_now:
            raise _refused(_difference(has_now, asked_now), f"--{kind}")


def _difference(has: set[Loaded], asked: set[Loaded]) -> str:
    known = {item.address for item in has}
    for item in sorted(asked - has):
        if item.address in known:
            return f"--{item.kind} {item.address} names another file or authority than then"
        return f"--{item.kind} {item.address} was not given then"
    missing = min(has - asked)
    return f"--{missing.kind} {missing.address} was given then, and is missing now"


def _refused(what: str, option: str) -> Stop:
    return Stop(
        f"this chain was started otherwise: {what}. Leave {option} out to go on with the chain, or "
        "reset it to start a new one",
        EXIT_REFUSED,
    )
