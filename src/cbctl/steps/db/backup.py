"""`db.backup`: takes a backup of the database."""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cbctl import __version__
from cbctl.clients import age
from cbctl.clients.backups import manifest as manifests
from cbctl.clients.backups.make import Told, make
from cbctl.clients.backups.manifest import Manifest, is_id
from cbctl.clients.backups.place import Place, is_whole, kept
from cbctl.clients.postgres.connect import connect
from cbctl.clients.postgres.ledger import Marker, foreign, survey
from cbctl.clients.postgres.tools import Work, usable
from cbctl.config.types import Reference
from cbctl.engine.step import (
    Blocked,
    CannotUndo,
    Change,
    Changes,
    Context,
    Json,
    NotVerified,
    Observation,
    PlanVerdict,
    Step,
    Verdict,
    Verified,
)
from cbctl.errors import CbctlError, Exit
from cbctl.local.files import write_atomic
from cbctl.local.scratch import scratch
from cbctl.local.state import State
from cbctl.steps.db._backups import Where, all_tools, work_in
from cbctl.steps.db._database import address_of


@dataclass(frozen=True, kw_only=True)
class Inputs(Where):
    """url        of the role that owns the schema
    platform, environment  whose database it must be
    who, host  who makes it, as the manifest says
    recipient  whom it is encrypted for; None: nobody
    checksums  of each table, beside its count
    jobs       how many tables side by side; 0: as many as this machine has processors, at most 4
    """

    url: Reference
    platform: str
    environment: str
    who: str
    host: str
    recipient: str | None = None
    checksums: bool = True
    jobs: int = 0


@dataclass(frozen=True)
class Facts:
    """marker: whose database it is; pooled: a pooler in transaction mode is in between;
    server, tool: major versions, 0 where no tool will do"""

    database: str
    marker: Marker | None
    pooled: bool
    server: int
    tool: int


@dataclass(frozen=True)
class Outcome:
    """manifest: sha256 of what the manifest says; rows: of all tables"""

    backup: str
    place: str
    bytes: int
    tables: int
    rows: int
    schema_version: int
    manifest: str


class Backup(Step[Inputs, Facts, Outcome]):
    inputs = Inputs
    summary = "Takes a backup of the database"
    replaces_runs = False

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        if inputs.recipient:
            age.require_recipient(inputs.recipient)
        address = address_of(ctx, inputs.url)
        with connect(address) as connection:
            found = survey(connection, address)
            server = connection.info.server_version // 10_000
        tools = usable(all_tools(), server)
        return Observation(
            Facts(address.database, found.marker, found.pooled, server, tools.major if tools else 0)
        )

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        wanted = Marker(inputs.platform, inputs.environment)
        if facts.marker is not None and facts.marker != wanted:
            error = foreign(facts.marker, wanted)
            return Blocked(error.what, error.fix)
        if facts.pooled:
            return Blocked(
                "a connection pooler in transaction mode is between cbctl and Postgres; a snapshot "
                "cannot be shared through it",
                "use the URL of the database itself",
            )
        if not facts.tool:
            return Blocked(
                f"the server is Postgres {facts.server}, and no pg_dump here is that new",
                f"install the client programs of Postgres {facts.server}",
            )
        return Changes((Change(f"backup of {facts.database}", None, f"in {inputs.place}"),))

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        """Its id, by which a resumed run finds what there is of it."""
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(ctx.wall()))
        return {"backup": f"{now}-{_ending(ctx.run)}"}

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        id = _id(intent)
        place = inputs.open()
        if id in place.ids():
            return _outcome(inputs, _manifest(place, id))
        with scratch(State.at(inputs.state), f"backup-{id}", goes_on=manifests.NAME) as made:
            place.clean(but=id)
            work = work_in(made, ctx, inputs.jobs)
            stage = made.path / "stage"
            written = made.path / manifests.NAME
            if not (stage.exists() and written.exists()):
                stage = place.stage(id, made.path)
                try:
                    manifest = self._make(ctx, inputs, id, work, stage)
                except BaseException:
                    shutil.rmtree(stage, ignore_errors=True)
                    raise
                write_atomic(written, manifests.to_bytes(manifest))
            ctx.fence()
            place.keep(id, stage, written.read_bytes(), work.pause, ctx.progress)
        return _outcome(inputs, _manifest(place, id))

    def _make(self, ctx: Context, inputs: Inputs, id: str, work: Work, stage: Path) -> Manifest:
        tools = usable(all_tools(), self.observe(ctx, inputs).facts.server)
        if tools is None:
            raise CbctlError("the programs of Postgres are gone", exit=Exit.FAILED)
        return make(
            address_of(ctx, inputs.url),
            tools,
            work,
            Told(
                id,
                inputs.platform,
                inputs.environment,
                inputs.who,
                inputs.host,
                ctx.run,
                __version__,
            ),
            stage,
            recipient=inputs.recipient or "",
            checksums=inputs.checksums,
        )

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        raise CbctlError("there is no backup of this run", exit=Exit.FAILED)

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        """That it is where it should be, whole by its sizes; `db verify-backup` proves it."""
        place = inputs.open()
        for one in reversed(kept(place, {})):
            if one.problem and one.id.endswith(_ending(ctx.run)):
                return NotVerified(f"the backup {one.id}: {one.problem}", "take another one")
            if one.manifest and one.manifest.run == ctx.run and is_whole(place, one.manifest):
                said = "no: cbctl db verify-backup does that"
                return Verified({"backup": one.id, "proved": said})
        return NotVerified("the backup of this run is not there, whole", "take another one")

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("a backup that was made stays; cbctl db prune removes old ones")


def _ending(run: str) -> str:
    """Of the id of a run's backup."""
    return f"{re.sub('[^0-9a-z]', '', run)[-6:]:0>6}"


def _id(intent: Any) -> str:
    id = intent.get("backup") if isinstance(intent, dict) else None
    if not isinstance(id, str) or not is_id(id):
        raise CbctlError("the journal names no backup", exit=Exit.FAILED)
    return id


def _manifest(place: Place, id: str) -> Manifest:
    return manifests.read(place.read(id, manifests.NAME) or b"", f"{id}/{manifests.NAME}")


def _outcome(inputs: Inputs, manifest: Manifest) -> Outcome:
    return Outcome(
        backup=manifest.id,
        place=inputs.place,
        bytes=manifest.size,
        tables=len(manifest.tables),
        rows=manifest.contents.rows,
        schema_version=manifest.schema_version,
        manifest=manifest.digest,
    )


STEP = Backup()
