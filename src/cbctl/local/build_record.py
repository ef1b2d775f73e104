"""`<elf>.build.json`: by which tool and from which sources a program's file was built.

It lies beside the file, is written by `cbctl program build`, and travels with it: whatever keeps a
copy of the file keeps this too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cbctl.errors import CbctlError, Exit
from cbctl.local.files import read_limited, write_atomic

_LIMIT = 64 << 10  # bytes


@dataclass(frozen=True)
class BuildRecord:
    """
    sha256    of the whole file
    tool      "cargo build-sbf"
    version   the tool's own
    versions  everything that it says of itself: also the compiler's
    command   the words it was called with
    source    commit and tree of the sources in git, and whether nothing in them was changed;
              empty outside of git
    built     when, UTC
    """

    sha256: str
    tool: str
    version: str
    versions: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    source: Mapping[str, str | bool] = field(default_factory=dict)
    built: str = ""


def path_of(elf: Path) -> Path:
    return elf.with_name(f"{elf.name}.build.json")


def write(elf: Path, record: BuildRecord) -> Path:
    """Where it was written."""
    path = path_of(elf)
    write_atomic(path, f"{json.dumps(asdict(record), indent=2)}\n".encode(), mode=0o644)
    return path


def read(elf: Path) -> BuildRecord | None:
    """None where there is none. Errors: CbctlError (7) for one that is damaged."""
    path = path_of(elf)
    try:
        found = json.loads(read_limited(path, _LIMIT))
        texts = {name: found[name] for name in ("sha256", "tool", "version", "built")}
        if not all(isinstance(text, str) for text in texts.values()):
            raise TypeError
        return BuildRecord(
            **texts,
            versions=dict(found["versions"]),
            command=tuple(found["command"]),
            source=dict(found["source"]),
        )
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise CbctlError(
            "this record of a build is damaged",
            exit=Exit.REFUSED,
            where=str(path),
            fix="build again: cbctl program build",
        ) from None
