"""`cbctl db restore`, its way back, and what `prune` removes, on a real Postgres."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import msgspec
import psycopg
import pytest
from tests.integration.db.backup_house import (
    BackupHouse,
    back_up,
    house_on,
    nothing_in_scratch,
    place,
)
from tests.integration.db.conftest import Database
from tests.testbed.forked import Forked

from cbctl.clients.backups import manifest as manifests
from cbctl.clients.postgres.contents import Rows


@pytest.fixture
def house(tmp_path: Path, forked: Forked, one_database: Database) -> BackupHouse:
    return house_on(tmp_path, forked, one_database)


def people(house: BackupHouse, database: str = "") -> int:
    with psycopg.connect(house.database.server.url(database or house.database.name)) as connection:
        row = connection.execute("select count(*) from people").fetchone()
        assert row is not None
        return int(row[0])


def databases(house: BackupHouse) -> set[str]:
    rows = house.database.rows(
        f"select datname from pg_database where datname like '{house.database.name}%'"
    )
    return {str(row[0]) for row in rows}


def test_a_live_database_is_replaced_by_name_and_comes_back(house: BackupHouse) -> None:
    name = house.database.name
    house.database.do("create role reader_of_" + name)
    house.database.do(f"grant select on people to reader_of_{name}")
    house.database.do(f"revoke all on database {name} from public")
    house.database.do(f"grant connect on database {name} to reader_of_{name}")
    house.database.do(f"alter database {name} set search_path to public, pg_catalog")
    house.database.do(f"alter role reader_of_{name} in database {name} set work_mem to '5MB'")
    back_up(house)
    house.database.do("delete from people where id > 10")

    refused = house.db("restore", "--yes", exit=7)
    assert f"the database {name} is live" in refused.err and f"--replace {name}" in refused.err
    assert "not other" in house.db("restore", "--replace", "other", exit=7).err
    assert people(house) == 10 and databases(house) == {name}
    planned = house.db("restore", "--replace", name, "--plan", exit=2)
    assert "put aside as it is" in planned.out

    with house.database.connect() as connected:
        done = house.db("restore", "--replace", name, "--yes", "-o", "json").json["outcome"]
        with pytest.raises(psycopg.OperationalError):
            connected.execute("select 1")  # it would have gone on writing into the old one
    assert people(house) == 1000 and people(house, done["replaced"]) == 10
    assert databases(house) == {name, done["replaced"]}
    assert house.database.rows(
        f"select has_table_privilege('reader_of_{name}', 'people', 'select'), "
        f"has_database_privilege('reader_of_{name}', '{name}', 'connect'), "
        "current_setting('search_path'), (select datacl::text not like '%{=%' from pg_database "
        f"where datname = '{name}')"
    ) == [(True, True, "public, pg_catalog", True)]
    assert house.database.rows(
        "select setconfig from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase "
        f"where datname = '{name}' and setrole <> 0"
    ) == [(["work_mem=5MB"],)]

    assert "is live" in house.db("restore", "--undo", "--yes", exit=7).err
    back = house.db("restore", "--undo", "--replace", name, "--yes", "-o", "json").json["outcome"]
    assert people(house) == 10 and people(house, back["replaced"]) == 1000
    house.db("restore", "--undo", "--replace", name, "--yes")
    assert people(house) == 1000
    nothing_in_scratch(house)


def test_after_two_restores_the_first_one_is_within_reach(house: BackupHouse) -> None:
    name = house.database.name
    back_up(house)
    house.database.do("delete from people where id > 10")
    original = house.db("restore", "--replace", name, "--yes", "-o", "json").json["outcome"]
    house.db("restore", "--replace", name, "--yes")
    strange = f"{name}_replaced_99991231t235959999"  # anybody may write such a comment
    house.database.server.execute(
        "postgres",
        f"create role stranger_{name} createdb",
        f"create database {strange} owner stranger_{name}",
        f"comment on database {strange} is 'cbctl: was {name} of test-house/dev until x'",
    )
    planned = house.db("restore", "--undo", "--replace", name, "--plan", exit=2).out
    assert str(original["replaced"]) in planned.partition("also put aside, newest first:")[2]
    assert strange not in planned
    refused = house.db("restore", strange, "--undo", "--replace", name, "--yes", exit=7)
    assert original["replaced"] in refused.err
    house.db("restore", str(original["replaced"]), "--undo", "--replace", name, "--yes")
    assert people(house) == 10


def test_a_role_says_nothing_in_the_administrators_name(house: BackupHouse) -> None:
    """What a role may set for itself is copied, and is never more than a value."""
    name, role = house.database.name, f"app_of_{house.database.name}"
    house.database.do(f"create role {role}")
    trap = f"public;alter/**/role/**/{role}/**/superuser;--"
    odd = '"a ""b", public, "A;B"'
    for value in (trap, odd):
        with house.database.connect() as connection:
            connection.execute("select set_config('search_path', %s, false)", (value,))
            connection.execute(
                f"alter role {role} in database {name} set search_path from current".encode()
            )
        back_up(house)
        house.db("restore", "--replace", name, "--yes")
        assert house.database.rows(f"select rolsuper from pg_roles where rolname = '{role}'") == [
            (False,)
        ]
        (kept,) = house.database.rows(
            "select setconfig[1] from pg_db_role_setting s join pg_database d "
            f"on d.oid = s.setdatabase where datname = '{name}' and setrole <> 0"
        )
        shown = odd if value == odd else f'"{trap}"'
        assert kept == (f"search_path={shown}",)


def test_beside_it_and_instead_of_one_that_is_lost(house: BackupHouse) -> None:
    name = house.database.name
    back_up(house)
    house.db("restore", "--into", f"{name}_copy", "--yes")
    assert people(house, f"{name}_copy") == 1000
    assert "already" in house.db("restore", "--into", f"{name}_copy", exit=7).err
    house.database.server.execute("postgres", f"drop database {name}")
    house.db("restore", "--yes")
    assert people(house) == 1000
    assert "nothing was replaced" in house.db("restore", "--undo", exit=7).err
    both = house.db("restore", "--undo", "--into", "other", exit=64).err
    assert "--into has no use" in both and "leave out one of them" in both


def test_a_damaged_or_foreign_backup_changes_nothing(house: BackupHouse) -> None:
    name = house.database.name
    made = back_up(house)
    toc = made / "dump" / "toc.dat"
    whole = toc.read_bytes()
    toc.write_bytes(whole[:-1])
    told = house.db("restore", "--replace", name, "--yes", exit=5)
    assert "is not what its manifest says: table of contents" in told.err
    toc.write_bytes(whole)
    found = manifests.read((made / "manifest.json").read_bytes(), "")
    rows = {**found.tables, "public.people": Rows(7, "7")}
    (made / "manifest.json").write_bytes(
        manifests.to_bytes(msgspec.structs.replace(found, tables=rows))
    )
    assert "1000 rows instead of 7" in house.db("restore", "--replace", name, "--yes", exit=5).err
    (made / "manifest.json").write_bytes(
        manifests.to_bytes(msgspec.structs.replace(found, environment="other"))
    )
    assert "is of test-house/other" in house.db("restore", "--replace", name, exit=7).err
    assert databases(house) == {name} and people(house) == 1000


def test_a_role_without_the_right_is_told_and_an_administrator_helps(house: BackupHouse) -> None:
    name, server = house.database.name, house.database.server
    server.execute(
        "postgres",
        f"create role own_{name} login password 'own-password'",
        f"alter database {name} owner to own_{name}",
    )
    for table in ("people", '"Odd ""name"', "odd_low", "cbctl_marker"):
        house.database.do(f"alter table {table} owner to own_{name}")
    house.database.do(f"alter view happy owner to own_{name}")
    house.database.do(f"alter function twice(int) owner to own_{name}")
    house.database.do(f"alter type mood owner to own_{name}")
    house.database.do("select lo_unlink(oid) from pg_largeobject_metadata")
    house.more = {
        "DATABASE_URL": server.url(name).replace(
            f"{server.user}:{server.password}", f"own_{name}:own-password"
        ),
        "ADMIN_URL": server.url("postgres"),
    }
    back_up(house)
    assert "database.admin" in house.db("restore", "--replace", name, exit=7).err
    house.settings('admin: "${env:ADMIN_URL}"')
    house.more["ADMIN_URL"] = server.url("postgres").replace(f":{server.port}/", ":9/")
    assert "another server" in house.db("restore", "--replace", name, exit=64).err
    house.more["ADMIN_URL"] = server.url("postgres")
    house.db("restore", "--replace", name, "--yes")
    assert house.database.rows("select tableowner from pg_tables where tablename = 'people'") == [
        (f"own_{name}",)
    ]


@pytest.mark.nightly
def test_killed_while_restoring_the_next_run_does_it(house: BackupHouse) -> None:
    name = house.database.name
    house.database.do("insert into people (name) select 'n' || n from generate_series(1, 200000) n")
    back_up(house)
    house.kill_when("scratch/restore-*/.login-*", "restore", "--replace", name, "--yes")
    assert people(house) == 201_000
    assert len(databases(house)) == 2  # the half restored one
    house.db("restore", "--replace", name, "--yes")
    assert len(databases(house)) == 2 and any("_replaced_" in one for one in databases(house))
    nothing_in_scratch(house)


def test_killed_while_restoring_a_resume_does_it(house: BackupHouse) -> None:
    name = house.database.name
    house.database.do("insert into people (name) select 'n' || n from generate_series(1, 200000) n")
    back_up(house)
    house.kill_when("scratch/restore-*/.login-*", "restore", "--replace", name, "--yes")
    ended = house.forked.run(
        ("resume", "--env", "dev", "--yes"), cwd=house.folder, env=house.environment, limit=200
    )
    assert ended.exit == 0, ended
    assert len(databases(house)) == 2 and any("_replaced_" in one for one in databases(house))


@pytest.mark.parametrize("pgbouncer", ["transaction"], indirect=True)
def test_through_a_pooler_it_is_refused_before(house: BackupHouse, pgbouncer: int) -> None:
    name, server = house.database.name, house.database.server
    back_up(house)
    house.more["DATABASE_URL"] = house.database.url.replace(f":{server.port}/", f":{pgbouncer}/")
    for words in (("--replace", name), ("--into", f"{name}_copy"), ("--undo", "--replace", name)):
        house.db("restore", *words, exit=7)
    told = house.db("restore", "--into", f"{name}_copy", exit=7).err
    assert "pooler in transaction mode" in told and "URL of the database itself" in told
    assert databases(house) == {name}


def test_last_is_the_newest_that_can_be_read(house: BackupHouse) -> None:
    name = house.database.name
    none = house.db("restore", "--replace", name, exit=64).err
    assert "there is no backup yet" in none and "cbctl db backup --env dev" in none
    old = back_up(house)
    house.db("verify-backup", old.name)
    new = aged(old, -1)
    manifest = place(house) / new / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text[:-9])
    planned = " ".join(house.db("restore", "--replace", name, "--plan", exit=2).out.split())
    assert f"backup {old.name}" in planned and "; proved 20" in planned
    assert f"there is a newer one, {new}, that cannot be read" in planned
    assert "manifest is damaged" in house.db("restore", new, "--replace", name, exit=10).err
    manifest.unlink()
    told = house.db("restore", new, "--replace", name, exit=64).err
    assert "holds no manifest.json" in told


# -- prune ------------------------------------------------------------------------------------


def aged(made: Path, days: int) -> str:
    """A copy of a backup that says it was made so long ago."""
    then = time.gmtime(time.time() - days * 86_400)
    id = time.strftime("%Y%m%dT%H%M%SZ", then) + made.name[16:]
    shutil.copytree(made, made.with_name(id))
    found = manifests.read((made / "manifest.json").read_bytes(), "")
    old = msgspec.structs.replace(
        found, id=id, made_at=time.strftime("%Y-%m-%dT%H:%M:%S.000Z", then)
    )
    (made.with_name(id) / "manifest.json").write_bytes(manifests.to_bytes(old))
    return id


def test_prune_keeps_what_it_must(house: BackupHouse) -> None:
    house.settings("backups: { keep_days: 30, floor_days: 7 }")
    made = back_up(house)
    oldest, proved, old, young = (aged(made, days) for days in (90, 60, 40, 10))
    shutil.rmtree(made)
    blind = house.db("prune", "--yes", exit=7)
    assert "none of the backups was proved: 3 would go" in blind.err, "nobody knows what would stay"
    house.db("verify-backup", proved)
    planned = house.db("prune", "--plan", exit=2).out
    assert oldest in planned and old in planned
    assert proved not in planned and young not in planned
    (place(house) / ".removed-x").mkdir()
    house.db("prune", "--yes")
    assert {row["backup"] for row in house.db("backups", "-o", "json").json} == {proved, young}
    house.db("prune", "--yes")  # nothing to do
    assert "7 days" in house.db("prune", "--older-than", "1", exit=7).err
    house.db("verify-backup", young)
    house.db("prune", "--older-than", "8", "--yes")  # the proved one before is only old now
    assert {row["backup"] for row in house.db("backups", "-o", "json").json} == {young}
    assert {path.name for path in place(house).iterdir()} == {young, ".lock"}


def test_what_is_damaged_is_not_what_prune_keeps(house: BackupHouse) -> None:
    house.settings("backups: { keep_days: 30, floor_days: 7 }")
    made = back_up(house)
    proved, good, torn, broken = (aged(made, days) for days in (90, 60, 50, 40))
    shutil.rmtree(made)
    house.db("verify-backup", proved)
    (place(house) / broken / "manifest.json").write_text("x")
    toc = place(house) / torn / "dump" / "toc.dat"
    toc.write_bytes(toc.read_bytes()[:-1])
    house.db("verify-backup", torn, exit=10)
    planned = " ".join(house.db("prune", "--plan", exit=2).out.split())
    assert f"nobody can say whose they are: {broken}" in planned
    house.db("prune", "--yes")
    left = {row["backup"] for row in house.db("backups", "-o", "json").json}
    assert left == {proved, good, broken}
    house.db("prune", "--yes")  # only what is left alone


def test_a_copied_manifest_is_no_newer_backup(house: BackupHouse) -> None:
    house.settings("backups: { keep_days: 30, floor_days: 7 }")
    made = back_up(house)
    proved, old = (aged(made, days) for days in (60, 50))
    shutil.rmtree(made)
    house.db("verify-backup", proved)
    for id in ("20990101T000000Z-abcdef", "20260901T000000Z-abcdef"):
        copy = place(house) / id
        copy.mkdir()
        for name in ("manifest.json", "verified.json"):
            shutil.copy(place(house) / proved / name, copy / name)
    empty = aged(place(house) / old, 40)  # says what it should, and has none of its files
    shutil.rmtree(place(house) / empty / "dump")
    rows = {row["backup"]: row for row in house.db("backups", "-o", "json").json}
    assert f"it is of the backup {proved}" in rows["20990101T000000Z-abcdef"]["problem"]
    house.db("prune", "--yes")
    left = {row["backup"] for row in house.db("backups", "-o", "json").json}
    assert {proved, old} <= left and empty not in left


def test_what_only_the_file_beside_it_says_is_no_proof(house: BackupHouse) -> None:
    house.settings("backups: { keep_days: 30, floor_days: 7 }")
    made = back_up(house)
    first, last = (aged(made, days) for days in (60, 50))
    shutil.rmtree(made)
    house.db("verify-backup", last)
    (house.state / "backups" / "history.ndjson").unlink()  # as it is on another machine
    assert "says only the file beside it" in house.db("backups").out
    planned = " ".join(house.db("prune", "--plan", exit=7).out.split())
    assert f"({last}: by the file beside it alone)" in planned
    house.db("verify-backup", last)
    assert f"backup {first}" in house.db("prune", "--plan", exit=2).out


def test_prune_leaves_the_backups_of_another_environment(house: BackupHouse) -> None:
    house.settings("backups: { keep_days: 30, floor_days: 7 }")
    made = back_up(house)
    theirs = place(house).with_name("theirs")
    own = [aged(made, days) for days in (60, 50)]
    house.db("verify-backup", own[1])
    shutil.copytree(place(house), theirs)
    for path in theirs.glob("2*"):
        found = manifests.read((path / "manifest.json").read_bytes(), "")
        other = manifests.to_bytes(msgspec.structs.replace(found, environment="production"))
        (path / "manifest.json").write_bytes(other)
    told = house.db("prune", "--in", str(theirs), "--yes", exit=7)
    assert f"not of this environment: {own[0]} of test-house/production" in told.err
    assert f"backup {own[0]}" in house.db("prune", "--plan", exit=2).out


def test_a_proof_holds_until_the_backup_fails_one(house: BackupHouse) -> None:
    made = back_up(house)
    house.db("verify-backup")
    toc = made / "dump" / "toc.dat"
    kept = toc.read_bytes()
    toc.unlink()
    assert "toc.dat" in house.db("verify-backup", exit=10).out
    (row,) = house.db("backups", "-o", "json").json
    assert not row["verified"] and "not what it should be" in row["problem"]
    history = (house.state / "backups" / "history.ndjson").read_text()
    assert "backup.failed" in history
    toc.write_bytes(kept)
    house.db("verify-backup")
    (row,) = house.db("backups", "-o", "json").json
    assert row["verified"] and row["problem"] is None


@pytest.mark.nightly
def test_prune_drops_what_was_replaced_long_ago(house: BackupHouse) -> None:
    name = house.database.name
    back_up(house)
    done = house.db("restore", "--replace", name, "--yes", "-o", "json").json["outcome"]
    assert "nothing that may go" in house.db("prune", "--plan").out
    old = f"{name}_replaced_20200101t000000000"
    house.database.server.execute("postgres", f"alter database {done['replaced']} rename to {old}")
    assert f"database {old}" in house.db("prune", "--plan", exit=2).out
    house.db("prune", "--yes")
    assert databases(house) == {name}


def test_prune_drops_what_an_interrupted_restore_left(house: BackupHouse) -> None:
    """The data of production may lie in it, and of a clone not even anonymized."""
    name = house.database.name
    house.database.do("insert into people (name) select 'n' || n from generate_series(1, 200000) n")
    back_up(house)
    house.kill_when("scratch/restore-*/.login-*", "restore", "--replace", name, "--yes")
    (half,) = databases(house) - {name}
    planned = house.db("prune", "--plan").out
    assert half not in planned, "somebody may be at work on it"
    ((said,),) = house.database.rows(
        f"select shobj_description(oid, 'pg_database') from pg_database where datname = '{half}'"
    )
    beginning, since, _ = str(said).rpartition(" since ")
    assert beginning == f"cbctl: being restored as {name} of test-house/dev"
    old = f"comment on database {half} is '{beginning}{since}2026-01-01T00:00:00Z'"
    house.database.server.execute("postgres", old)
    assert f"database {half}" in house.db("prune", "--plan", exit=2).out
    house.db("prune", "--yes")
    assert databases(house) == {name}
