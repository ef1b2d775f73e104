"""`db.seed`: fills the database with invented data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.connect import connect, explain, failed
from cbctl.clients.postgres.inside import open_inside
from cbctl.clients.postgres.ledger import Marker, foreign, survey
from cbctl.clients.postgres.migrations import read_text
from cbctl.clients.postgres.script import Script
from cbctl.clients.postgres.session import NotHeld, check
from cbctl.config.types import Reference
from cbctl.engine.step import (
    Blocked,
    CannotUndo,
    Change,
    Changes,
    Context,
    Json,
    Nothing,
    NotVerified,
    Observation,
    PlanVerdict,
    Step,
    Verdict,
    Verified,
)
from cbctl.steps.db._database import address_of

FOLDER = "seeds"


@dataclass(frozen=True)
class Inputs:
    """url        of the role that owns the schema
    folder     migrations; `seeds/PROFILE.sql` below it is what runs, in one transaction, and
               `seeds/PROFILE.verify.sql`, where there is one, says whether the data is there
    platform, environment  whose database it must be
    profile    which data
    protected  no invented data comes into this environment
    """

    url: Reference
    folder: Path
    platform: str
    environment: str
    profile: str
    protected: bool


@dataclass(frozen=True)
class Facts:
    """there   the data is there; None: nothing says so
    profiles  that the folder has
    """

    marker: Marker | None
    profiles: tuple[str, ...]
    there: bool | None


@dataclass(frozen=True)
class Outcome:
    profile: str


class Seed(Step[Inputs, Facts, Outcome]):
    inputs = Inputs
    summary = "Fills the database with invented data"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        profiles = _profiles(inputs)
        address = address_of(ctx, inputs.url)
        with connect(address) as connection:
            marker = survey(connection, address).marker
        there = _there(address, inputs) if inputs.profile in profiles else None
        return Observation(Facts(marker, profiles, there))

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if inputs.protected:
            return Blocked("a protected environment takes no invented data", "")
        wanted = Marker(inputs.platform, inputs.environment)
        if facts.marker != wanted:
            if facts.marker is None:
                return Blocked(
                    f"nothing in this database says that it belongs to {wanted}",
                    "cbctl db migrate first",
                )
            error = foreign(facts.marker, wanted)
            return Blocked(error.what, error.fix)
        if inputs.profile not in facts.profiles:
            known = ", ".join(facts.profiles) or "none"
            return Blocked(
                f"there is no profile {inputs.profile!r}: {known}",
                f"write it: {inputs.folder / FOLDER / f'{inputs.profile}.sql'}",
            )
        if facts.there:
            return Nothing(f"the data of {inputs.profile} is there")
        return Changes((Change(f"data of {inputs.profile}", None, "invented"),))

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        import psycopg

        address = address_of(ctx, inputs.url)
        script = _script(inputs, "")
        words, where, inside = script.runnable(), str(script.path), None
        title = f"{FOLDER}/{script.path.name}"
        with connect(address) as connection:
            ctx.fence()
            try:
                with connection.transaction():
                    inside = open_inside(connection)
                    inside.run(words, title, where)
            except psycopg.Error as error:
                if inside and inside.kept:
                    raise inside.ended(title, where, explain(error, address)) from None
                raise failed(error, address, f"{title} failed") from None
        return Outcome(inputs.profile)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome(inputs.profile)

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        if _there(address_of(ctx, inputs.url), inputs) is False:
            return NotVerified(
                f"seeds/{inputs.profile}.verify.sql does not hold", "correct one of the two files"
            )
        return Verified({"profile": inputs.profile})

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("nobody can tell invented rows from others; restore a backup")


def _profiles(inputs: Inputs) -> tuple[str, ...]:
    names = (path.name for path in (inputs.folder / FOLDER).glob("*.sql"))
    return tuple(sorted(n.removesuffix(".sql") for n in names if not n.endswith(".verify.sql")))


def _script(inputs: Inputs, kind: str) -> Script:
    path = inputs.folder / FOLDER / f"{inputs.profile}{kind}.sql"
    return Script(path, read_text(path), transactional=True)


def _there(address: Address, inputs: Inputs) -> bool | None:
    """What the verify file says; None without one."""
    import psycopg

    if not (inputs.folder / FOLDER / f"{inputs.profile}.verify.sql").exists():
        return None
    with connect(address) as connection:
        try:
            with connection.transaction(force_rollback=True):
                check(connection, _script(inputs, ".verify"))
        except NotHeld:
            return False
        except psycopg.Error as error:
            raise failed(error, address, "cannot look whether the data is there") from None
    return True


STEP = Seed()
