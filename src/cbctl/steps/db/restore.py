"""`db.restore`: restores a backup beside the live database, and exchanges them by their names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from cbctl.clients.backups.gather import gather, table_of_contents
from cbctl.clients.backups.manifest import Manifest
from cbctl.clients.backups.named_roles import named_roles
from cbctl.clients.backups.place import Place, find, find_readable
from cbctl.clients.backups.prove import compare, create_for, reason, restore
from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.anonymize import anonymize, give_to
from cbctl.clients.postgres.anonymize import read as read_rules
from cbctl.clients.postgres.connect import connect
from cbctl.clients.postgres.databases import (
    copy_settings,
    drop_database,
    exists,
    may_create,
    note,
    noted,
    open_database,
    swap,
)
from cbctl.clients.postgres.ledger import foreign, survey
from cbctl.clients.postgres.tools import ToolFailed, Tools, Work, major_of, restoring
from cbctl.engine.step import (
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
from cbctl.steps.db._backups import all_tools, identity_in, work_in
from cbctl.steps.db._exchange import (
    RESTORED,
    Live,
    begun,
    look,
    stamped,
)
from cbctl.steps.db._restoring import Facts, Inputs, gaps_of, notes, obstacle_to
from cbctl.steps.db._roles import (
    addresses,
    give_rights,
    make_missing,
    may,
    missing,
)

_DATABASE, _BACKUP = "database ", "backup "


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
    grants: ClassVar[bool] = True
    """With what roles may do by the backup."""
    command: ClassVar[str] = "cbctl db restore"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        place = inputs.open()
        manifest = find_readable(place, inputs.backup, inputs.whose)
        admin = inputs.administrator(ctx)
        live = look(ctx, inputs)
        tools = restoring(all_tools(), live.server, manifest.tools)
        named = self._named_roles(ctx, inputs, place, manifest, tools)
        lacking, strangers, may_make_roles = missing(ctx, inputs, named)
        members = tuple(one.user for one in addresses(ctx, inputs).values())
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
                gaps=gaps_of(inputs, manifest),
                encrypted=bool(manifest.recipient),
                version=manifest.schema_version,
                members=members,
                missing=lacking,
                strangers=strangers,
                may_make_roles=may_make_roles,
            ),
            {
                "made": manifest.made_at,
                "rows": manifest.contents.rows,
                "notes": "; ".join(notes(ctx, inputs, place, manifest, live, members)),
            },
        )

    def _named_roles(
        self, ctx: Context, inputs: Inputs, place: Place, manifest: Manifest, tools: Tools | None
    ) -> frozenset[str]:
        if tools is None or (manifest.recipient and inputs.identity is None):
            return frozenset()  # it is refused anyway
        with scratch(State.at(inputs.state), "look") as made:
            work = work_in(made, ctx, inputs.jobs)
            archive = table_of_contents(place, manifest, work, identity_in(ctx, inputs.identity))
            if archive is None:
                return frozenset()
            return named_roles(archive, tools, work, grants=self.grants)

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if blocked := obstacle_to(inputs, facts, self.command):
            return blocked
        changes = [change for one in facts.missing for change in one.changes]
        if inputs.anonymize is not None:
            done = f"anonymized as {inputs.anonymize.name} says"
            changes.append(Change(f"data of {facts.of}", None, done))
        if facts.members and facts.version:
            changes += [
                Change(f"rights of {one}", None, "as database.roles says")
                for one in (*facts.members, "everybody")
            ]
        name = facts.live.name
        if facts.live.there and not inputs.into:
            after = "put aside as it is, until it is pruned"
            changes.append(Change(f"{_DATABASE}{name}", "live", after))
        new = f"{_DATABASE}{inputs.into or name}"
        return Changes((*changes, Change(new, None, f"{_BACKUP}{facts.backup}")))

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
        manifest = find(inputs.open(), _text(intent, "backup"), inputs.whose)
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
            make_missing(ctx, inputs, [change.what for change in changes])
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
            restore(found.archive, address, tools, work, grants=self.grants)
            if problems := compare(address, manifest, work):
                raise _unreliable(manifest, problems)
            _require_own(address, inputs)
            if inputs.anonymize is not None:
                ctx.progress("anonymizing")
                anonymize(address, read_rules(inputs.anonymize))
                give_to(address, inputs.marker)
            open_database(admin, name, live.name)
            if (theirs := addresses(ctx, inputs)) and manifest.schema_version:
                give_rights(address, may(inputs, theirs))
        except ToolFailed as error:
            drop_database(admin, name)
            raise CbctlError(
                f"the backup cannot be restored: {reason(error)}",
                where=manifest.id,
                fix=_what_to_do(error, manifest),
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


def _require_own(address: Address, inputs: Inputs) -> None:
    """What the manifest says of it anybody could have written who may write there.

    Raises CbctlError (7) for the data of another environment, which is only to be anonymized."""
    with connect(address) as connection:
        found = survey(connection, address).marker
    if inputs.anonymize is None and found not in (None, inputs.marker):
        assert found is not None
        raise foreign(found, inputs.marker)


def _what_to_do(error: ToolFailed, manifest: Manifest) -> str:
    if "role " in error.said or "change default privileges" in error.said:
        return (
            "roles that the backup names must be there, and be ours to change where their defaults "
            f"are; cbctl db clone --from {manifest.id} takes nothing of what they may do"
        )
    return f"cbctl db verify-backup {manifest.id} says whether it can be restored anywhere"


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
