"""`cbctl db clone`: another environment's data, with other people in it."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from tests.integration.db.backup_house import BackupHouse, back_up, house_on
from tests.integration.db.conftest import Database
from tests.testbed.forked import Forked

CLASSIFIED = r"""
[people]
id = "keep"
name = { sql = "'person ' || id" }
feels = "keep"
at = "keep"
weight = "null"
photo = { sql = "sha256(id::text::bytea)" }

['public."Odd ""name"']
cbctl_row = "keep"
t = "keep"

[odd_low]
cbctl_row = "keep"
t = { sql = "'y' || cbctl_row" }
"""


@pytest.fixture
def house(tmp_path: Path, forked: Forked, one_database: Database) -> BackupHouse:
    made = house_on(tmp_path, forked, one_database)
    settings = tmp_path / "cbctl.yaml"
    text = settings.read_text()
    other = text[text.index("  dev:") :].replace("  dev:", "  test:").replace("URL}", "URL_TEST}")
    settings.write_text(text + other)
    name = one_database.name
    made.more = {"DATABASE_URL_TEST": one_database.url.replace(name, f"{name}_test")}
    (tmp_path / "migrations" / "anonymize.toml").write_text(CLASSIFIED)
    return made


CLONE = ("clone", "--from", "last", "--from-env", "dev", "--env", "test", "--yes")


def test_a_clone_holds_no_value_that_was_to_go(house: BackupHouse) -> None:
    back_up(house)
    assert "only anonymized" in house.db(*CLONE, exit=7).err
    house.db(*CLONE, "--anonymize")
    with psycopg.connect(house.more["DATABASE_URL_TEST"]) as there:
        rows = there.execute(
            "select count(*), count(weight), count(*) filter (where name = 'person ' || id), "
            "count(*) filter (where photo = decode(md5(id::text), 'hex')) from people"
        ).fetchone()
        assert rows == (1000, 0, 1000, 0)
        assert there.execute("select environment from cbctl_marker").fetchone() == ("test",)
    assert house.database.rows("select count(weight) from people") == [(1000,)]
    name = house.database.name
    house.db(*CLONE, "--anonymize", exit=7)  # it is live now
    house.db(*CLONE, "--anonymize", "--replace", f"{name}_test")


@pytest.mark.parametrize(
    ("old", "new", "exit", "told"),
    [
        ('weight = "null"\n', "", 7, "public.people.weight is not classified"),
        ('weight = "null"', 'weight = "null"\nlost = "keep"', 7, "lost is classified and not"),
        ('"null"', '"hash"', 64, "neither keep, nor null, nor sql"),
        pytest.param(
            '"null"', '"null"\nweight = "keep"', 64, "is no TOML", marks=pytest.mark.nightly
        ),
        ("'person ' || id", "name", 5, "public.people.name: 1000 values"),
        pytest.param(
            "'person ' || id",
            "nobody(id)",
            5,
            "cannot anonymize public.people",
            marks=pytest.mark.nightly,
        ),
    ],
)
def test_what_is_not_decided_or_does_nothing_fails(
    old: str, new: str, exit: int, told: str, house: BackupHouse
) -> None:
    back_up(house)
    file = house.folder / "migrations" / "anonymize.toml"
    file.write_text(file.read_text().replace(old, new))
    assert told in house.db(*CLONE, "--anonymize", exit=exit).err
    assert (
        house.database.rows(
            f"select from pg_database where datname like '{house.database.name}\\_%'"
        )
        == []
    )


def test_a_protected_environment_takes_none(house: BackupHouse) -> None:
    back_up(house)
    settings = house.folder / "cbctl.yaml"
    text = settings.read_text()
    at = text.index("  test:")
    settings.write_text(text[:at] + text[at:].replace("protected: false", "protected: true"))
    told = house.db(*CLONE, "--anonymize", "--confirm", "test", exit=7)
    assert "takes no data of another" in told.err
