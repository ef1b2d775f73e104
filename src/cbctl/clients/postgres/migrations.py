"""Reads a folder of migrations with golang-migrate's file names.

`NNNN_name.up.sql` and, where there is a way back, `NNNN_name.down.sql`. The first line may be

    -- cbctl: phase=pre|post [transaction=none]

`pre` (expand, the default) runs before the new code, `post` (contract) in a later deploy.
`transaction=none` is for one statement that cannot run in a transaction.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from cbctl.clients.postgres.statements import Statement, split
from cbctl.errors import CbctlError, Exit

Phase = Literal["pre", "post"]

_FILE = re.compile(r"(?P<version>[0-9]{1,18})_(?P<name>[A-Za-z0-9_.-]+)\.(?P<way>up|down)\.sql")
_HEADER = re.compile(r"--\s*cbctl:(?P<keys>.*)")
_LATER_HEADER = re.compile(r"^--\s*cbctl:", re.MULTILINE)
_KEYS: Final = {"phase": ("pre", "post"), "transaction": ("none",)}
# Texts, not compiled: `re` keeps them once they are used, and most runs use none.
_TRANSACTION_WORDS: Final = (
    r"(BEGIN|START TRANSACTION|COMMIT|END|ROLLBACK|ABORT|PREPARE TRANSACTION)\b"
)
_NO_TRANSACTION: Final = (
    r"(CREATE (UNIQUE )?INDEX CONCURRENTLY|DROP INDEX CONCURRENTLY|REINDEX .*\bCONCURRENTLY|VACUUM|"
    r"CREATE DATABASE|DROP DATABASE|ALTER SYSTEM|CREATE TABLESPACE|DROP TABLESPACE)\b"
)
_NAMELESS_INDEX: Final = r"CREATE (UNIQUE )?INDEX CONCURRENTLY ON\b"


@dataclass(frozen=True)
class Entry:
    """A migration as plans see it.

    checksum  sha256 in hex over the content without line endings and trailing white space
    """

    version: int
    name: str
    phase: Phase
    checksum: str
    transactional: bool
    reversible: bool

    @property
    def title(self) -> str:
        return f"{self.version:04d}_{self.name}"


@dataclass(frozen=True)
class Migration:
    entry: Entry
    path: Path
    script: str = field(repr=False)

    def runnable(self) -> str:
        """The script to send, after the checks that need its statements.

        A `BEGIN; … COMMIT;` around the whole file is blanked out (cbctl opens the transaction);
        offsets and lines stay the same. Raises CbctlError (64) with file and line.
        """
        statements = split(self.script)
        if not self.entry.transactional:
            return self._single(statements)
        script = self.script
        if len(statements) > 1 and _opens(statements[0]) and _commits(statements[-1]):
            for wrapper in (statements.pop(0), statements.pop()):
                blank = re.sub(r"[^\n]", " ", script[wrapper.start : wrapper.end])
                script = script[: wrapper.start] + blank + script[wrapper.end :]
        for statement in statements:
            if _starts(_TRANSACTION_WORDS, statement) and not _savepoint(statement):
                raise self._wrong(
                    statement.line,
                    "controls the transaction itself",
                    "leave BEGIN and COMMIT out: each migration runs in one transaction",
                )
            if _starts(_NO_TRANSACTION, statement):
                raise self._wrong(
                    statement.line,
                    "has a statement that Postgres does not run in a transaction",
                    "put it alone into a file with the first line `-- cbctl: transaction=none`",
                )
        return script

    def _single(self, statements: list[Statement]) -> str:
        if len(statements) != 1:
            raise self._wrong(
                statements[1].line if statements else 1,
                f"has transaction=none and {len(statements)} statements",
                "exactly one statement per file can be repeated safely after a crash: split it",
            )
        if _starts(_NAMELESS_INDEX, statements[0]):
            raise self._wrong(
                statements[0].line,
                "creates an index without a name",
                "name the index: only then an invalid one that a crash left is found again",
            )
        return self.script

    def _wrong(self, line: int, what: str, fix: str) -> CbctlError:
        return _wrong(self.path, line, what, fix)


def read_folder(folder: Path) -> tuple[Migration, ...]:
    """All migrations, sorted by version. Other files than *.sql are ignored.

    Raises CbctlError (64) that names file and line: names of another form, two files for one
    version, down without up, unknown header keys, content that is not UTF-8.
    """
    ups: dict[int, tuple[Path, str]] = {}
    downs: dict[int, Path] = {}
    for path in _sql_files(folder):
        match = _FILE.fullmatch(path.name)
        if match is None or int(match["version"]) == 0:
            raise _wrong(
                path,
                0,
                "is not the name of a migration",
                "call it NNNN_name.up.sql or NNNN_name.down.sql, from 0001 on, with letters, "
                "digits, _ . and - in the name",
            )
        version = int(match["version"])
        other = ups[version][0] if version in ups else None
        if match["way"] == "down":
            other = downs.get(version)
            downs[version] = path
        else:
            ups[version] = (path, match["name"])
        if other is not None:
            raise _wrong(
                path, 0, f"has the version of {other.name}", "give one of them another number"
            )
    for version, path in sorted(downs.items()):
        if version not in ups:
            raise _wrong(path, 0, "has no .up.sql beside it", "add it, or remove the down file")
    return tuple(
        _read(path, version, name, version in downs)
        for version, (path, name) in sorted(ups.items())
    )


def gaps(versions: list[int]) -> list[str]:
    """Numbers that are missing in a sequence ("3", "5-7"); allowed, but worth saying.

    None for versions that are times (20261122…): those have no sequence.
    """
    if not versions or versions[-1] > 99_999:
        return []
    missing = []
    for before, after in zip([0, *versions], versions, strict=False):
        if after - before == 2:
            missing.append(str(before + 1))
        elif after - before > 2:
            missing.append(f"{before + 1}-{after - 1}")
    return missing


def _sql_files(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as found:
            names = sorted(
                entry.name for entry in found if entry.name.endswith(".sql") and entry.is_file()
            )
    except OSError as error:
        raise CbctlError(
            f"the folder of migrations cannot be read: {error.strerror}",
            where=str(folder),
            exit=Exit.USAGE,
            fix="check the path of the migrations in cbctl.yaml",
        ) from None
    return [folder / name for name in names]


def _read(path: Path, version: int, name: str, reversible: bool) -> Migration:
    raw = path.read_bytes()
    try:
        script = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _wrong(path, line, "is not UTF-8", "save the file as UTF-8") from None
    if "\0" in script:
        line = script.count("\n", 0, script.index("\0")) + 1
        raise _wrong(path, line, "holds a NUL character", "remove it: Postgres has no such text")
    keys = _header(path, script)
    entry = Entry(
        version=version,
        name=name,
        phase="post" if keys.get("phase") == "post" else "pre",
        checksum=checksum(script),
        transactional=keys.get("transaction") != "none",
        reversible=reversible,
    )
    return Migration(entry, path, script)


def checksum(script: str) -> str:
    """sha256 in hex; line endings, white space at ends of lines and empty last lines are free."""
    lines = [line.rstrip() for line in script.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    return hashlib.sha256("\n".join(lines).rstrip().encode()).hexdigest()


def _header(path: Path, script: str) -> dict[str, str]:
    first, _, rest = script.partition("\n")
    if later := _LATER_HEADER.search(rest):
        line = rest.count("\n", 0, later.start()) + 2
        raise _wrong(path, line, "has a cbctl header that is not in line 1", "move it to line 1")
    header = _HEADER.match(first.strip())
    keys: dict[str, str] = {}
    for word in header["keys"].split() if header else []:
        key, _, value = word.partition("=")
        if value not in _KEYS.get(key, ()) or key in keys:
            raise _wrong(
                path,
                1,
                f"has `{word}` in its header, which is unknown, empty or there twice",
                "write `-- cbctl: phase=pre`, `phase=post`, and `transaction=none` where needed",
            )
        keys[key] = value
    return keys


def _opens(statement: Statement) -> bool:
    return re.fullmatch(r"(BEGIN|START)( (WORK|TRANSACTION))?", statement.words, re.I) is not None


def _commits(statement: Statement) -> bool:
    return re.fullmatch(r"(COMMIT|END)( (WORK|TRANSACTION))?", statement.words, re.I) is not None


def _savepoint(statement: Statement) -> bool:
    """ROLLBACK TO SAVEPOINT stays inside the transaction."""
    return _starts(r"ROLLBACK( (WORK|TRANSACTION))? TO\b", statement)


def _starts(pattern: str, statement: Statement) -> bool:
    return re.match(pattern, statement.words, re.IGNORECASE | re.DOTALL) is not None


def _wrong(path: Path, line: int, what: str, fix: str) -> CbctlError:
    place = f"{path}:{line}" if line else str(path)
    return CbctlError(f"the migration {path.name} {what}", where=place, fix=fix, exit=Exit.USAGE)
