"""The schema of a database in words, and the difference between two of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import ndiff
from typing import TYPE_CHECKING, Final

from cbctl.clients.postgres.queries import query

if TYPE_CHECKING:
    from cbctl.clients.postgres.connect import Connection

_PRIVILEGES: Final = "privileges"
_INVALID: Final = "invalid index"
BY_SERVER: Final = frozenset(
    ("view", "index", _INVALID, "constraint", "trigger", "policy", "rule", "statistics")
)
"""Kinds whose text is made by the server: another major version may say the same differently."""


@dataclass(frozen=True)
class Thing:
    """A part of a schema: a table, a column, an index …

    says      its definition
    relation  title of the table, view or sequence it is part of, else its own
    granted   of privileges, whether somebody set them
    """

    kind: str
    title: str
    says: str
    relation: str
    granted: bool = False

    @property
    def name(self) -> str:
        return f"{self.kind} {self.title}"

    @property
    def by_server(self) -> bool:
        return self.kind in BY_SERVER

    @property
    def dumped(self) -> bool:
        """Whether every copy has it."""
        return self.kind not in (_PRIVILEGES, _INVALID)


@dataclass(frozen=True)
class Difference:
    """Something that is not as the migrations build it.

    built, live  its definition there and in the database; None where it is not
    """

    name: str
    built: str | None
    live: str | None

    def lines(self) -> Iterator[str]:
        """`-` what the migrations build, `+` what the database has."""
        if self.built is None or self.live is None:
            sign, says = ("+", self.live) if self.built is None else ("-", self.built)
            first, *rest = f"{self.name} {says}".rstrip().split("\n")
            yield f"{sign} {first}"
            yield from (f"{sign}   {line}" for line in rest)
            return
        yield f"  {self.name}"
        for line in ndiff(self.built.split("\n"), self.live.split("\n")):
            if not line.startswith("?"):
                yield f"{line[0]}   {line[2:]}".rstrip()


def read_schema(session: Connection) -> dict[str, Thing]:
    """By name. `session`: one of `snapshot_session`. Raises psycopg.Error."""
    things = (
        Thing(str(kind), str(title), str(says), str(relation), bool(granted))
        for kind, title, says, relation, granted in session.execute(query("schema"))
    )
    return {thing.name: thing for thing in things}


def compare_schemas(
    built: Mapping[str, Thing], live: Mapping[str, Thing], *, same_major: bool
) -> list[Difference]:
    """What is in the database otherwise than the migrations build it, in the order of tables."""
    found = []
    both = {**live, **built}
    gone = {t.relation for t in both.values() if t.kind == "table" and _one_sided(t, built, live)}
    for name, thing in sorted(both.items(), key=lambda item: (item[1].relation, item[0])):
        there, here = built.get(name), live.get(name)
        if thing.kind == _PRIVILEGES and not (there and here and there.granted):
            continue  # those that no migration sets are the business of who runs the server
        if there and here and (there.says == here.says or (thing.by_server and not same_major)):
            continue
        if thing.relation in gone and thing.kind not in ("table", "column"):
            continue  # said by the table
        found.append(Difference(name, there.says if there else None, here.says if here else None))
    return found


def _one_sided(thing: Thing, built: Mapping[str, Thing], live: Mapping[str, Thing]) -> bool:
    return (thing.name in built) != (thing.name in live)
