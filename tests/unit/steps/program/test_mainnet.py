"""What mainnet-beta demands of new bytes, decided from records alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from cbctl.engine.step import Blocked
from cbctl.errors import CbctlError, Exit
from cbctl.local import build_record, key_backup
from cbctl.local.build_record import BuildRecord
from cbctl.local.key_backup import KeyBackup
from cbctl.steps.program._mainnet import Demands, refusal

NOW = 1_800_000_000.0
DAY = 86_400
SHA256 = "ab" * 32
PINNED = Demands({"tool": "cargo build-sbf", "version": "4.0.0"}, 30)
BUILD = BuildRecord(SHA256, "cargo build-sbf", "4.0.0", {"rustc": "1.89.0"})
KEYS = {"the wallet": "W" * 40, "the program's key": "P" * 40}
BACKUP = KeyBackup(
    {"program.wallet": "W" * 40, "program.keypair": "P" * 40}, "age1x", "cd" * 32, NOW - DAY
)


def judged(
    demands: Demands = PINNED,
    build: BuildRecord | None = BUILD,
    backup: KeyBackup | None = BACKUP,
    keys: dict[str, str] = KEYS,
) -> Blocked | None:
    return refusal("program.so", SHA256, demands, build, backup, keys, NOW)


def test_what_is_proved_goes_through() -> None:
    assert judged() is None
    assert judged(backup=dataclasses.replace(BACKUP, proved=NOW - 30 * DAY)) is None
    assert judged(keys={}) is None  # none in hand: it stays in AWS KMS
    assert judged(Demands(PINNED.toolchain, None), backup=None) is None  # a rollback


@pytest.mark.parametrize(
    ("demands", "build", "words"),
    [
        (Demands(None, 30), BUILD, "no version is pinned"),
        (PINNED, None, "program.so has none beside it"),
        (
            PINNED,
            dataclasses.replace(BUILD, sha256="00" * 32),
            "of another build: of sha256 000000000000, the file has abababababab",
        ),
        (
            PINNED,
            dataclasses.replace(BUILD, tool="make"),
            "was built by make 4.0.0, and cbctl.yaml pins cargo build-sbf 4.0.0",
        ),
        (
            PINNED,
            dataclasses.replace(BUILD, version="4.0.1"),
            "was built by cargo build-sbf 4.0.1, and cbctl.yaml pins cargo build-sbf 4.0.0",
        ),
    ],
)
def test_a_build_that_is_not_proved(
    demands: Demands, build: BuildRecord | None, words: str
) -> None:
    found = judged(demands, build)
    assert found is not None and words in found.why and "build-sbf" in found.fix
    # by which tool is asked first; of a rollback it is asked too
    assert judged(Demands(demands.toolchain, None), build, None) == found


@pytest.mark.parametrize(
    ("backup", "words"),
    [
        (None, "there is none"),
        (dataclasses.replace(BACKUP, proved=NOW - 30 * DAY - 1), "more than 30 days ago"),
        (dataclasses.replace(BACKUP, proved=NOW + 2 * DAY), "in the future"),
        (
            dataclasses.replace(BACKUP, addresses={"program.wallet": "W" * 40}),
            f"does not hold the program's key ({'P' * 40})",
        ),
        (
            dataclasses.replace(BACKUP, addresses={"program.keypair": "P" * 40}),
            f"does not hold the wallet ({'W' * 40})",
        ),
    ],
)
def test_keys_without_a_fresh_backup(backup: KeyBackup | None, words: str) -> None:
    found = judged(backup=backup)
    assert found is not None and words in found.why
    assert "cbctl program keys backup" in found.fix


def test_records_come_back(tmp_path: Path) -> None:
    elf = tmp_path / "program.so"
    assert build_record.read(elf) is None and key_backup.read(tmp_path) is None
    full = dataclasses.replace(
        BUILD, command=("cargo", "build-sbf"), source={"commit": "c", "unchanged": True}, built="t"
    )
    assert build_record.write(elf, full).name == "program.so.build.json"
    assert build_record.read(elf) == full
    key_backup.write(tmp_path, BACKUP)
    assert key_backup.read(tmp_path) == BACKUP


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"sha256": 1}', "\xff", "[" * 5000])
def test_a_damaged_record_is_no_proof(text: str, tmp_path: Path) -> None:
    elf = tmp_path / "program.so"
    build_record.path_of(elf).write_bytes(text.encode("latin-1"))
    (tmp_path / "key-backup.json").write_bytes(text.encode("latin-1"))
    for read in (lambda: build_record.read(elf), lambda: key_backup.read(tmp_path)):
        with pytest.raises(CbctlError, match="is damaged") as caught:
            read()
        assert caught.value.exit is Exit.REFUSED and caught.value.fix
