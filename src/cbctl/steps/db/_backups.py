"""What the steps on backups have in common: the place, the programs, how those are run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cbctl.clients.backups.place import Place, open_place
from cbctl.clients.postgres.tools import Tools, Work, jobs_here
from cbctl.config.types import Reference
from cbctl.engine.step import Context, StateFolder
from cbctl.local.binaries import postgres_tools
from cbctl.local.scratch import Scratch


@dataclass(frozen=True, kw_only=True)
class Where:
    """
    place       folder or s3://BUCKET/PREFIX that the backups are kept in
    encryption  S3: how the bucket encrypts them; kms_key: with which key
    state       folder of the environment's state, for what is thrown away
    """

    place: str
    state: StateFolder
    encryption: str = "AES256"
    kms_key: str | None = None

    def open(self) -> Place:
        return open_place(self.place, encryption=self.encryption, kms_key=self.kms_key)


@dataclass(frozen=True, kw_only=True)
class Recorded(Where):
    """proved  by their ids, digests of the manifests of the backups that the history of the
    environment says were proved: it is not reached from where the step may be carried out
    """

    proved: Mapping[str, str] = field(default_factory=dict)


def all_tools() -> list[Tools]:
    return [Tools(found.path.parent, found.major) for found in postgres_tools()]


def work_in(made: Scratch, ctx: Context, jobs: int) -> Work:
    return Work(
        folder=made.path,
        jobs=jobs_here(jobs),
        pause=ctx.sleep,
        progress=ctx.progress,
        variables=made.variables,
    )


def identity_in(ctx: Context, identity: Reference | None) -> str:
    """The secret that opens encrypted backups; "" when none is named."""
    return "" if identity is None else ctx.reveal(identity).reveal()
