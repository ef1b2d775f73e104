"""What a database says about itself: its marker, the migrations it has, who made the tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.connect import connect, failed
from cbctl.clients.postgres.queries import query
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from cbctl.clients.postgres.connect import Connection

OURS = frozenset(
    "version description phase checksum applied_at applied_by execution_ms reversible".split()  # noqa: SIM905
)
OUR_COLUMNS: Final = {
    "schema_migrations": OURS,
    "cbctl_marker": frozenset({"platform", "environment", "created_at", "building"}),
    "cbctl_fence": frozenset({"environment", "token", "unfinished_version", "unfinished_checksum"}),
}
OUR_TABLES: Final = frozenset(OUR_COLUMNS)


@dataclass(frozen=True)
class Applied:
    """A row of schema_migrations."""

    version: int
    name: str
    phase: str
    checksum: str

    @property
    def title(self) -> str:
        return f"{self.version:04d}_{self.name}"


@dataclass(frozen=True)
class Marker:
    """Whose database this is."""

    platform: str
    environment: str

    def __str__(self) -> str:
        return f"{self.platform}/{self.environment}"


@dataclass(frozen=True)
class Survey:
    """A database as it is; plain data without times, so that plans can compare and hash it.

    schema        where our tables are (the first of search_path)
    table         state of schema_migrations: "none", "ours", "golang-migrate" or "other"
    empty         nothing was applied, and there is no table, view, function or type; extensions
                  and cbctl's own tables aside
    building      the first build of a new database has begun and not ended
    pooled        a pooler in transaction mode is in between
    replica       read only copy
    """

    schema: str
    table: str
    empty: bool
    marker: Marker | None
    building: bool
    pooled: bool
    replica: bool
    applied: tuple[Applied, ...]


def survey(connection: Connection, address: Address) -> Survey:
    """Two or three short queries. Raises CbctlError when they fail (3 without permission)."""
    import psycopg

    try:
        return _survey(connection, address)
    except psycopg.Error as error:
        raise failed(error, address, "cannot read the state of the migrations") from None


def _survey(connection: Connection, address: Address) -> Survey:
    row = connection.execute(query("survey")).fetchone()
    if row is None:
        raise CbctlError("the database did not answer", where=str(address))
    schema, replica, columns, has_marker, empty = row
    if schema is None:
        raise CbctlError(
            "the search_path of this role names no schema that exists",
            where=str(address),
            exit=Exit.REFUSED,
            fix="create the schema, or set the role's search_path to one that exists",
        )
    pooled = is_pooled(connection, address)
    table = _kind(set(columns))
    marker, building = read_marker(connection, schema) if has_marker else (None, False)
    applied = read_applied(connection, schema) if table == "ours" else ()
    return Survey(
        schema=schema,
        table=table,
        empty=empty and not applied,
        marker=marker,
        building=building,
        pooled=pooled,
        replica=replica,
        applied=applied,
    )


def read_applied(connection: Connection, schema: str) -> tuple[Applied, ...]:
    rows = connection.execute(query("applied", schema), {}).fetchall()
    return tuple(Applied(*each) for each in rows)


def reached(applied: tuple[Applied, ...]) -> int:
    """The highest version that is applied; 0: none."""
    return max((row.version for row in applied), default=0)


def _kind(columns: set[str]) -> str:
    if not columns:
        return "none"
    if columns >= OURS:
        return "ours"
    return "golang-migrate" if columns == {"version", "dirty"} else "other"


def is_pooled(connection: Connection, address: Address) -> bool:
    """Whether a pooler in transaction mode is in between.

    Behind a pooler the pid of the login is the pooler's invention; a direct connection needs no
    second one to be sure."""
    if _pid(connection) == connection.info.backend_pid:
        return False
    with connect(address) as second:
        return shares_sessions(connection, second)


def shares_sessions(first: Connection, second: Connection) -> bool:
    """Whether a pooler gives one server session to several clients (transaction mode).

    While `second` is in a transaction it keeps its server session; if `first` had that one, or now
    gets another than before, session locks and settings of `first` mean nothing.
    """
    before = _pid(first)
    with second.transaction():
        other = _pid(second)
        return bool(before == other or _pid(first) != before)


def _pid(connection: Connection) -> Any:
    row = connection.execute(query("backend_pid")).fetchone()
    return row[0] if row else None


def read_marker(connection: Connection, schema: str) -> tuple[Marker | None, bool]:
    """The marker, and whether the first build is still going on."""
    row = connection.execute(query("marker", schema), {}).fetchone()
    return (Marker(row[0], row[1]), bool(row[2])) if row else (None, False)


def record_marker(address: Address, marker: Marker) -> None:
    """Says whose database this is, whatever is in it: for an operator who knows.

    Raises CbctlError (7) when it belongs to another environment.
    """
    import psycopg

    with connect(address) as connection:
        found = survey(connection, address)
        try:
            with connection.transaction():
                write_marker(connection, found.schema, marker)
        except psycopg.Error as error:
            raise failed(error, address, "cannot write the marker") from None


def write_marker(connection: Connection, schema: str, marker: Marker) -> None:
    """Creates the marker's table and its one row, inside the caller's transaction.

    Raises psycopg.Error, and CbctlError (7) when the database has another marker.
    """
    connection.execute(query("create_marker", schema), {})
    found, _ = read_marker(connection, schema)
    if found is not None and found != marker:
        raise foreign(found, marker)
    if found is None:
        connection.execute(
            query("insert_marker", schema),
            {"platform": marker.platform, "environment": marker.environment},
        )


def foreign(found: Marker, wanted: Marker) -> CbctlError:
    return CbctlError(
        f"this database belongs to {found}, not to {wanted}",
        exit=Exit.REFUSED,
        fix="check the database URL of the environment",
    )


def obstacle_to_baseline(found: Survey, marker: Marker) -> tuple[str, str] | None:
    """The same for a database that has tables, and nothing of cbctl's yet. Pure."""
    if found.table == "golang-migrate":
        return (
            "schema_migrations(version, dirty) belongs to golang-migrate",
            "note its version, take a backup, drop that table, and give the version as --to",
        )
    # such a database is not empty and says of nobody that it is theirs
    if reason := obstacle(replace(found, empty=True), marker, create_marker=True):
        return reason
    if found.empty:
        return "the database is empty", "cbctl db migrate --new-database"
    return None


def obstacle(found: Survey, marker: Marker, create_marker: bool) -> tuple[str, str] | None:
    """Why nothing may run on this database, and what to do; None when it may. Pure."""
    if found.pooled:
        return (
            "a connection pooler in transaction mode is between cbctl and Postgres; locks of a "
            "session do not hold there",
            "use the URL of the database itself, or of a pool in session mode, for migrations",
        )
    if found.replica:
        return "this server is a read-only replica", "use the URL of the primary"
    if found.table == "golang-migrate":
        return (
            "schema_migrations(version, dirty) belongs to golang-migrate",
            "use a database of its own for cbctl, or, after a backup, rename that table and "
            "run the migrations into a new database",
        )
    if found.table == "other":
        return (
            "there is a table schema_migrations of another tool",
            "use a database of its own for cbctl, or rename that table after a backup",
        )
    if found.marker is not None and found.marker != marker:
        error = foreign(found.marker, marker)
        return error.what, error.fix
    if found.marker is None and not found.empty:
        return (
            f"nothing in this database says that it belongs to {marker}, and it is not empty",
            "check the database URL: an empty database of its own is what this environment needs",
        )
    if found.marker is None and not create_marker:
        return (
            f"nothing in this database says that it belongs to {marker}",
            "check the database URL; if this empty database is meant for it: "
            "cbctl db migrate --new-database",
        )
    return None
