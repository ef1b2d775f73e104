"""What mainnet-beta demands before it gets new bytes: real money depends on them.

A cluster is mainnet-beta by its genesis hash, whatever the configuration calls it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cbctl.clients.solana.clusters import MAINNET, PUBLIC
from cbctl.config.types import Reference
from cbctl.engine.step import Blocked, Context
from cbctl.local import build_record, key_backup

if TYPE_CHECKING:
    from cbctl.clients.solana.elf import Elf
    from cbctl.local.build_record import BuildRecord
    from cbctl.local.key_backup import KeyBackup
    from cbctl.steps.program._deploy_facts import Inputs
    from cbctl.steps.program._material import Keys, MadeKeys

_DAY = 86_400.0  # seconds


@dataclass(frozen=True)
class Demands:
    """
    toolchain  tool and version as cbctl.yaml pins them, None: it does not
    days       how old the backup of the keys may be; None: it is not asked for
    """

    toolchain: Mapping[str, str] | None
    days: int | None


def refusal(
    file: str,
    sha256: str,
    demands: Demands,
    build: BuildRecord | None,
    backup: KeyBackup | None,
    keys: Mapping[str, str],
    now: float,
) -> Blocked | None:
    """Why these bytes may not go to mainnet-beta, None when they may.

    file  name of the program's file; sha256: of its content
    keys  whose backup there has to be: addresses by what they are
    """
    return _built(file, sha256, demands.toolchain, build) or _backed_up(
        demands.days, backup, keys, now
    )


def _built(
    file: str, sha256: str, pinned: Mapping[str, str] | None, build: BuildRecord | None
) -> Blocked | None:
    if pinned is None:
        return Blocked(
            f"{MAINNET} takes only a file that a pinned version of cargo build-sbf has built, and "
            "no version is pinned",
            'in cbctl.yaml: program.toolchain: { tool: cargo build-sbf, version: "…" }',
        )
    tool, version = pinned["tool"], pinned["version"]
    again = f"build it with {tool} {version}: cbctl program build"
    if build is None:
        why = f"{MAINNET} takes only a file with a record of its build; {file} has none beside it"
    elif build.sha256 != sha256:
        why = (
            f"the record beside {file} is of another build: of sha256 {build.sha256[:12]}, the "
            f"file has {sha256[:12]}"
        )
    elif (build.tool, build.version) != (tool, version):
        why = (
            f"{file} was built by {build.tool} {build.version}, and cbctl.yaml pins {tool} "
            f"{version}"
        )
    else:
        return None
    return Blocked(why, again)


def _backed_up(
    days: int | None, backup: KeyBackup | None, keys: Mapping[str, str], now: float
) -> Blocked | None:
    if days is None:
        return None
    again = "cbctl program keys backup FILE --identity FILE, for this environment"
    if backup is None:
        return Blocked(f"{MAINNET} demands a proved backup of the keys, and there is none", again)
    held = set(backup.addresses.values())
    for name, address in keys.items():
        if address not in held:
            return Blocked(
                f"the backup of the keys of {backup.when} does not hold {name} ({address})", again
            )
    if now - backup.proved > days * _DAY:
        return Blocked(
            f"the backup of the keys was last proved at {backup.when}, more than {days} days ago",
            again,
        )
    if backup.proved > now + _DAY:
        return Blocked(
            f"the backup of the keys is said to be of {backup.when}, which is in the future",
            f"correct the clock of this machine; {again}",
        )
    return None


# ---- what it is judged by


def demanded(
    ctx: Context,
    inputs: Inputs,
    elf: Elf,
    keys: Keys | MadeKeys,
    genesis: str,
    *,
    days: int | None,
) -> Blocked | None:
    """The same for what a deploy is given; None on every other cluster."""
    if genesis != PUBLIC[MAINNET]:
        return None
    demands = Demands(inputs.toolchain, days)
    backup = None if inputs.keep is None else key_backup.read(inputs.keep)
    build = build_record.read(inputs.elf)
    found = _in_hand(inputs, keys)
    return refusal(inputs.elf.name, elf.sha256, demands, build, backup, found, ctx.wall())


def _in_hand(inputs: Inputs, keys: Keys | MadeKeys) -> dict[str, str]:
    """A key that stays in AWS KMS has no copy, and one that is not here cannot be lost here."""
    found = {}
    in_kms = isinstance(inputs.wallet, Reference) and inputs.wallet.kind == "kms"
    if keys.wallet is not None and not in_kms:
        found["the wallet"] = str(keys.wallet.pubkey())
    if keys.program is not None:
        found["the program's key"] = str(keys.program.pubkey())
    return found
