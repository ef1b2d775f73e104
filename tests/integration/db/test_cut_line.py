"""The network is cut at each statement of a migration and of the way back; the next run goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.db.conftest import Database, new_database
from tests.integration.db.test_commands import House
from tests.testbed.cut_line import CutLine, When
from tests.testbed.forked import Forked

from cbctl.clients.postgres.ledger import Marker, record_marker

FILES = {
    "m1_users__up": "create table users (id int);\ninsert into users values (1);",
    "m1_users__down": "drop table users;",
    "m2_index__up": "-- cbctl: transaction=none\ncreate index concurrently u on users (id)",
    "m2_index__down": "-- cbctl: transaction=none\ndrop index concurrently u",
    "m3_name__up": "alter table users add column name text;",
    "m3_name__verify": "select count(name) = 0 from users;",
    "m3_name__down": "alter table users drop column name;",
    "m4_gone__up": "-- cbctl: phase=post\nalter table users drop column name;",
    "m4_gone__down": "alter table users add column name text;",
}
SAMPLE = 17
"""In `make test` one of so many."""
SCHEMA = """
select c.relname || ' ' || coalesce(a.attname, '') || ' ' || coalesce(i.indisvalid::text, '')
from pg_class c
left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_index i on i.indexrelid = c.oid
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'i')
order by 1
"""


class CutHouse(House):
    """port: of the line to the server; 0: directly"""

    port = 0

    @property
    def environment(self) -> dict[str, str]:
        url = str(self.database.url)
        if self.port:
            url = url.replace(f":{self.database.server.port}/", f":{self.port}/")
        return {**super().environment, "DATABASE_URL": url}

    def run(self, line: CutLine | None, *words: str) -> int:
        self.port = line.port if line else 0
        ended = self.forked.run(("db", *words), cwd=self.folder, env=self.environment, limit=200)
        assert "Traceback" not in ended.err and "defect of cbctl" not in ended.err, ended.err
        assert self.database.server.password not in ended.out + ended.err
        return int(ended.exit)


@pytest.fixture
def house(tmp_path: Path, forked: Forked, one_database: Database) -> CutHouse:
    made = CutHouse(tmp_path, forked, one_database)
    (tmp_path / "migrations").mkdir()
    (tmp_path / "schema.json").write_text('{"min": 0, "max": 99}')
    made.configure()
    made.write(**FILES)
    return made


def fresh(house: CutHouse) -> None:
    house.database = new_database(house.database.server)
    record_marker(house.database.address, Marker("test-house", "dev"))


def state(house: CutHouse) -> tuple[Any, Any]:
    versions = "select version, count(*) from schema_migrations group by 1 order by 1"
    return house.database.rows(SCHEMA), house.database.rows(versions)


def cuts(count: int, step: int) -> Iterator[tuple[int, When]]:
    for at in range(1, count + 1, step):
        yield at, "before"
        yield at, "after"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("step", [SAMPLE, pytest.param(1, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("words", ["migrate --phase all --yes", "rollback --to 0 --yes"])
def test_cut_at_a_statement(house: CutHouse, words: str, step: int) -> None:
    command = tuple(words.split())

    def prepared() -> None:
        fresh(house)
        if command[0] == "rollback":
            assert house.run(None, "migrate", "--phase", "all", "--yes") == 0

    prepared()
    with CutLine(house.database.server.port) as whole:
        assert house.run(whole, *command) == 0
    wanted = state(house)
    assert whole.seen > 20
    codes = []
    for at, when in cuts(whole.seen, step):
        prepared()
        with CutLine(house.database.server.port, at, when) as line:
            codes.append(house.run(line, *command))
            assert line.was_cut, f"statement {at} of {whole.seen} was never reached"
        assert house.run(None, *command) == 0, f"after {at} {when} ({codes[-1]})"
        assert state(house) == wanted, f"after {at} {when}"
        assert house.run(None, "status") in (0, 2)
    assert set(codes) <= {0, 1, 5, 9}, codes
    assert set(codes) != {0}, "some of them end a run"
