"""How the program's file is made, and how its keys are kept."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Command = Annotated[tuple[str, ...], Meta(min_length=1)]


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What turns the program's sources into `elf`. Commands are lists of words, run in the folder
    of this file by no shell."""

    build: Annotated[Command | None, Meta(description="builds `elf` and `idl`")] = None
    test: Annotated[Command | None, Meta(description="fails when the program is wrong")] = None


class Toolchain(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What `elf` has to be built by. mainnet-beta takes nothing else."""

    tool: Annotated[Literal["cargo build-sbf"], Meta(description="the one of Solana's own tools")]
    version: Annotated[
        str,
        Meta(
            pattern=r"^[0-9]+\.[0-9]+\.[0-9]+\S*$",
            title='a version in quotes, such as "4.0.0"',
            description="the first one that `cargo build-sbf --version` prints",
        ),
    ]


class Backup(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The backup of the keypairs: `cbctl program keys backup`."""

    recipient: Annotated[
        str | None,
        Meta(
            pattern=r"^(age1|ssh-)\S.*$",
            title="an age recipient (age1…) or an SSH public key",
            description="whom it is encrypted for; public, the identity that opens it is not",
        ),
    ] = None
    days: Annotated[
        int,
        Meta(ge=1, le=3650, description="how old the last proved one may be on mainnet-beta"),
    ] = 30
