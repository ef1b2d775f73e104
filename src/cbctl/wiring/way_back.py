"""The database's part of a rollback, where somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable

from cbctl.clients.postgres.address import parse
from cbctl.clients.postgres.compare import SchemaRange
from cbctl.clients.postgres.connect import connect
from cbctl.clients.postgres.ledger import reached, survey
from cbctl.clients.postgres.migrations import read_folder
from cbctl.config.types import Reference
from cbctl.engine import release
from cbctl.engine.job import Ended
from cbctl.engine.plan import Plan
from cbctl.engine.release import Release
from cbctl.errors import CbctlError, Exit
from cbctl.report.rollback import LiveSchema, choose
from cbctl.report.way_back import WayBack, way_back
from cbctl.wiring.backups import listed
from cbctl.wiring.database import require_reachable
from cbctl.wiring.inside import OnlyInside
from cbctl.wiring.single import carry_out_step
from cbctl.wiring.view import view_of
from cbctl.wiring.workplace import Workplace


def find_way(work: Workplace, to: str | None) -> tuple[Release, WayBack]:
    """The release that a rollback with its database goes to, and how the database gets there.

    Raises CbctlError: 7 when there is no way; as connecting does.
    """
    try:
        require_reachable(work)
    except OnlyInside:
        raise CbctlError(
            "this database is reached only from inside its cluster (access: in-cluster), and "
            "nothing there knows the releases",
            exit=Exit.REFUSED,
            where=work.env.name,
            fix="cbctl db rollback --to VERSION, or cbctl db restore BACKUP --replace DATABASE; "
            "then cbctl rollback without --with-database",
        ) from None
    url = view_of(work)["database"]["connection"]
    found = work.world.reveal(url) if isinstance(url, Reference) else url
    address = parse(found)
    with connect(address) as connection:
        applied = survey(connection, address).applied
    known = release.history(work.store)
    if not known:
        raise CbctlError("there is no release to go back to", exit=Exit.REFUSED)
    # what a post migration took away is no obstacle here: it comes back
    target = choose(known, to, LiveSchema(reached(applied), 0, "the database")).release
    newest = reached(applied)
    code = SchemaRange(
        int(target.parts.get("schema_min") or 0),
        newest if (high := target.parts.get("schema_max")) is None else int(high),
    )
    migrations = read_folder(work.env.migrations.folder)
    return target, way_back(code, migrations, applied, listed(work))


def database_name(work: Workplace) -> str:
    """What has to be typed."""
    url = view_of(work)["database"]["connection"]
    found = work.world.reveal(url) if isinstance(url, Reference) else url
    return parse(found).database


def go_back(work: Workplace, way: WayBack, agree: Callable[[Plan], None]) -> Ended:
    """Runs the down files, or puts the backup in place: a run of its own, before the one of the
    code. `agree` has asked for the database by its name."""
    if way.backup:
        given = {"backup": way.backup, "replace": database_name(work)}
        return carry_out_step(work, "db.restore", given, agree)[0]
    return carry_out_step(work, "db.rollback", {"to": way.to}, agree)[0]
