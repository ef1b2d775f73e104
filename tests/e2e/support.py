"""The installed `cbctl`, run as a user runs it, in a working folder of its own."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, ClassVar, Self

import psutil

REPOSITORY = Path(__file__).parents[2]
CBCTL = Path(sys.executable).with_name("cbctl")
PATIENCE = 120.0
"""s; the limit of everything that these tests wait for. The machine may be busy."""

_KEPT = ("PATH", "HOME", "TMPDIR", "PYTHONPATH")
_PUBLIC = {"rpc-url"}


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    command: tuple[str, ...]
    exit: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"cbctl {' '.join(self.command)} → {self.exit}\n{self.out}\n{self.err}"

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def ended(self, exit: int) -> Done:
        """Itself; fails unless the command left with this code and without a traceback."""
        assert self.exit == exit, self
        self._clean()
        return self

    def refused(self, exit: int, *words: str) -> Done:
        """Itself; fails unless it left with this code and one message that holds these words."""
        self.ended(exit)
        for word in words:
            assert word in self.err, f"{word!r} is missing in: {self}"
        return self

    def _clean(self) -> None:
        assert "Traceback" not in self.out + self.err, self
        assert "defect of cbctl" not in self.err, self
        assert "\x1b" not in self.out + self.err, self


@dataclass
class Running:
    """A command that is going on."""

    command: tuple[str, ...]
    process: subprocess.Popen[str]
    transcript: list[str]

    @property
    def pid(self) -> int:
        return self.process.pid

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> Done:
        out, err = self.process.communicate(timeout=PATIENCE)
        self.transcript += [out, err]
        return Done(self.command, self.process.returncode, out, err)

    def kill(self) -> None:
        """As a power cut ends it: the command and whatever it started by itself, not the services,
        which lead sessions of their own."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.end()


@dataclass
class Platform:
    """A copy of what cbctl.yaml names, with free ports and a state folder of its own.

    name, env  of the platform, and of its environment on this machine
    """

    name: ClassVar[str] = "crypto-bet"
    env: ClassVar[str] = "local"
    folder: Path
    root: Path
    api_port: int
    chain_port: int
    shipped: str = ""  # cbctl.yaml with our ports
    variables: dict[str, str] = field(default_factory=dict)
    transcript: list[str] = field(default_factory=list)
    known_secrets: set[str] = field(default_factory=set)

    @classmethod
    def make(cls, home: Path) -> Self:
        """home: an empty folder of this test"""
        folder = home / "work"
        folder.mkdir(parents=True)
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / "src" / "cbapi", folder / "src" / "cbapi", ignore=ignore)
        artifacts = Path("programs") / "crypto_bet" / "artifacts"
        shutil.copytree(REPOSITORY / artifacts, folder / artifacts)
        shutil.copytree(REPOSITORY / "manifests", folder / "manifests")
        api, chain = free_ports()
        made = cls(folder, home / "state", api, chain)
        text = (REPOSITORY / "cbctl.yaml").read_text()
        for before, now in (("port: 3000", f"port: {api}"), ("port: 8899", f"port: {chain}")):
            assert text.count(before) == 1, f"cbctl.yaml has no longer one line {before!r}"
            text = text.replace(before, now)
        made.shipped = text
        made.config.write_text(text)
        return made

    # -- what is where ----------------------------------------------------------------------

    @property
    def config(self) -> Path:
        return self.folder / "cbctl.yaml"

    @property
    def state(self) -> Path:
        return self.root / self.name / self.env

    @property
    def source(self) -> Path:
        return self.folder / "src" / "cbapi"

    @property
    def migrations(self) -> Path:
        return self.source / "migrations"

    @property
    def elf(self) -> Path:
        return self.folder / "programs/crypto_bet/artifacts/crypto_bet.so"

    @property
    def idl(self) -> Path:
        return self.folder / "programs/crypto_bet/artifacts/crypto_bet.idl.json"

    def edit(self, before: str, now: str) -> None:
        """Changes one place of cbctl.yaml."""
        text = self.config.read_text()
        assert text.count(before) == 1, f"{before!r} is there {text.count(before)} times"
        self.config.write_text(text.replace(before, now))

    # -- commands ---------------------------------------------------------------------------

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        own = {"CBCTL_STATE_DIR": str(self.root), "LANG": "C.UTF-8", "NO_COLOR": "1"}
        return {**kept, **own, **self.variables, **(more or {})}

    def start(self, *command: str, env: Mapping[str, str] | None = None) -> Running:
        process = subprocess.Popen(
            [*self.launcher, *command],
            cwd=self.folder,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return Running(command, process, self.transcript)

    def run(self, *command: str, env: Mapping[str, str] | None = None) -> Done:
        return self.start(*command, env=env).end()

    @property
    def launcher(self) -> list[str]:
        return [str(CBCTL)]

    def deploy(self, *more: str) -> dict[str, Any]:
        """A deploy that has to succeed; its result."""
        result: dict[str, Any] = (
            self.run("deploy", self.env, "--output", "json", *more).ended(0).json
        )
        self.remember_secrets()
        return result

    def status(self) -> dict[str, dict[str, Any]]:
        parts = self.run("status", self.env, "--output", "json").ended(0).json["parts"]
        return {part["name"]: part for part in parts}

    def releases(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (
            self.run("releases", self.env, "--output", "json").ended(0).json
        )
        return found

    def pids(self) -> dict[str, int]:
        """Of the services, as the supervisor published them."""
        answer = json.loads((self.state / "supervisor.json").read_text())
        return {n: p["process"]["pid"] for n, p in answer["parts"].items() if p["process"]}

    # -- journal ----------------------------------------------------------------------------

    def runs(self) -> list[str]:
        """Ids, oldest first. One whose first record was torn is no run, whatever its id."""
        found = (self.state / "runs").glob("*.ndjson")
        return sorted(path.stem for path in found if _lines(path))

    def journal(self, run: str | None = None) -> list[dict[str, Any]]:
        """The records of a run, or of the newest one; [] when there is none yet."""
        found = self.runs()
        if run is None:
            run = found[-1] if found else ""
        return _records(self.state / "runs" / f"{run}.ndjson") if run in found else []

    def check_journals(self) -> None:
        """Every line of every journal names the one before it; a torn one at the end is none."""
        for path in (self.state / "runs").glob("*.ndjson"):
            last = "0" * 64
            for number, line in enumerate(_lines(path), 1):
                record = json.loads(line)
                assert (record["seq"], record["prev_hash"]) == (number, last), path
                last = hashlib.sha256(line).hexdigest()

    # -- the real systems -------------------------------------------------------------------

    def rpc(self, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.chain_port}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            told = json.loads(answer.read())
        assert "error" not in told, told
        return told["result"]

    def account(self, address: str) -> bytes:
        value = self.rpc("getAccountInfo", address, {"encoding": "base64"})["value"]
        assert value is not None, f"there is no account {address}"
        return base64.b64decode(value["data"][0])

    def program_on_chain(self, program_id: str) -> str:
        """sha256 of the program's code, without the zeros behind it."""
        from solders.pubkey import Pubkey

        at = Pubkey.from_bytes(self.account(program_id)[4:36])
        return hashlib.sha256(self.account(str(at))[45:].rstrip(b"\0")).hexdigest()

    def address(self, name: str) -> str:
        """The public key of a keypair of the state."""
        from solders.keypair import Keypair

        text = (self.state / "secrets" / f"keypair-{name}").read_text()
        return str(Keypair.from_json(text).pubkey())

    def balance(self, name: str = "wallet") -> int:
        return int(self.rpc("getBalance", self.address(name))["value"])

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        import psycopg

        url = (self.state / "secrets" / "database-url").read_text().strip()
        with psycopg.connect(url) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def schema(self) -> list[tuple[Any, ...]]:
        return self.sql(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
            " ORDER BY table_name, column_name"
        )

    def get(self, path: str) -> tuple[int, str]:
        try:
            url = f"http://127.0.0.1:{self.api_port}{path}"
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    # -- processes --------------------------------------------------------------------------

    @property
    def mark(self) -> str:
        """What every process of this platform has in its command line, folder or variables."""
        return str(self.root)

    def processes(self) -> list[psutil.Process]:
        """Every process that works in or for the state folder."""
        found = []
        for process in psutil.process_iter():
            if process.pid != os.getpid() and self._ours(process):
                found.append(process)
        return found

    def _ours(self, process: psutil.Process) -> bool:
        needle = self.mark
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return (
                any(needle in word for word in process.cmdline())
                or process.cwd().startswith(needle)
                or any(needle in value for value in process.environ().values())
            )
        except psutil.Error:
            return False

    def kill_everything(self) -> None:
        """What a reboot does to the processes."""
        while left := self.processes():
            for process in left:
                try:
                    process.kill()
                except psutil.NoSuchProcess:
                    continue
            psutil.wait_procs(left, timeout=PATIENCE)

    # -- secrets ----------------------------------------------------------------------------

    def remember_secrets(self) -> None:
        """Notes what was generated so far, in every form in which it might show up."""
        for path in (self.state / "secrets").glob("*"):
            if path.name.startswith(".") or path.name in _PUBLIC:
                continue
            text = path.read_text().strip()
            if path.name.startswith("keypair-"):
                self.known_secrets |= _forms(bytes(json.loads(text)))
            else:
                self.known_secrets.add(text)

    def shown_secrets(self) -> list[str]:
        """Where a generated secret can be seen that must not be."""
        self.remember_secrets()
        places = {"output": "\n".join(self.transcript)}
        for path in self.state.rglob("*"):
            inside = path.relative_to(self.state).parts
            private = inside[0] == "secrets" or inside[:2] == ("redis", "redis.conf")
            if path.is_file() and not private:
                places[str(path)] = path.read_bytes().decode("latin-1")
        for process in psutil.process_iter():
            try:
                places[f"command line of {process.pid}"] = "\0".join(process.cmdline())
            except psutil.Error:
                continue
        return [
            f"{where}: …{secret[-4:]}"
            for where, text in places.items()
            for secret in self.known_secrets
            if secret in text
        ]

    def secret_files(self) -> Iterator[Path]:
        yield from (self.state / "secrets").iterdir()
        yield self.state / "redis" / "redis.conf"

    # -- the end ----------------------------------------------------------------------------

    def end(self) -> None:
        """Resets, and fails when anything is left behind or a secret was seen."""
        try:
            shown = self.shown_secrets() if self.state.exists() else []
            if self.state.exists():
                self.config.write_text(self.shipped)
                (self.folder / f".env.{self.env}").unlink(missing_ok=True)
                done = self.run("local", "reset", "--yes", "--env", self.env)
                assert done.exit == 0, done
            wait_until(lambda: not self.processes(), "all processes to be gone")
            assert not self.state.exists()
            assert not shown, shown
        finally:
            self.kill_everything()


def wait_until(true: Callable[[], object], what: str, pause: float = 0.02) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, f"waited {PATIENCE:.0f} s for {what}"
        time.sleep(pause)


def free_ports() -> tuple[int, int]:
    """Two that nobody has; the second with free neighbours. Below those that cbctl chooses from."""
    while True:
        first = random.randrange(11_000, 14_900)
        if all(_free(first + offset) for offset in range(4)):
            return first, first + 1


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def stranger(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Somebody else's process that has a port."""
    script = (
        "import socket, sys, time\n"
        f"s = socket.socket(); s.setsockopt({socket.SOL_SOCKET}, {socket.SO_REUSEADDR}, 1)\n"
        f"s.bind(('127.0.0.1', {port})); s.listen(); print('ready', flush=True)\n"
        "time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    try:
        stdout: IO[bytes] | None = process.stdout
        assert stdout is not None
        assert stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def _records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _lines(path)]


def _lines(path: Path) -> list[bytes]:
    data = path.read_bytes()
    return data[: data.rfind(b"\n") + 1].splitlines()


def _forms(secret: bytes) -> set[str]:
    """A keypair's secret half as JSON, base58, base64 and hex."""
    from solders.keypair import Keypair

    seed = secret[:32]
    return {
        ",".join(map(str, seed)),
        ", ".join(map(str, seed)),
        str(Keypair.from_bytes(secret)),
        base64.b64encode(seed).decode().rstrip("=")[:-1],
        seed.hex(),
        repr(seed),
        seed.decode("latin-1"),
    }
