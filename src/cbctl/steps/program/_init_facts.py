"""What `program.init` is given, and what it sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cbctl.config.types import Reference
from cbctl.engine.step import Json


@dataclass(frozen=True)
class Inputs:
    """
    rpc           URL of the cluster's JSON-RPC, or of several endpoints of it
    idl           the program's IDL
    program_id    the program's address
    wallet        keypair that signs and pays
    instruction   its name in the IDL
    account       account type of the IDL whose fields hold the arguments afterwards
    arguments     by their names in the IDL; addresses in base58
    at            which of the instruction's accounts that is; none: its only new account
    accounts      addresses of accounts that the IDL does not tell
    allowed       the only addresses that an argument may have, by its path
    changed_by    instruction of the IDL that changes these values later
    genesis_hash  what the cluster must answer; none: any cluster
    program_step  id of the step that deploys the program; "": none does
    """

    rpc: Reference | str | tuple[Reference | str, ...]
    idl: Path
    program_id: str
    wallet: Path | Reference
    instruction: str
    account: str
    arguments: Mapping[str, Any]
    at: str | None = None
    accounts: Mapping[str, Reference | str] = field(default_factory=dict)
    allowed: Mapping[str, tuple[Reference | str, ...]] = field(default_factory=dict)
    changed_by: str | None = None
    genesis_hash: str | None = None
    program_step: str = "program"


@dataclass(frozen=True)
class Facts:
    """
    problem      what is wrong with arguments or IDL
    address      of the account, None when it cannot be told
    state        of the account: absent, there, foreign
    differences  (field, on chain, wanted), where it is there
    refusal      what the program would answer to the instruction, None: it would take it
    unreadable   argument fields that the account does not show
    """

    problem: str | None = None
    answers: bool = False
    genesis_hash: str | None = None
    deployed: bool = False
    address: str | None = None
    state: str = "absent"
    differences: tuple[tuple[str, Json, Json], ...] = ()
    refusal: str | None = None
    unreadable: tuple[str, ...] = ()
