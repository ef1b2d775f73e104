"""The folder of migrations: names, headers, checksums, and what a file may hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from cbctl.clients.postgres.migrations import checksum, gaps, read_folder
from cbctl.errors import CbctlError, Exit


def write(folder: Path, **files: str | bytes) -> None:
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / (name.removeprefix("m").replace("__", ".") + ".sql")).write_bytes(data)


def test_reads_in_the_order_of_the_numbers(tmp_path: Path) -> None:
    write(
        tmp_path,
        m10_c__up="select 3",
        m2_b__up="-- cbctl: phase=post transaction=none\nvacuum",
        m0001_a__up="-- cbctl: phase=pre\r\nselect 1",
        m0001_a__down="select 0",
    )
    (tmp_path / "README.md").write_text("not a migration")
    (tmp_path / "old.sql").mkdir()
    found = [m.entry for m in read_folder(tmp_path)]
    assert [(e.version, e.name, e.phase, e.transactional, e.reversible) for e in found] == [
        (1, "a", "pre", True, True),
        (2, "b", "post", False, False),
        (10, "c", "pre", True, False),
    ]
    assert found[2].title == "0010_c"


@pytest.mark.parametrize(
    ("files", "name", "line", "said"),
    [
        ({"m1_a__up": "", "m0001_b__up": ""}, "1_a.up.sql", "", "has the version of"),
        ({"m1_a__up": "", "m1_a__down": "", "m01_a__down": ""}, "1_a.down.sql", "", "the version"),
        ({"m1_a__down": ""}, "1_a.down.sql", "", "has no .up.sql"),
        ({"m1_a": ""}, "1_a.sql", "", "is not the name"),
        ({"ma_1__up": ""}, "a_1.up.sql", "", "is not the name"),
        ({"m0_a__up": ""}, "0_a.up.sql", "", "is not the name"),
        ({"m1_a__up": "-- cbctl: fase=pre"}, "1_a.up.sql", ":1", "`fase=pre`"),
        ({"m1_a__up": "-- cbctl: phase=later"}, "1_a.up.sql", ":1", "`phase=later`"),
        ({"m1_a__up": "-- cbctl: phase=pre phase=post"}, "1_a.up.sql", ":1", "there twice"),
        ({"m1_a__up": "-- cbctl: phase"}, "1_a.up.sql", ":1", "`phase`"),
        ({"m1_a__up": "\nselect 1;\n-- cbctl: phase=post"}, "1_a.up.sql", ":3", "not in line 1"),
        ({"m1_a__up": b"select 1;\n\xff"}, "1_a.up.sql", ":2", "is not UTF-8"),
        ({"m1_a__up": b"select 1;\n\n\0"}, "1_a.up.sql", ":3", "NUL"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, files: dict[str, str | bytes], name: str, line: str, said: str
) -> None:
    write(tmp_path, **files)
    with pytest.raises(CbctlError) as caught:
        read_folder(tmp_path)
    assert said in caught.value.what
    assert caught.value.where == f"{tmp_path / name}{line}"
    assert caught.value.exit == Exit.USAGE
    assert caught.value.fix


@pytest.mark.parametrize("name", ["1_a.up.sql", "1_b.down.sql", "1_b.verify.sql"])
def test_a_link_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    outside, folder = tmp_path / "secret", tmp_path / "folder"
    outside.write_text("SELECT 'of somebody else'")
    (folder / "..data").mkdir(parents=True)
    (folder / "1_b.up.sql").write_text("select 1")
    for target in (outside, Path("../secret"), tmp_path / "missing", Path("..data/../../secret")):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)
        with pytest.raises(CbctlError, match="leads out of its folder") as caught:
            read_folder(folder)
        assert caught.value.exit == Exit.USAGE and str(folder / name) in caught.value.where


def test_links_within_the_folder_are_read(tmp_path: Path) -> None:
    """Files of a ConfigMap lie in its volume so; the folder itself may be a link."""
    folder, link = tmp_path / "folder", tmp_path / "link"
    (folder / "..2026").mkdir(parents=True)
    (folder / "..2026" / "1_a.up.sql").write_text("select 1")
    (folder / "..data").symlink_to("..2026")
    (folder / "1_a.up.sql").symlink_to("..data/1_a.up.sql")
    link.symlink_to(folder)
    assert [migration.script for migration in read_folder(link)] == ["select 1"]
    (folder / "..2026" / "1_a.up.sql").unlink()
    with pytest.raises(CbctlError, match="cannot be read"):
        read_folder(link)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CbctlError, match="cannot be read"):
        read_folder(tmp_path / "absent")


def test_the_checksum_is_that_of_the_content() -> None:
    assert checksum("a\nb") == checksum("a \r\nb\t\r\n\n\n") == checksum("a\rb")
    assert checksum("a\nb") != checksum("a b") != checksum(" a b")


@pytest.mark.parametrize(
    ("versions", "missing"),
    [
        ([], []),
        ([1, 2, 3], []),
        ([2, 3, 7], ["1", "4-6"]),
        ([20260101120000, 20260301120000], []),
    ],
)
def test_gaps(versions: list[int], missing: list[str]) -> None:
    assert gaps(versions) == missing


@pytest.mark.parametrize(
    ("script", "line", "said"),
    [
        ("select 1;\ncommit;\nselect 2;", 2, "controls the transaction"),
        ("begin;\nselect 1;", 1, "controls the transaction"),
        ("select 1;\nrollback", 2, "controls the transaction"),
        ("/* x */ create index concurrently i on t (x);", 1, "does not run in a transaction"),
        ("select 1;\n\nvacuum t;", 3, "does not run in a transaction"),
        ("-- cbctl: transaction=none\nselect 1;\nselect 2;", 3, "2 statements"),
        ("-- cbctl: transaction=none\n-- nothing", 1, "0 statements"),
        ("-- cbctl: transaction=none\ncreate index concurrently on t (x)", 2, "without a name"),
    ],
)
def test_scripts_that_cannot_run_safely(tmp_path: Path, script: str, line: int, said: str) -> None:
    write(tmp_path, m1_a__up=script)
    (migration,) = read_folder(tmp_path)
    with pytest.raises(CbctlError, match=said) as caught:
        migration.runnable()
    assert caught.value.where == f"{tmp_path / '1_a.up.sql'}:{line}"


def test_begin_and_commit_around_a_file_are_blanked_out(tmp_path: Path) -> None:
    script = "-- a\nBEGIN;\nselect 'begin;';\nsavepoint s; rollback to s;\nCOMMIT;\n"
    write(tmp_path, m1_a__up=script)
    (migration,) = read_folder(tmp_path)
    runnable = migration.runnable()
    assert len(runnable) == len(script)
    assert runnable.split() == "-- a select 'begin;'; savepoint s; rollback to s;".split()  # noqa: SIM905
