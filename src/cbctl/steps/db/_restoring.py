"""What has to be known before a backup is restored, and what stands in the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cbctl.clients.backups.manifest import Manifest
from cbctl.clients.backups.place import Place, proof_of
from cbctl.clients.postgres.anonymize import gaps, read
from cbctl.config.types import Reference
from cbctl.engine.step import Blocked, Context
from cbctl.steps.db._backups import Where
from cbctl.steps.db._exchange import Live, obstacle, through_pooler
from cbctl.steps.db._roles import Member, WithRoles


@dataclass(frozen=True, kw_only=True)
class Inputs(Where, WithRoles):
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

    @property
    def whose(self) -> str:
        """The environment whose backup it is."""
        return self.source.rpartition("/")[2] or self.environment


@dataclass(frozen=True)
class Facts:
    """of        whose backup it is
    digest    of its manifest
    server, tool  major versions: of the backup, and of a pg_restore that will do (0: none will)
    taken     there is a database of the name `into`
    gaps      columns that the classification does not name, or names in vain
    version   of the backup's schema; 0: it was not migrated, so its roles get no rights yet
    members   all roles of the settings; missing: those that are to be made before
    strangers roles that the backup names and nobody has
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
    version: int
    members: tuple[str, ...]
    missing: tuple[Member, ...]
    strangers: tuple[str, ...]
    may_make_roles: bool


def gaps_of(inputs: Inputs, manifest: Manifest) -> tuple[str, ...]:
    if inputs.anonymize is None:
        return ()
    return tuple(gaps(read(inputs.anonymize), manifest.objects, manifest.tables))


def notes(
    ctx: Context,
    inputs: Inputs,
    place: Place,
    manifest: Manifest,
    live: Live,
    members: tuple[str, ...],
) -> Iterator[str]:
    age = ctx.wall() - datetime.fromisoformat(manifest.made_at).timestamp()
    yield f"the backup is {_span(age)} old"
    proof = proof_of(place, manifest)
    if proof is None:
        yield "it was never proved (cbctl db verify-backup)"
    elif proof.problems:
        yield f"it is not what it should be ({proof.at}): {proof.problems[0]}"
    else:
        yield f"proved {proof.at}"
    here = f"the live one's is {live.version:04d}" if live.there else "there is no live one"
    yield f"its schema is {manifest.schema_version:04d}, {here}"
    if inputs.backup == "last" and (newest := place.ids()[-1]) != manifest.id:
        yield f"there is a newer one, {newest}, that cannot be read"
    if members and not manifest.schema_version:
        yield "it was never migrated, so the roles get no rights: cbctl db migrate and db roles do"


def _span(seconds: float) -> str:
    for unit, length in (("days", 2 * 86_400), ("hours", 2 * 3_600), ("minutes", 120)):
        if seconds >= length:
            return f"{seconds // (length / 2):.0f} {unit}"
    return f"{max(0.0, seconds):.0f} seconds"


def obstacle_to(inputs: Inputs, facts: Facts, command: str) -> Blocked | None:
    """command: the one that was given"""
    if blocked := _wrong_data(inputs, facts):
        return blocked
    if inputs.into and inputs.replace:
        return Blocked("--into and --replace exclude each other", "use one of them")
    if inputs.into and facts.taken:
        return Blocked(f"there is a database {inputs.into} already", "choose another name")
    found = (
        through_pooler(facts.live)
        if inputs.into
        else obstacle(facts.live, inputs, inputs.replace, restore=command)
    )
    return found or _unable(facts) or _of_roles(facts)


def _wrong_data(inputs: Inputs, facts: Facts) -> Blocked | None:
    own = str(inputs.marker)
    if facts.of != (inputs.source or own):
        return Blocked(f"the backup {facts.backup} is of {facts.of}", "name one of the right place")
    if facts.of != own and inputs.protected:
        return Blocked("a protected environment takes no data of another", "")
    if facts.of != own and inputs.anonymize is None:
        return Blocked("the data of another environment comes only anonymized", "say --anonymize")
    if inputs.anonymize is not None and inputs.protected:
        return Blocked(
            f"{own} is protected: its people are not made other people",
            "--env names the environment that the copy is for",
        )
    if inputs.anonymize is not None and facts.of == own and not inputs.into:
        return Blocked(
            f"the backup is {own}'s own: the people in its live database would become other people",
            "--env ANOTHER, or --into NAME for a copy beside it",
        )
    if facts.encrypted and inputs.identity is None:
        return Blocked(
            "the backup is encrypted",
            "--identity FILE opens it, or --identity secret:NAME#KEY inside a cluster",
        )
    if facts.gaps:
        more = f" (and {len(facts.gaps) - 3} more)" if len(facts.gaps) > 3 else ""
        return Blocked("; ".join(facts.gaps[:3]) + more, f"correct {inputs.anonymize}")
    return None


def _unable(facts: Facts) -> Blocked | None:
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


def _of_roles(facts: Facts) -> Blocked | None:
    if facts.missing and not facts.may_make_roles:
        return Blocked(
            f"{', '.join(one.name for one in facts.missing)}: not there, and {facts.live.admin} may"
            " not make roles",
            "name one that may (CREATEROLE): database.admin in cbctl.yaml",
        )
    if facts.strangers:
        names = ", ".join(facts.strangers)
        return Blocked(
            f"the backup gives something to roles that this server does not have: {names}",
            "CREATE ROLE each of them as an administrator; or cbctl db clone --from "
            f"{facts.backup}, which takes nothing of what roles may do (but for policies)",
        )
    return None
