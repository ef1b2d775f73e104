"""The state folder of one environment on this machine, and the secrets in it.

`<root>/<platform>/<environment>/`, mode 0700, with `version id ports.json secrets/ services/
records/ logs/ artifacts/ postgres/ redis/ chain/ runs/ releases/`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cbctl.errors import CbctlError, Exit
from cbctl.local.files import (
    PRIVATE_FOLDER,
    remove_unfinished,
    sync_folder,
    write_atomic,
    write_once,
)
from cbctl.local.ownership import (
    ELSEWHERE,
    check_private,
    check_root,
    not_a_folder,
    safe_path,
    unusable,
)

VERSION = 1
LOCAL = "local"  # the environment that `cbctl local` means when none is named
FOLDERS = (
    "artifacts chain logs postgres records redis releases runs secrets services".split()  # noqa: SIM905
)
_UNDER_LOCK = ("postgres", "redis", "secrets", "services")  # written by who holds the lock alone
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_REFERENCE = re.compile(r"\$\{state:([^}]*)\}")


def root_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """$CBCTL_STATE_DIR, else ${XDG_STATE_HOME:-~/.local/state}/cbctl."""
    if chosen := environ.get("CBCTL_STATE_DIR"):
        return Path(_printable(chosen, "CBCTL_STATE_DIR")).absolute()
    base = environ.get("XDG_STATE_HOME", "")
    if base.startswith("/"):  # the XDG standard: a relative path there is to be ignored
        return Path(_printable(base, "XDG_STATE_HOME")) / "cbctl"
    home = environ.get("HOME", "")
    if not home.startswith("/"):
        raise CbctlError(
            "there is no home folder to keep local state in",
            exit=Exit.USAGE,
            fix="set CBCTL_STATE_DIR to a folder of yours",
        )
    return Path(_printable(home, "HOME")) / ".local" / "state" / "cbctl"


def _printable(folder: str, name: str) -> str:
    """The path goes into settings files, lists of processes and messages."""
    if not folder.isprintable():
        raise CbctlError(
            f"{name} holds a line break or another character that cannot be shown",
            exit=Exit.USAGE,
            where=ascii(folder)[:200],
            fix=f"set {name} to a path without it",
        )
    return folder


def reference_name(value: str) -> str | None:
    """`${state:NAME}` as a whole value → NAME; None for a plain value; an error for a mixture."""
    match = _REFERENCE.fullmatch(value)
    if match is None:
        if "${state:" in value:
            raise CbctlError(
                "a ${state:NAME} reference must be the whole value",
                exit=Exit.USAGE,
                fix="write ${state:NAME} alone, without text around it",
            )
        return None
    return checked_name(match[1])


def checked_name(name: str) -> str:
    """A name that is safe as one part of a path."""
    if not _NAME.fullmatch(name):
        raise CbctlError(
            f"{name!r} cannot be the name of a folder or file in the state folder",
            exit=Exit.USAGE,
            fix="use letters, digits, dot, dash and underscore, starting with a letter or digit",
        )
    return name


@dataclass(frozen=True)
class State:
    """An opened state folder: it exists, is ours, private, and of this version. No link leads to
    it, and nobody else can exchange it."""

    path: Path
    key: str  # random, made once; run markers and secret digests are derived from it
    place: tuple[int, int]  # device and inode of the folder

    @classmethod
    def open(
        cls, platform: str, environment: str, *, root: Path | None = None, create: bool = True
    ) -> State:
        """Errors: Exit.REFUSED for another user's, a shared or another version's folder, or
        (create=False) none; Exit.CREDENTIALS for one that is closed to this user; Exit.USAGE where
        no folder can be made."""
        top = (root or root_folder()).absolute()
        names = (checked_name(platform), checked_name(environment))
        if not create and not is_there(platform, environment, root=top):
            raise CbctlError(
                f"there is no local state of {platform} {environment}",
                exit=Exit.REFUSED,
                where=str(top.joinpath(*names)),
                fix=f"bring it up first: cbctl deploy {environment}",
            )
        path = _root(top)
        # One after the other: nothing is made in a folder before it was looked at.
        for name in names:
            path /= name
            if create:
                _make(path)
            check_private(path)
        return cls.at(path)

    @classmethod
    def at(cls, path: Path) -> State:
        """The state in a folder that exists (the supervisor's way in)."""
        if safe_path(path) != path:
            raise not_a_folder(path)
        check_private(path)
        _check_version(path)
        key = path / "id"
        try:
            for name in FOLDERS:
                _make(path / name)
            if not _is_there(key):
                write_once(key, f"{secrets.token_hex(16)}\n".encode())
            if not (path / "version").exists():
                write_once(path / "version", f"{VERSION}\n".encode())
        except OSError as error:
            raise unusable(path, error) from None
        found = path.lstat()
        return cls(path, _key(key), (found.st_dev, found.st_ino))

    def in_place(self) -> bool:
        """Whether the folder is still the one that was opened."""
        try:
            found = self.path.lstat()
        except OSError:
            return False
        return stat.S_ISDIR(found.st_mode) and (found.st_dev, found.st_ino) == self.place

    def remove_unfinished(self) -> None:
        """What killed runs were writing, among it secrets; to be called under the lock."""
        for name in _UNDER_LOCK:
            remove_unfinished(self.path / name)

    def marker(self, service: str) -> str:
        """The value of a service's run marker: same for this folder and service, for ever."""
        return self._derive(f"run {service}")

    def digest(self, name: str, value: str) -> str:
        """Tells whether a secret's value changed, without telling anything about it."""
        return self._derive(f"secret {name} {value}")

    def _derive(self, text: str) -> str:
        return hmac.new(self.key.encode(), text.encode(), hashlib.sha256).hexdigest()[:32]

    @property
    def environment(self) -> str:
        return self.path.name

    def command(self, words: str) -> str:
        """`cbctl local WORDS` as somebody has to type it for this environment."""
        return f"cbctl local {words}" + (
            "" if self.environment == LOCAL else f" --env {self.environment}"
        )

    def secret_file(self, name: str) -> Path:
        return self.path / "secrets" / checked_name(name)

    def read_secret(self, name: str) -> str | None:
        path = self.secret_file(name)
        try:
            return path.read_text().rstrip("\n")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise CbctlError(
                "the file of a secret is damaged: it is no text",
                exit=Exit.REFUSED,
                where=str(path),
                fix="bring back a copy of it; without one, remove it, and the next deploy makes"
                " another, but what belongs to a lost keypair is lost",
            ) from None

    def secret(self, name: str) -> str:
        value = self.read_secret(name)
        if value is None:
            raise CbctlError(
                f"the state folder has no secret {name!r}",
                exit=Exit.REFUSED,
                where=str(self.secret_file(name)),
                fix=f"the step that makes it has not run yet: cbctl deploy {self.environment}",
            )
        return value

    def write_secret(self, name: str, value: str) -> bool:
        """True when the file changed."""
        if self.read_secret(name) == value:
            return False
        write_atomic(self.secret_file(name), f"{value}\n".encode())
        return True

    def generate_secret(self, name: str) -> str:
        """The secret, made (192 random bits, URL-safe) if it is not there yet."""
        value = self.read_secret(name)
        if value is None:
            write_once(self.secret_file(name), f"{secrets.token_urlsafe(24)}\n".encode())
            value = self.secret(name)
        return value

    def resolve(self, value: str) -> str:
        """A plain value as it is, `${state:NAME}` replaced by the secret."""
        name = reference_name(value)
        return value if name is None else self.secret(name)


def _key(file: Path) -> str:
    try:
        found = file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        found = ""
    if not found:
        raise CbctlError(
            "the id of the state folder cannot be read",
            exit=Exit.REFUSED,
            where=str(file),
            fix="bring back a copy of it, or remove it: the next deploy starts all services anew",
        )
    return found


def own_folder(name: str) -> Path:
    """A private folder beside the states, made where it is missing. Its name begins with a dot:
    no platform's does."""
    path = _root(root_folder().absolute()) / name
    _make(path)
    check_private(path)
    return path


def _root(top: Path) -> Path:
    """The folder that all states are in, made where it is missing, without a link in its path."""
    missing = []
    while not _is_there(top):
        missing.append(top.name)
        top = top.parent
    path = safe_path(top)
    for name in reversed(missing):
        path /= name
        _make(path)
        check_private(path)  # in a folder like /tmp somebody else may have been faster
    check_root(path)
    return path


def _make(folder: Path) -> None:
    """One folder, private whatever the umask: `parents=True` would leave the parents to it. Its
    name is on the disk before anything in it is called durable."""
    try:
        folder.mkdir(mode=PRIVATE_FOLDER)
        sync_folder(folder.parent)
    except FileExistsError:
        return  # what it is, is looked at afterwards
    except OSError as error:
        raise unusable(folder, error) from None


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise unusable(path, error) from None
    return True


def is_there(platform: str, environment: str, *, root: Path | None = None) -> bool:
    """Whether an environment has a state folder. Errors: Exit.CREDENTIALS, Exit.USAGE."""
    path = (root or root_folder()) / checked_name(platform) / checked_name(environment)
    try:
        return path.is_dir()
    except OSError as error:
        raise unusable(path, error) from None


def _check_version(path: Path) -> None:
    try:
        found = (path / "version").read_bytes().decode("ascii", "replace").strip()
    except FileNotFoundError:
        # A creation that was interrupted is completed; data without a version is not ours to guess.
        if not (path / "services").exists():
            return
        if not any((path / "services").iterdir()):
            return
        found = ""
    except IsADirectoryError:
        found = ""
    if found != str(VERSION):
        shown = f"version {found}" if found.isdigit() else "no version that can be read"
        raise CbctlError(
            f"the state folder has {shown}, this cbctl works with version {VERSION}",
            exit=Exit.REFUSED,
            where=str(path / "version"),
            fix=f"use the cbctl that made it, {ELSEWHERE}, or remove {path} (its data is lost)",
        )
