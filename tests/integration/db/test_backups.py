"""`cbctl db backup` and what proves one, on real Postgres servers."""

from __future__ import annotations

import gzip
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyrage
import pytest
from tests.integration.db.backup_house import (
    BackupHouse,
    back_up,
    house_on,
    nothing_left,
    place,
)
from tests.integration.db.conftest import Database, Server, new_database
from tests.testbed.forked import Forked

from cbctl.clients.backups import manifest as manifests
from cbctl.clients.backups.files import hashed
from cbctl.clients.postgres.contents import Counter
from cbctl.clients.postgres.tools import Tools, usable


@pytest.fixture
def house(tmp_path: Path, forked: Forked, one_database: Database) -> BackupHouse:
    return house_on(tmp_path, forked, one_database)


def test_a_backup_is_made_listed_and_proved(
    tmp_path: Path, forked: Forked, database: Database
) -> None:
    house = house_on(tmp_path, forked, database)
    assert "no backup yet" in house.db("backups").out
    planned = house.db("backup", "--plan", exit=2)
    assert f"backup of {database.name}" in planned.out and not place(house).exists()

    made = back_up(house)
    manifest = json.loads((made / "manifest.json").read_text())
    assert manifest["tables"]["public.people"]["rows"] == 1000
    assert manifest["tables"]["large objects"]["rows"] == 1
    assert manifest["run"] and manifest["environment"] == "dev"
    assert "not verified" in house.db("backups").out

    proved = house.db("verify-backup")
    assert "1100 rows" not in proved.out  # the large object and the marker count too
    assert f"{made.name}: restored into Postgres" in proved.out
    (row,) = house.db("backups", "-o", "json").json
    assert row["backup"] == made.name and row["verified"] and row["bytes"] > 1000
    history = (house.state / "backups" / "history.ndjson").read_text()
    assert "backup.verified" in history and made.name in history
    nothing_left(house)


# -- damage -----------------------------------------------------------------------------------


def rewrite(made: Path, **changed: Any) -> None:
    """The manifest with other words and a digest that fits: damage that no hash tells."""
    found = manifests.read((made / "manifest.json").read_bytes(), "")
    (made / "manifest.json").write_bytes(
        manifests.to_bytes(msgspec.structs.replace(found, **changed))
    )


def rehash(made: Path) -> None:
    """The files' hashes as they are now."""
    files = sorted(path for path in (made / "dump").iterdir())
    rewrite(made, files=tuple(hashed(files, made, 1, lambda seconds: None)))


def flip(path: Path, at: float = 0.5) -> Path:
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 0xFF
    path.write_bytes(data)
    return path


def data_file(made: Path) -> Path:
    """The largest: that of people."""
    return max((made / "dump").glob("*.dat.gz"), key=lambda path: path.stat().st_size)


def lose_rows(made: Path) -> None:
    """A table's data cut off where a row ends, hashed anew."""
    path = data_file(made)
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(lines[10:])))
    rehash(made)


def change_a_row(made: Path) -> None:
    path = data_file(made)
    path.write_bytes(
        gzip.compress(gzip.decompress(path.read_bytes()).replace(b"me 7\t", b"me x\t"))
    )
    rehash(made)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "header": (lambda m: flip(m / "dump" / "toc.dat", 0), "table of contents"),
    "header, hashed anew": (
        lambda m: rehash(flip(m / "dump" / "toc.dat", 0).parents[1]),
        "table of contents",
    ),
    "table of contents": (lambda m: flip(m / "dump" / "toc.dat"), "table of contents"),
    "no table of contents": (lambda m: (m / "dump" / "toc.dat").unlink(), "table of contents"),
    "table data": (lambda m: flip(data_file(m)), "table data of public.people"),
    "table data, hashed anew": (
        lambda m: rehash(flip(data_file(m)).parents[1]),
        "it cannot be restored",
    ),
    "table data cut off": (
        lambda m: data_file(m).write_bytes(data_file(m).read_bytes()[:-9]),
        "bytes instead of",
    ),
    "rows lost": (lose_rows, "table data of public.people: 990 rows instead of 1000"),
    "a row changed": (change_a_row, "table data of public.people: as many rows, but others"),
    "a missing file": (
        lambda m: data_file(m).unlink(),
        "table data of public.people (dump/",
    ),
    "an older server": (
        lambda m: rewrite(m, server="14.9"),
        "the manifest says 14.9",
    ),
    "objects": (
        lambda m: rewrite(m, objects={"view public.lost": "0"}),
        "schema: view public.lost is missing",
    ),
    "a sequence": (
        lambda m: rewrite(m, sequences={"public.people_id_seq": Counter(5000, 1)}),
        "sequence public.people_id_seq: at 1000, behind 5000",
    ),
}


SAMPLE = {"header", "table data", "a missing file", "rows lost", "objects"}


@pytest.mark.parametrize(
    "names",
    [pytest.param(SAMPLE), pytest.param(set(DAMAGE) - SAMPLE, marks=pytest.mark.nightly)],
    ids=["sample", "rest"],
)
def test_all_damage_is_found_and_named(names: set[str], house: BackupHouse, tmp_path: Path) -> None:
    made = back_up(house)
    whole = tmp_path / "whole"
    shutil.copytree(made, whole)
    for name in names:
        harm, named = DAMAGE[name]
        shutil.rmtree(made)
        shutil.copytree(whole, made)
        harm(made)
        found = house.db("verify-backup", made.name, exit=10)
        assert named in found.out, (name, found)
        assert "not what it should be" in house.db("backups").out, name
    nothing_left(house)


def test_a_damaged_manifest_is_named(house: BackupHouse) -> None:
    made = back_up(house)
    house.db("verify-backup")
    manifest = made / "manifest.json"
    good = manifest.read_text()
    for text, exit, named in (
        ("{", 10, "the manifest is damaged"),
        ("", 10, "the manifest is damaged"),
        (good.replace('"rows": 1000', '"rows": 1001'), 10, "has not the digest"),
        (good.replace('"dump/toc.dat"', '"../toc.dat"'), 10, "the manifest is damaged"),
        (good.replace('"format": 1', '"format": 2'), 7, "format 2"),
    ):
        manifest.write_text(text)
        assert named in house.db("verify-backup", made.name, exit=exit).err, text[:50]
        assert "not verified" not in (listed := house.db("backups").out) and "verified" not in (
            listed.replace("manifest", "")
        ), listed
    manifest.unlink()
    assert "no backup yet" in house.db("backups").out
    assert "there is no backup" in house.db("verify-backup", made.name, exit=64).err


def test_one_of_a_server_that_is_not_here_is_refused(house: BackupHouse) -> None:
    made = back_up(house)
    rewrite(made, server="99.1", tools=99)
    assert "Postgres 99.1" in house.db("verify-backup", exit=7).err


# -- encrypted --------------------------------------------------------------------------------


def test_encrypted_it_opens_with_its_identity_alone(house: BackupHouse) -> None:
    identity = pyrage.x25519.Identity.generate()
    for name, text in (
        ("right.txt", str(identity)),
        ("wrong.txt", str(pyrage.x25519.Identity.generate())),
    ):
        (house.folder / name).write_text(text + "\n")
        (house.folder / name).chmod(0o600)
    house.settings(f"backups: {{ recipient: {identity.to_public()} }}")
    made = back_up(house)
    for path in (made / "dump").iterdir():
        assert path.suffix == ".age" and path.read_bytes().startswith(b"age-encryption.org/v1")
        assert path.stat().st_mode & 0o077 == 0
    assert "--identity" in house.db("verify-backup", exit=3).err
    wrong = house.db("verify-backup", "--identity", str(house.folder / "wrong.txt"), exit=3)
    assert "does not open" in wrong.err
    house.db("verify-backup", "--identity", str(house.folder / "right.txt"))
    into = ("restore", "--into", f"{house.database.name}_copy", "--yes")
    assert "--identity" in house.db(*into, exit=7).err
    house.db(*into, "--identity", str(house.folder / "right.txt"))
    flip(data := max((made / "dump").iterdir(), key=lambda path: path.stat().st_size))
    found = house.db("verify-backup", "--identity", str(house.folder / "right.txt"), exit=10)
    assert f"(dump/{data.name}) has another content" in found.out
    nothing_left(house)


# -- policy -----------------------------------------------------------------------------------


def test_a_backup_is_taken_in_a_freeze_and_its_proof_is_audited(house: BackupHouse) -> None:
    frozen = house.forked.run(
        ("freeze", "dev", "--reason", "quiet"), cwd=house.folder, env=house.environment
    )
    assert frozen.exit in (0, 7), frozen
    back_up(house)
    house.db("verify-backup")
    done = house.forked.run(
        ("audit", "verify", "--env", "dev"), cwd=house.folder, env=house.environment
    )
    assert done.exit == 0, done


# -- what it is taken from --------------------------------------------------------------------


def test_counts_and_dump_see_one_moment(house: BackupHouse) -> None:
    """Rows that come all the time do not make the copy another one."""
    stop = threading.Event()

    def write() -> None:
        with house.database.connect() as connection:
            while not stop.is_set():
                connection.execute("insert into people (name) values ('more')")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        back_up(house)
    finally:
        stop.set()
        writer.join()
    house.db("verify-backup")


def test_a_foreign_database_and_a_newer_server_are_refused(house: BackupHouse) -> None:
    house.database.do("update cbctl_marker set environment = 'other'")
    assert "belongs to test-house/other" in house.db("backup", "--yes", exit=7).err
    assert not place(house).exists()
    assert usable([Tools(Path("/x"), 14)], 15) is None


@pytest.mark.nightly
def test_it_can_be_proved_on_a_server_that_is_named(house: BackupHouse) -> None:
    back_up(house)
    house.more = {"SPARE_URL": house.database.server.url("postgres")}
    assert "env:NAME" in house.db("verify-backup", "--on", house.database.url, exit=64).err
    house.db("verify-backup", "--on", "env:SPARE_URL")
    assert not house.database.rows(
        "select from pg_database where datname like 'cbctl\\_verify\\_%'"
    )


@pytest.mark.nightly
def test_between_versions_of_postgres(
    tmp_path: Path, forked: Forked, servers: Callable[[str], Server]
) -> None:
    """An older one's is proved on a newer server; a newer one's on an older server is refused."""
    old, new = servers("system"), servers("wheel")
    for number, (server, other) in enumerate(((old, new), (new, old))):
        (folder := tmp_path / str(number)).mkdir()
        house = house_on(folder, forked, new_database(server))
        back_up(house)
        house.more = {"SPARE_URL": other.url("postgres")}
        if server is old:
            house.db("verify-backup", "--on", "env:SPARE_URL")
        else:
            told = house.db("verify-backup", "--on", "env:SPARE_URL", exit=7)
            assert "cannot be restored into Postgres 15" in told.err


def test_a_recipient_that_is_none_is_told_before_anything_is_done(house: BackupHouse) -> None:
    house.settings("backups: { recipient: age1nobody }")
    assert "no age recipient" in house.db("backup", "--yes", exit=64).err
    assert not place(house).exists()


def test_of_a_database_inside_a_cluster_they_are_not_kept_in_a_folder(house: BackupHouse) -> None:
    """It would go with the pod. Nothing is asked of a cluster before."""
    house.configure(access="in-cluster")
    file = house.folder / "cbctl.yaml"
    jobs = f"jobs: {{ image: cbctl@sha256:{'0' * 64} }}\n    clusters:"
    text = file.read_text().replace("clusters:", jobs)
    file.write_text(text.replace("on: kubernetes", "on: local"))  # its journal is in this folder
    for words in (("backup",), ("restore",), ("prune",), ("backup", "--to", "/kept")):
        told = house.db(*words, "--yes", exit=7).err
        assert "kept in a folder, which would go with the pod" in told
        assert "s3://BUCKET/PREFIX" in told
    assert "no backup yet" in house.db("backups").out


@pytest.mark.nightly
def test_one_that_is_proved_without_checksums_says_so(house: BackupHouse) -> None:
    back_up(house, "--no-checksums")
    assert "without checksums" in house.db("verify-backup").out


def test_a_folder_that_cannot_be_written_is_told(house: BackupHouse) -> None:
    (house.folder / "file").write_text("")
    told = house.db("backup", "--yes", "--to", str(house.folder / "file" / "x"), exit=5)
    assert "the folder of the backups cannot be used" in told.err
