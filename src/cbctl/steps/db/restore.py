"""`db.restore`: restores a backup beside the live database, and exchanges them by their names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cbctl.clients.backups.gather import gather
from cbctl.clients.backups.manifest import Manifest
from cbctl.clients.backups.place import find
from cbctl.clients.backups.prove import compare, create_for, reason, restore
from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.anonymize import anonymize, gaps, give_to
from cbctl.clients.postgres.anonymize import read as read_rules
from cbctl.clients.postgres.databases import (
    copy_settings,
    drop_database,
    exists,
    may_create,
    note,
    noted,
    swap,
)
from cbctl.clients.postgres.tools import ToolFailed, Tools, Work, major_of, restoring
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
from cbctl.local.scratch import scratch
from cbctl.local.state import State
from cbctl.steps.db._backups import Where, all_tools, identity_in, work_in
from cbctl.steps.db._exchange import (
    RESTORED,
    Live,
    Whose,
    begun,
    look,
    obstacle,
    stamped,
)

_DATABASE, _BACKUP = "database ", "backup "


@dataclass(frozen=True, kw_only=True)
class Inputs(Where, Whose):
    """backup    its id, or `last`
    replace   name of the live database that it is to take the place of, typed
    into      name of a new database instead: the live one stays as it is
    source    platform/environment whose backup it is; "" for this one
    anonymize  file that classifies the columns: what it says is done before anybody connects
    protected  nobody else's data comes into this environment
    identity  of age, that opens an encrypted one
    jobs      how many tables side by side; 0: as many as this machine has processors, at most 4
    """

    backup: str
    replace: str = ""
    into: str = ""
    source: str = ""
    anonymize: Path | None = None
    protected: bool = False
    identity: Reference | None = None
    jobs: int = 0


@dataclass(frozen=True)
class Facts:
    """of        whose backup it is
    digest    of its manifest
    server, tool  major versions: of the backup, and of a pg_restore that will do (0: none will)
    taken     there is a database of the name `into`
    gaps      columns that the classification does not name, or names in vain
    """

    live: Live
    backup: str
    of: str
    digest: str
    server: int
    tool: int
    may_create: bool
    taken: bool
    gaps: tuple[str, ...]
    encrypted: bool


@dataclass(frozen=True)
class Outcome:
    """replaced: the name that what was live has now; "" when nothing was"""

    backup: str
    database: str
    replaced: str
    rows: int


class Restore(Step[Inputs, Facts, Outcome]):
    inputs = Inputs
    summary = "Restores a backup of the database"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        manifest = find(inputs.open(), inputs.backup)
        admin = inputs.administrator(ctx)
        live = look(ctx, inputs)
        tools = restoring(all_tools(), live.server, manifest.tools)
        return Observation(
            Facts(
                live=live,
                backup=manifest.id,
                of=f"{manifest.platform}/{manifest.environment}",
                digest=manifest.digest,
                server=major_of(manifest.server),
                tool=tools.major if tools else 0,
                may_create=may_create(admin),
                taken=bool(inputs.into) and exists(admin, inputs.into),
                gaps=_gaps(inputs, manifest),
                encrypted=bool(manifest.recipient),
            ),
            {"made": manifest.made_at, "rows": manifest.contents.rows},
        )

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if blocked := _obstacle(inputs, facts):
            return blocked
        if inputs.into:
            return Changes((_restored(inputs.into, facts.backup),))
        name = facts.live.name
        aside = Change(f"{_DATABASE}{name}", "live", "put aside as it is, until it is pruned")
        new = _restored(name, facts.backup)
        return Changes((aside, new) if facts.live.there else (new,))

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        """The names that databases get; which backup was agreed to, for there may be a newer one
        by now. From the plan alone: the database may not be reached from here."""
        new = changes[-1]
        name = new.what.removeprefix(_DATABASE)
        return {
            "backup": str(new.after).removeprefix(_BACKUP),
            "beside": inputs.into or stamped(ctx, name, "restore"),
            "aside": stamped(ctx, name, "replaced"),
        }

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        manifest = find(inputs.open(), _text(intent, "backup"))
        beside, aside = _text(intent, "beside"), _text(intent, "aside")
        admin, live = inputs.administrator(ctx), look(ctx, inputs)
        unfinished = noted(admin, inputs.restoring(live.name))
        if not (exists(admin, aside) or beside in noted(admin, RESTORED)):
            for name in unfinished:  # by this run before it was killed, or by an earlier one
                drop_database(admin, name)
            if exists(admin, beside):
                raise CbctlError(
                    f"there is a database {beside} that nobody says what it is for",
                    exit=Exit.REFUSED,
                    fix="drop it if nobody needs it, and resume",
                )
            tools = restoring(all_tools(), live.server, manifest.tools)
            if tools is None or (live.there and not (inputs.replace or inputs.into)):
                raise CbctlError("it changed since the plan was made", exit=Exit.REFUSED)
            with scratch(State.at(inputs.state), "restore") as made:
                work = work_in(made, ctx, inputs.jobs)
                self._restore(ctx, inputs, manifest, admin, live, beside, tools, work)
            ctx.fence()
            if inputs.into:
                note(admin, beside, f"{RESTORED}{manifest.id}")
            else:
                said = f"{inputs.replaced(live.name)}{manifest.id}"
                swap(admin, live.name, beside, aside, said, there=live.there)
        rows = manifest.contents.rows
        replaced = aside if exists(admin, aside) else ""
        return Outcome(manifest.id, inputs.into or live.name, replaced, rows)

    def _restore(
        self,
        ctx: Context,
        inputs: Inputs,
        manifest: Manifest,
        admin: Address,
        live: Live,
        name: str,
        tools: Tools,
        work: Work,
    ) -> None:
        """Into a new database that is dropped when it is not as it should be."""
        found = gather(inputs.open(), manifest, tools, work, identity_in(ctx, inputs.identity))
        if found.archive is None or found.problems:
            raise _unreliable(manifest, list(found.problems))
        address = replace(inputs.address(ctx), database=name)
        ctx.fence()
        create_for(admin, name, manifest, owner=address.user)
        note(admin, name, inputs.restoring(live.name) + begun(ctx))
        try:
            if live.there:
                copy_settings(admin, live.name, name)
            restore(found.archive, address, tools, work, grants=True)
            if problems := compare(address, manifest, work):
                raise _unreliable(manifest, problems)
            if inputs.anonymize is not None:
                ctx.progress("anonymizing")
                anonymize(address, read_rules(inputs.anonymize))
                give_to(address, inputs.marker)
        except ToolFailed as error:
            drop_database(admin, name)
            raise CbctlError(
                f"the backup cannot be restored: {reason(error)}",
                where=manifest.id,
                fix="roles that it grants something to must be there: see cbctl db verify-backup",
            ) from None
        except BaseException:
            drop_database(admin, name)
            raise

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        raise CbctlError("nothing was restored", exit=Exit.FAILED)

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        """Rows and schema were compared before the exchange; here, that it took place."""
        admin, live = inputs.administrator(ctx), inputs.address(ctx).database
        name = inputs.into or live
        if not exists(admin, name) or name in noted(admin, inputs.restoring(live)):
            return NotVerified(f"the database {name} is not there", "run the restore again")
        return Verified({"database": name})

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("cbctl db restore --undo exchanges the databases again")


def _restored(name: str, backup: str) -> Change:
    return Change(f"{_DATABASE}{name}", None, f"{_BACKUP}{backup}")


def _gaps(inputs: Inputs, manifest: Manifest) -> tuple[str, ...]:
    if inputs.anonymize is None:
        return ()
    return tuple(gaps(read_rules(inputs.anonymize), manifest.objects, manifest.tables))


def _obstacle(inputs: Inputs, facts: Facts) -> Blocked | None:
    own = str(inputs.marker)
    if facts.of != (inputs.source or own):
        return Blocked(f"the backup {facts.backup} is of {facts.of}", "name one of the right place")
    if facts.of != own and inputs.protected:
        return Blocked("a protected environment takes no data of another", "")
    if facts.of != own and inputs.anonymize is None:
        return Blocked("the data of another environment comes only anonymized", "say --anonymize")
    if facts.encrypted and inputs.identity is None:
        return Blocked(
            "the backup is encrypted",
            "--identity FILE opens it, or --identity secret:NAME#KEY inside a cluster",
        )
    if facts.gaps:
        more = f" (and {len(facts.gaps) - 3} more)" if len(facts.gaps) > 3 else ""
        return Blocked("; ".join(facts.gaps[:3]) + more, f"correct {inputs.anonymize}")
    if inputs.into and inputs.replace:
        return Blocked("--into and --replace exclude each other", "use one of them")
    if inputs.into and facts.taken:
        return Blocked(f"there is a database {inputs.into} already", "choose another name")
    if not inputs.into and (blocked := obstacle(facts.live, inputs, inputs.replace)):
        return blocked
    if not facts.may_create:
        return Blocked(
            "this role may not create databases",
            "name one that may: database.admin in cbctl.yaml",
        )
    if facts.live.server < facts.server or not facts.tool:
        return Blocked(
            f"the backup is of Postgres {facts.server}, the server is {facts.live.server}, and no "
            "pg_restore here fits both",
            f"install the client programs of Postgres {facts.live.server}",
        )
    return None


def _unreliable(manifest: Manifest, problems: list[str]) -> CbctlError:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return CbctlError(
        f"the backup is not what its manifest says: {(problems or ['nothing in it'])[0]}{more}",
        exit=Exit.DIFFERS,
        where=manifest.id,
        fix="cbctl db verify-backup names everything; choose another backup",
        evidence={"problems": problems[:20]},
    )


def _text(intent: Any, name: str) -> str:
    found = intent.get(name) if isinstance(intent, dict) else None
    if not isinstance(found, str) or not found:
        raise CbctlError("the journal does not say what this run restores", exit=Exit.FAILED)
    return found


STEP = Restore()
