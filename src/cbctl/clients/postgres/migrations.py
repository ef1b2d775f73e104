"""Reads a folder of migrations with golang-migrate's file names.

`NNNN_name.up.sql`; where there is a way back, `NNNN_name.down.sql`; where something can be checked
afterwards, `NNNN_name.verify.sql`. The first line may be

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

from cbctl.clients.postgres.script import Script, wrong
from cbctl.errors import CbctlError, Exit

Phase = Literal["pre", "post"]

_FILE = re.compile(
    r"(?P<version>[0-9]{1,18})_(?P<name>[A-Za-z0-9_.-]+)\.(?P<way>up|down|verify)\.sql"
)
_HEADER = re.compile(r"--\s*cbctl:(?P<keys>.*)")
_LATER_HEADER = re.compile(r"^--\s*cbctl:", re.MULTILINE)
_KEYS: Final = {"phase": ("pre", "post"), "transaction": ("none",)}


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
    """down, verify: the files beside it, where there are any"""

    entry: Entry
    path: Path
    script: str = field(repr=False)
    down: Path | None = None
    verify: Path | None = None

    def runnable(self) -> str:
        """The script to send. Raises CbctlError (64) with file and line."""
        return self.up().runnable()

    def up(self) -> Script:
        return Script(self.path, self.script, self.entry.transactional)

    def way_back(self) -> Script | None:
        """The down file, read now: most runs need none."""
        if self.down is None:
            return None
        text = read_text(self.down)
        return Script(self.down, text, _header(self.down, text).get("transaction") != "none")

    def check(self) -> Script | None:
        """The verify file: statements that fail, or say false, when the migration is not there."""
        return None if self.verify is None else Script(self.verify, read_text(self.verify), True)


def read_folder(folder: Path) -> tuple[Migration, ...]:
    """All migrations, sorted by version. Other files than *.sql are ignored.

    Raises CbctlError (64) that names file and line: names of another form, two files for one
    version, down without up, links that lead out of the folder, unknown header keys, content that
    is not UTF-8.
    """
    ups: dict[int, tuple[Path, str]] = {}
    beside: dict[str, dict[int, Path]] = {"down": {}, "verify": {}}
    for path in _sql_files(folder):
        match = _FILE.fullmatch(path.name)
        if match is None or int(match["version"]) == 0:
            raise wrong(
                path,
                0,
                "is not the name of a migration",
                "call it NNNN_name.up.sql, .down.sql or .verify.sql, from 0001 on, with "
                "letters, digits, _ . and - in the name",
            )
        _refuse_a_link_out(path)
        version = int(match["version"])
        other = ups[version][0] if version in ups else None
        if match["way"] == "up":
            ups[version] = (path, match["name"])
        else:
            other = beside[match["way"]].get(version)
            beside[match["way"]][version] = path
        if other is not None:
            raise wrong(
                path, 0, f"has the version of {other.name}", "give one of them another number"
            )
    for files in beside.values():
        for version, path in sorted(files.items()):
            if version not in ups:
                raise wrong(path, 0, "has no .up.sql beside it", "add it, or remove this file")
    return tuple(
        _read(path, version, name, beside["down"].get(version), beside["verify"].get(version))
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
                entry.name
                for entry in found
                if entry.name.endswith(".sql") and (entry.is_file() or entry.is_symlink())
            )
    except OSError as error:
        raise CbctlError(
            f"the folder of migrations cannot be read: {error.strerror}",
            where=str(folder),
            exit=Exit.USAGE,
            fix="check the path of the migrations in cbctl.yaml",
        ) from None
    return [folder / name for name in names]


def _read(path: Path, version: int, name: str, down: Path | None, verify: Path | None) -> Migration:
    script = read_text(path)
    keys = _header(path, script)
    entry = Entry(
        version=version,
        name=name,
        phase="post" if keys.get("phase") == "post" else "pre",
        checksum=checksum(script),
        transactional=keys.get("transaction") != "none",
        reversible=down is not None,
    )
    return Migration(entry, path, script, down, verify)


def read_text(path: Path) -> str:
    """Raises CbctlError (64) with the line that is no text, or for a link to elsewhere."""
    _refuse_a_link_out(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise wrong(path, 0, f"cannot be read: {error.strerror}", "see to the file") from None
    try:
        script = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise wrong(path, line, "is not UTF-8", "save the file as UTF-8") from None
    if "\0" in script:
        line = script.count("\n", 0, script.index("\0")) + 1
        raise wrong(path, line, "holds a NUL character", "remove it: Postgres has no such text")
    return script


def _refuse_a_link_out(path: Path) -> None:
    """What is shown and run is what lies in the folder (itself a link, if need be)."""
    if path.is_symlink() and not path.resolve().is_relative_to(path.parent.resolve()):
        raise wrong(path, 0, "is a link that leads out of its folder", "put the file itself there")


def checksum(script: str) -> str:
    """sha256 in hex; line endings, white space at ends of lines and empty last lines are free."""
    lines = [line.rstrip() for line in script.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    return hashlib.sha256("\n".join(lines).rstrip().encode()).hexdigest()


def _header(path: Path, script: str) -> dict[str, str]:
    first, _, rest = script.partition("\n")
    if later := _LATER_HEADER.search(rest):
        line = rest.count("\n", 0, later.start()) + 2
        raise wrong(path, line, "has a cbctl header that is not in line 1", "move it to line 1")
    header = _HEADER.match(first.strip())
    keys: dict[str, str] = {}
    for word in header["keys"].split() if header else []:
        key, _, value = word.partition("=")
        if value not in _KEYS.get(key, ()) or key in keys:
            raise wrong(
                path,
                1,
                f"has `{word}` in its header, which is unknown, empty or there twice",
                "write `-- cbctl: phase=pre`, `phase=post`, and `transaction=none` where needed",
            )
        keys[key] = value
    return keys
