"""A localnet of this machine as commands see it: asked over RPC while it runs, worked on in its
state folder while it does not."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cbctl
from cbctl.clients.solana.failures import RpcRefusal
from cbctl.clients.solana.transport import Transport
from cbctl.errors import CbctlError, Exit
from cbctl.local.binaries import python
from cbctl.local.files import PRIVATE_FILE, sync_folder
from cbctl.local.services import Services
from cbctl.local.state import own_folder, root_folder
from cbctl.wiring.lock import locked
from cbctl.wiring.services import STOP_ORDER, USERS
from cbctl.wiring.workplace import Workplace

DEFAULT_FOLDER = ".localnet"
SNAPSHOT_MAGIC = b"CBSNAPSH"

# A snapshot of many accounts takes seconds; the rest is there at once.
_SECONDS = 120.0
_FIRST_SECONDS = 5.0
_INVALID_PARAMS = -32602
_METHOD_NOT_FOUND = -32601


@dataclass(frozen=True)
class Localnet:
    """
    folder  its state
    url     of its JSON-RPC, "" while it does not run
    """

    folder: Path
    url: str = ""

    def status(self) -> dict[str, Any]:
        """What it says of itself, with `running` and `url`."""
        told = self._do("localnet_status", [], ["status"])
        return {"running": bool(self.url), "url": self.url or None, **told}

    def advance(self, *, seconds: int | None = None, slots: int | None = None) -> dict[str, Any]:
        """Moves its clock by one of the two → its slot and unixTime."""
        by, value = ("seconds", seconds) if slots is None else ("slots", slots)
        return self._do("localnet_advanceClock", [{by: value}], [f"advance-{by}", str(value)])

    def set_clock(self, unix_time: int) -> dict[str, Any]:
        """Moves its clock to a time to come → its slot and unixTime."""
        return self._do("localnet_setClock", [unix_time], ["set", str(unix_time)])

    def snapshot(self, file: Path) -> dict[str, Any]:
        """Writes what it is now into a file → slot, unixTime, accounts."""
        beside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        try:
            if not self.url:
                told = _offline(self.folder, "snapshot", str(beside.absolute()))
            else:
                told = self._snapshot_running(beside)
            beside.replace(file)
            sync_folder(file.parent)
        except OSError as error:
            raise _unusable(file, error) from None
        finally:
            beside.unlink(missing_ok=True)
        return {**told, "bytes": file.stat().st_size}

    def _snapshot_running(self, file: Path) -> dict[str, Any]:
        name = _own_name()
        told = self._call("localnet_takeSnapshot", [name])
        try:
            _copy(self._snapshots() / name, file)
        finally:
            self._call("localnet_removeSnapshot", [name])
        return told

    def restore(self, file: Path) -> dict[str, Any]:
        """Makes it what a file holds → slot, unixTime, accounts."""
        if not self.url:
            return _offline(self.folder, "restore", str(file.absolute()))
        name, folder = _own_name(), self._snapshots()
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            _copy(file, folder / name)
        except OSError as error:
            raise _unusable(file, error) from None
        try:
            return self._call("localnet_restoreSnapshot", [name], refused=Exit.REFUSED)
        except CbctlError as error:
            error.what = error.what.replace(name, file.name)
            raise
        finally:
            (folder / name).unlink(missing_ok=True)

    def _snapshots(self) -> Path:
        """The folder that a running one writes its snapshots to and reads them from."""
        try:
            mine = self.folder.stat().st_uid == os.geteuid()
        except OSError:
            mine = False
        if not mine:
            raise CbctlError(
                "the state of this localnet is not in a folder of yours on this machine",
                exit=Exit.REFUSED,
                where=self.url,
                fix="use its RPC: localnet_takeSnapshot and localnet_restoreSnapshot",
            )
        return self.folder / "snapshots"

    def reset(self) -> None:
        """Removes the chain; one that runs is not touched."""
        _offline(self.folder, "reset")

    def _do(self, method: str, params: list[Any], offline: list[str]) -> dict[str, Any]:
        return self._call(method, params) if self.url else _offline(self.folder, *offline)

    def _call(self, method: str, params: list[Any], refused: Exit = Exit.USAGE) -> dict[str, Any]:
        try:
            return _ask(self.url, method, params, _SECONDS)
        except RpcRefusal as error:
            if error.code == _METHOD_NOT_FOUND:
                raise CbctlError(
                    "what answers there has no methods for this: it is another kind of node, or a "
                    "localnet that is open to the network",
                    exit=Exit.REFUSED,
                    where=error.where,
                ) from None
            raise CbctlError(
                error.said,
                exit=refused if error.code == _INVALID_PARAMS else Exit.FAILED,
                where=error.where,
            ) from None


def default_folder(*, make: bool = False) -> Path:
    """Where `cbctl localnet` keeps its chain unless told otherwise."""
    if make:
        return own_folder(DEFAULT_FOLDER)
    return root_folder() / DEFAULT_FOLDER


def in_folder(folder: Path) -> Localnet:
    """The localnet of a state folder, running or not."""
    try:
        url = (folder / "url").read_text().strip()
        told = _ask(url, "localnet_status", [], _FIRST_SECONDS)
    except RpcRefusal as error:
        # It runs, open to the network, and answers whoever asks why this cannot be.
        return Localnet(folder, url if error.code == _METHOD_NOT_FOUND else "")
    except (OSError, CbctlError):
        return Localnet(folder)
    # Somebody else may have the port by now.
    same = Path(str(told.get("state"))).resolve() == folder.resolve()
    return Localnet(folder, url if same else "")


def at_url(url: str) -> Localnet:
    """The localnet that answers there. Raises CbctlError when none does."""
    told = Localnet(Path(), url).status()
    return Localnet(Path(str(told.get("state"))), url)


def of_environment(work: Workplace) -> Localnet:
    """The localnet under an environment of this machine."""
    if work.env.chain.on != "local":
        raise CbctlError(
            f"the chain of {work.env.name} is no localnet of this machine",
            exit=Exit.REFUSED,
            fix="chain: {on: local} in cbctl.yaml makes it one",
        )
    return in_folder(work.state.path / "chain")


def reset_environment(work: Workplace) -> Localnet:
    """Stops the localnet of an environment and what talks to it, and removes the chain."""
    services = Services(work.state)
    with locked(work, "reset of the localnet"):
        for name in STOP_ORDER:
            if name in (*USERS, "localnet"):
                services.stop(name)
        net = of_environment(work)
        net.reset()
    return net


def daemon(folder: Path, arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    """Command line and environment of a localnet in the foreground."""
    words = [python(), "-P", "-m", "cbctl.localnet", "--state", str(folder), *arguments]
    return words, _environment()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(cbctl.__file__).parents[1])}


def _offline(folder: Path, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        [python(), "-P", "-m", "cbctl.localnet.offline", "--state", str(folder), *words],
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line.removeprefix("localnet: ") for line in done.stderr.splitlines()]
    if done.returncode:
        exits = {int(code) for code in Exit}
        raise CbctlError(
            said[-1] if said else "it ended without a word",
            exit=Exit(done.returncode) if done.returncode in exits else Exit.FAILED,
            where=str(folder),
            fix="it runs and does not answer" if done.returncode == Exit.LOCKED else "",
        )
    told = json.loads(done.stdout)
    return {**told, "warnings": said} if said else told


def _ask(url: str, method: str, params: list[Any], seconds: float) -> dict[str, Any]:
    node = Transport(url, timeout=seconds)
    try:
        answer = node.call(method, params)
    finally:
        node.close()
    return answer if isinstance(answer, dict) else {}


def _copy(source: Path, target: Path) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as written, source.open("rb") as read:
        shutil.copyfileobj(read, written, 1 << 20)
        written.flush()
        os.fsync(written.fileno())


def _own_name() -> str:
    return f"cbctl-{os.getpid()}-{secrets.token_hex(4)}"


def _unusable(file: Path, error: OSError) -> CbctlError:
    what = error.strerror or type(error).__name__
    return CbctlError(what, exit=Exit.USAGE, where=str(error.filename or file))
