"""Where the fuzzed commands work: a project, the state of a platform that was deployed twice and
stopped, and nobody to talk to, so that none of them does real work."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.e2e.support import REPOSITORY, Platform
from tests.fuzz.judge import Case
from tests.testbed.forked import Ended, Forked

from cbctl.machine import owner

WATCHED = 1.0
"""s after which Ctrl-C is pressed where a command goes on until then."""
_DATA = ("postgres", "redis", "chain")
_PASSING = frozenset({"lock.guard", "ports.lock", "lock.json", "supervisor.log"})
"""Files that also those touch who then change nothing."""
_DOWN = "DATABASE_URL=postgresql://cbctl:nobody@127.0.0.1:9/x\nREDIS_URL=redis://127.0.0.1:9/0\n"

Signature = dict[str, tuple[int, ...]]


@dataclass
class Ground:
    """
    work     the folder of cbctl.yaml
    seed     a state root as it was left behind
    root     the state root of the case
    run      id of the newest run
    """

    work: Path
    seed: Path
    root: Path
    run: str
    forked: Forked
    _clean: tuple[bool, Signature] | None = field(default=None, repr=False)

    @property
    def state(self) -> Path:
        return self.root / "crypto-bet" / "local"

    def fresh(self, *, locked: bool = False) -> Signature:
        """The state as it was left behind. locked: by this process, so that every command that
        would change something is refused."""
        if self._clean is None or self._clean[0] != locked or self._clean[1] != self.signature():
            shutil.rmtree(self.root, ignore_errors=True)
            shutil.copytree(self.seed, self.root, symlinks=True)
            if locked:
                path = self.state / "lock.json"
                held = {**json.loads(path.read_text()), "held": True, "owner": asdict(owner())}
                path.write_text(json.dumps(held))
            self._clean = (locked, self.signature())
        return self._clean[1]

    def environment(self, case: Case) -> dict[str, str]:
        own = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.work / "home"),
            "TMPDIR": str(self.work / "tmp"),
            "CBCTL_STATE_DIR": str(self.root),
            "LANG": "C.UTF-8",
        }
        return {**own, **case.env}

    def carry_out(self, case: Case) -> Ended:
        return self.forked.run(
            case.argv,
            cwd=self.work,
            env=self.environment(case),
            interrupt=WATCHED if case.endless else None,
        )

    def signature(self) -> Signature:
        """Of every file of the state; equal when nothing was touched. A state that is new and has
        nothing in it does not count: making it is what even a plan begins with."""
        found: Signature = {}
        for folder, _, names in os.walk(self.root):
            if folder != str(self.state) and {*names} == {"id", "version"}:
                continue
            for name in names:
                if name not in _PASSING:
                    at = os.lstat(os.path.join(folder, name))
                    path = os.path.relpath(os.path.join(folder, name), self.root)
                    found[path] = (at.st_mode, at.st_size, at.st_mtime_ns, at.st_ino)
        return found


def differences(before: Signature, after: Signature) -> list[str]:
    names = sorted({*before, *after})
    return [name for name in names if before.get(name) != after.get(name)]


@contextmanager
def prepared(home: Path) -> Iterator[Ground]:
    """home: an empty folder of this session"""
    platform = Platform.make(home)
    try:
        platform.deploy()
        page = platform.source / "routes" / "operations.py"
        page.write_text(page.read_text() + "\n# the second release\n")
        assert platform.deploy()["release"] == "r2"
        platform.run("audit", "export", "audit.ndjson", "--env", "local").ended(0)
        parts = json.loads((platform.state / "supervisor.json").read_text())["parts"]
        platform.run("local", "down").ended(0)
    finally:
        platform.kill_everything()
    left = home / "seed" / "crypto-bet" / "local"
    shutil.copytree(platform.state, left, symlinks=True, ignore=shutil.ignore_patterns(*_DATA))
    for name in _DATA:
        (left / name).mkdir(mode=0o700)
    for name, part in parts.items():  # as a machine that went down leaves them
        (left / "records" / f"{name}.json").write_text(json.dumps(part))
    shutil.rmtree(platform.root)
    _furnish(platform.folder)
    with ExitStack() as held:
        for port in (platform.chain_port, platform.chain_port + 1):
            taken = held.enter_context(socket.socket())
            taken.bind(("127.0.0.1", port))  # and nobody listens
        forked = Forked()
        held.callback(forked.close)
        run = sorted((left / "runs").iterdir())[-1].stem
        yield Ground(platform.folder, home / "seed", home / "root", run, forked)


def _furnish(work: Path) -> None:
    """Servers that are down, runbooks of one's own, and files of every unwelcome kind."""
    servers = work / ".env.local"
    servers.write_text(_DOWN)
    servers.chmod(0o600)
    shutil.copytree(REPOSITORY / "runbooks", work / "own")
    config = work / "cbctl.yaml"
    config.write_text(
        config.read_text().replace("\ndefaults:\n", "\nrunbooks: own\ndefaults:\n", 1)
    )
    for folder in ("home", "tmp", "folder"):
        (work / folder).mkdir()
    (work / "unreadable").write_text("nobody reads this")
    (work / "unreadable").chmod(0)
    (work / "link").symlink_to("cbctl.yaml")
    (work / "loop").symlink_to("loop")
    (work / "empty").write_bytes(b"")
    (work / "bytes").write_bytes(bytes(range(256)) * 64)
