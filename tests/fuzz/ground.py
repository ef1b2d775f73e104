"""Where the fuzzed commands work: a project, the state of a platform that was deployed twice and
stopped, and nobody to talk to, so that none of them does real work."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.e2e.support import REPOSITORY, Platform, wait_until
from tests.fuzz.judge import Case
from tests.testbed.forked import Ended, Forked
from tests.unit.report import place as stories
from tests.unit.report.place import Place

from cbctl.local.processes import identify
from cbctl.machine import owner

WATCHED = 1.0
"""s after which Ctrl-C is pressed where a command goes on until then."""
_DATA = ("postgres", "redis", "chain")
_MENDED = 12
"""Files that are put back one by one; where more were changed, all are."""
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
    """

    work: Path
    seed: Path
    root: Path
    runs: tuple[str, ...]
    forked: Forked
    _clean: Signature = field(default_factory=dict, repr=False)
    _locked: bool | None = None
    _supervisor: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def state(self) -> Path:
        return self.root / "crypto-bet" / "local"

    def fresh(self, *, locked: bool = False) -> Signature:
        """The state as it was left behind. locked: by this process, so that every command that
        would change something is refused."""
        changed = differences(self._clean, self.signature())
        if locked != self._locked or len(changed) > _MENDED:
            shutil.rmtree(self.root, ignore_errors=True)
            shutil.copytree(self.seed, self.root, symlinks=True)
            self._locked, changed = locked, []
        for name in (*changed, *self._passing()):
            self._mend(name)
        if locked:
            path = self.state / "lock.json"
            held = {**json.loads(path.read_text()), "held": True, "owner": asdict(owner())}
            path.write_text(json.dumps(held))
        self._clean = self.signature()
        return self._clean

    def _passing(self) -> Iterator[str]:
        for path in self.root.rglob("*"):
            if path.name in _PASSING:
                yield str(path.relative_to(self.root))

    def _mend(self, name: str) -> None:
        """The file as it was left behind, whatever is in its place now."""
        good, now = self.seed / name, self.root / name
        if now.is_symlink() or now.is_file():
            now.unlink()
        elif now.is_dir():
            shutil.rmtree(now)
        if good.exists():
            now.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(good, now)

    def supervise(self) -> None:
        """Somebody answers to the supervisor's name, so that what it wrote is believed."""
        if self._supervisor is None or self._supervisor.poll() is not None:
            self._supervisor = subprocess.Popen(["sleep", "3600"])
        answer = self.state / "supervisor.json"
        process = identify(self._supervisor.pid)
        assert process is not None
        told = {**json.loads(answer.read_text()), "process": process.as_json()}
        answer.write_text(json.dumps(told))

    def close(self) -> None:
        self.forked.close()
        if self._supervisor is not None:
            self._supervisor.kill()
            self._supervisor.wait()

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
        """Of every file of the state; equal when nothing was touched."""
        found: Signature = {}
        for folder, _, names in os.walk(self.root):
            for name in names:
                if name not in _PASSING:
                    at = os.lstat(os.path.join(folder, name))
                    path = os.path.relpath(os.path.join(folder, name), self.root)
                    found[path] = (at.st_mode, at.st_size, at.st_mtime_ns, at.st_ino)
        return found


def differences(before: Signature, after: Signature) -> list[str]:
    """Names of files. That a folder gets its id and its version does not count: so begins every
    look at one that has none."""
    names = sorted({*before, *after})
    changed = [name for name in names if before.get(name) != after.get(name)]
    return [n for n in changed if n in before or n.rpartition("/")[2] not in ("id", "version")]


@contextmanager
def prepared(home: Path) -> Iterator[Ground]:
    """home: an empty folder of this session"""
    platform = Platform.make(home)
    try:
        _live(platform)
        answer = (platform.state / "supervisor.json").read_text()
        platform.run("local", "down").ended(0)
    finally:
        platform.kill_everything()
    left = home / "seed" / "crypto-bet" / "local"
    shutil.copytree(platform.state, left, symlinks=True, ignore=shutil.ignore_patterns(*_DATA))
    for name in _DATA:
        (left / name).mkdir(mode=0o700)
    # as a machine that went down leaves them
    (left / "supervisor.json").write_text(answer)
    for name, part in json.loads(answer)["parts"].items():
        (left / "records" / f"{name}.json").write_text(json.dumps(part))
    shutil.rmtree(platform.root)
    _furnish(platform.folder)
    with ExitStack() as held:
        for port in (platform.chain_port, platform.chain_port + 1):
            taken = held.enter_context(socket.socket())
            taken.bind(("127.0.0.1", port))  # and nobody listens
        runs = tuple(sorted(path.stem for path in (left / "runs").iterdir()))
        made = Ground(platform.folder, home / "seed", home / "root", runs, Forked())
        held.callback(made.close)
        yield made


def _live(platform: Platform) -> None:
    """Runs that failed and were undone or cancelled, two releases, a run that was killed, a freeze,
    and what people keep."""
    platform.run("deploy", "local", "--plan").ended(2)
    before = Place(platform.state)
    stories.failed(before, undo=True)
    stories.cancelled(before)
    platform.deploy()
    page = platform.source / "routes" / "operations.py"
    page.write_text(page.read_text() + "\n# the second release\n")
    platform.run("deploy", "local", "--plan-out", "saved.plan").ended(2)
    assert platform.deploy()["release"] == "r2"
    page.write_text(page.read_text() + "\n# the third release\n")
    newest = platform.journal()[0]
    killed = platform.start("deploy", "local")
    wait_until(
        lambda: platform.journal()[:1] not in ([], [newest]) and len(platform.journal()) > 1,
        "its first step to begin",
    )
    killed.kill()
    platform.run("freeze", "local", "--reason", "why", "--until", "1h").ended(0)
    platform.run("unfreeze", "local", "--reason", "why").ended(0)
    platform.run("audit", "export", "audit.ndjson", "--env", "local").ended(0)


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
