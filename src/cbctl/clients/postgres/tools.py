"""Postgres' own programs, run on a database: pg_dump and pg_restore."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final

from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.connect import CONNECT_SECONDS, parameters, scrub
from cbctl.errors import CbctlError, Exit

# libpq's variables. An older libpq passes over those that it does not know.
_VARIABLES: Final = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "dbname": "PGDATABASE",
    "application_name": "PGAPPNAME",
    "channel_binding": "PGCHANNELBINDING",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "gssencmode": "PGGSSENCMODE",
    "options": "PGOPTIONS",
    "require_auth": "PGREQUIREAUTH",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "sslcert": "PGSSLCERT",
    "sslcrl": "PGSSLCRL",
    "sslkey": "PGSSLKEY",
    "sslmode": "PGSSLMODE",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "sslrootcert": "PGSSLROOTCERT",
    "sslsni": "PGSSLSNI",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
_KEPT_ALIVE: Final = (
    "keepalives_idle=10 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=30000"
)
_NEW_SETTING: Final = 17
"""From this version on pg_restore sets transaction_timeout, which older servers refuse."""
_LOOK: Final = 0.05
_PATIENCE: Final = 5.0
_TAIL: Final = 4000


@dataclass(frozen=True)
class Tools:
    """The folder that pg_dump and pg_restore are in, and their major version."""

    folder: Path
    major: int

    @property
    def dump(self) -> str:
        return str(self.folder / "pg_dump")

    @property
    def restore(self) -> str:
        return str(self.folder / "pg_restore")


@dataclass(frozen=True)
class Work:
    """How programs are run for somebody.

    folder   a private one, for a moment the password's
    jobs     how many of them work side by side
    pause    waits; raises when the run has to stop, and the program is ended
    variables  that tell later whose the program is
    """

    folder: Path
    jobs: int = 2
    pause: Callable[[float], None] = time.sleep
    progress: Callable[..., None] = lambda *_: None
    variables: Mapping[str, str] = field(default_factory=dict)


class ToolFailed(CbctlError):
    """A program ended with an error; `said` is what it wrote last."""

    def __init__(self, program: str, said: str, where: str) -> None:
        lines = [line for line in said.splitlines() if line.strip()]
        super().__init__(
            f"{program} failed: {' '.join(lines[:1] or ['it said nothing'])}",
            where=where,
            exit=Exit.FAILED,
            evidence={"said": lines[-8:]},
        )
        self.said = said


def major_of(version: str) -> int:
    """15 of "15.18"; 0 of what is no version."""
    found = re.match(r"\d+", version)
    return int(found[0]) if found else 0


def usable(tools: Sequence[Tools], server: int) -> Tools | None:
    """Which of them can dump a server of this major version: its own, else the oldest newer."""
    able = [one for one in tools if one.major >= server]
    return min(able, key=lambda one: one.major, default=None)


def restoring(tools: Sequence[Tools], server: int, dumped_by: int) -> Tools | None:
    """Which of them reads an archive of that pg_dump, and says only what the server knows."""
    able = [
        one
        for one in tools
        if one.major >= dumped_by and (one.major <= server or one.major < _NEW_SETTING)
    ]
    return min(able, key=lambda one: abs(one.major - server), default=None)


def jobs_here(asked: int) -> int:
    """How many side by side: more than four gain little on one server."""
    return asked or min(4, os.cpu_count() or 1)


@contextmanager
def login(address: Address, work: Work) -> Iterator[dict[str, str]]:
    """The environment of a program that connects. The password stands in a file that only this
    user reads: neither in the program's words nor in its environment."""
    from secrets import token_hex

    file = work.folder / f".login-{token_hex(4)}"
    password = address.password.reveal().replace("\\", "\\\\").replace(":", "\\:")
    given: dict[str, Any] = parameters(address, CONNECT_SECONDS)
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "PGPASSFILE": str(file),
        **{_VARIABLES[name]: str(value) for name, value in given.items() if name in _VARIABLES},
        **work.variables,
    }
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as opened:
            opened.write(f"*:*:*:*:{password}\n")
        yield {name: value for name, value in environment.items() if value}
    finally:
        file.unlink(missing_ok=True)


def connection_words(address: Address) -> str:
    """What --dbname takes: no secret, and a dead network does not hold a program for ever."""
    name = address.database.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{name}' {_KEPT_ALIVE}"


def run_tool(words: Sequence[str], address: Address, work: Work) -> None:
    """Raises ToolFailed; and what `work.pause` raises, after the program and what it started have
    ended."""
    with login(address, work) as environment, TemporaryFile(dir=work.folder) as said:
        process = subprocess.Popen(
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,  # Ctrl-C stops the run, which then ends the program
        )
        try:
            while process.poll() is None:
                work.pause(_LOOK)
        finally:
            if process.poll() is None:
                _end(process)
        if process.returncode != 0:
            program = Path(words[0]).name
            raise ToolFailed(program, scrub(_tail(said), address), str(address))


def _end(process: subprocess.Popen[bytes]) -> None:
    """First asked to end: then it cancels what the server is doing for it, which would go on."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tail(said: IO[bytes]) -> str:
    said.seek(max(0, said.seek(0, os.SEEK_END) - _TAIL))
    return said.read().decode(errors="replace")


def listing(tools: Tools, archive: Path) -> str:
    """The table of contents of an archive. Raises ToolFailed when it cannot be read."""
    return _read(tools, archive, "--list")


def script_of(tools: Tools, archive: Path, entries: Sequence[str], work: Work) -> str:
    """The SQL of some entries of that table, without data. Raises ToolFailed."""
    wanted = work.folder / "entries"
    wanted.write_text("".join(f"{entry}\n" for entry in entries))
    return _read(tools, archive, "--no-owner", "--file=-", f"--use-list={wanted}")


def _read(tools: Tools, archive: Path, *words: str) -> str:
    done = subprocess.run(
        [tools.restore, *words, str(archive)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=600,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
    )
    if done.returncode != 0:
        raise ToolFailed("pg_restore", done.stderr, str(archive))
    return done.stdout
