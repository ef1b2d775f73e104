"""The state folder of one environment on this machine, and the secrets in it.

`<root>/<platform>/<environment>/`, mode 0700, with `version id ports.json secrets/ services/
records/ logs/ artifacts/ postgres/ redis/ chain/ runs/ releases/`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import pwd
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cbctl.errors import CbctlError, Exit
from cbctl.local.files import PRIVATE_FOLDER, write_atomic, write_once

VERSION = 1
FOLDERS = (
    "artifacts chain logs postgres records redis releases runs secrets services".split()  # noqa: SIM905
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_REFERENCE = re.compile(r"\$\{state:([^}]*)\}")
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def root_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """$CBCTL_STATE_DIR, else ${XDG_STATE_HOME:-~/.local/state}/cbctl."""
    if chosen := environ.get("CBCTL_STATE_DIR"):
        return Path(chosen).absolute()
    base = environ.get("XDG_STATE_HOME", "")
    if base.startswith("/"):  # the XDG standard: a relative path there is to be ignored
        return Path(base) / "cbctl"
    home = environ.get("HOME", "")
    if not home.startswith("/"):
        raise CbctlError(
            "there is no home folder to keep local state in",
            exit=Exit.USAGE,
            fix="set CBCTL_STATE_DIR to a folder of yours",
        )
    return Path(home) / ".local" / "state" / "cbctl"


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
    """An opened state folder: it exists, is ours, private, and of this version."""

    path: Path
    key: str  # random, made once; run markers and secret digests are derived from it

    @classmethod
    def open(
        cls, platform: str, environment: str, *, root: Path | None = None, create: bool = True
    ) -> State:
        """Errors: Exit.REFUSED for another user's, a shared or another version's folder, or
        (create=False) none."""
        top = root or root_folder()
        above = top / checked_name(platform)
        path = above / checked_name(environment)
        if create:
            _make(top, above, path)
        elif not path.is_dir():
            raise CbctlError(
                f"there is no local state of {platform} {environment}",
                exit=Exit.REFUSED,
                where=str(path),
                fix="bring it up first: cbctl deploy local",
            )
        _check_root(top)
        _check_private(above)
        return cls.at(path)

    @classmethod
    def at(cls, path: Path) -> State:
        """The state in a folder that exists (the supervisor's way in)."""
        _check_private(path)
        _check_version(path)
        for name in FOLDERS:
            (path / name).mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        key = path / "id"
        if not key.exists():
            write_once(key, f"{secrets.token_hex(16)}\n".encode())
        if not (path / "version").exists():
            write_once(path / "version", f"{VERSION}\n".encode())
        return cls(path=path, key=key.read_text().strip())

    def marker(self, service: str) -> str:
        """The value of a service's run marker: same for this folder and service, for ever."""
        return self._derive(f"run {service}")

    def digest(self, name: str, value: str) -> str:
        """Tells whether a secret's value changed, without telling anything about it."""
        return self._derive(f"secret {name} {value}")

    def _derive(self, text: str) -> str:
        return hmac.new(self.key.encode(), text.encode(), hashlib.sha256).hexdigest()[:32]

    def secret_file(self, name: str) -> Path:
        return self.path / "secrets" / checked_name(name)

    def read_secret(self, name: str) -> str | None:
        try:
            return self.secret_file(name).read_text().rstrip("\n")
        except FileNotFoundError:
            return None

    def secret(self, name: str) -> str:
        value = self.read_secret(name)
        if value is None:
            raise CbctlError(
                f"the state folder has no secret {name!r}",
                exit=Exit.REFUSED,
                where=str(self.secret_file(name)),
                fix="the step that makes it has not run yet: cbctl deploy local",
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


def _make(top: Path, *below: Path) -> None:
    try:
        top.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        for folder in below:
            folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    except OSError as error:
        raise CbctlError(
            f"the state folder cannot be made: {error.strerror}",
            exit=Exit.CREDENTIALS if isinstance(error, PermissionError) else Exit.FAILED,
            where=str(error.filename),
            fix="choose another folder with CBCTL_STATE_DIR",
        ) from None


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


_ELSEWHERE = "or choose another folder with CBCTL_STATE_DIR"


def _check_root(top: Path) -> None:
    """A sticky folder of root's, like /tmp, is fine to have our own folder in."""
    found = top.stat()
    shared = found.st_mode & _OTHERS_WRITE and not found.st_mode & stat.S_ISVTX
    if shared or found.st_uid not in (os.geteuid(), 0):
        raise CbctlError(
            "others can replace what is in this folder",
            exit=Exit.REFUSED,
            where=str(top),
            fix=f"chmod go-w {top} as its owner, {_ELSEWHERE}",
        )


def _check_private(path: Path) -> None:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise CbctlError(
            "the state folder is not a folder (a link is not followed)",
            exit=Exit.REFUSED,
            where=str(path),
            fix=f"move it away, {_ELSEWHERE}",
        )
    if found.st_uid != os.geteuid():
        owner, me = _user(found.st_uid), _user(os.geteuid())
        raise CbctlError(
            f"the state folder belongs to {owner}, and this is {me}",
            exit=Exit.REFUSED,
            where=str(path),
            fix=f"run cbctl as {owner}, {_ELSEWHERE}",
        )
    if found.st_mode & _OTHERS_WRITE:
        raise CbctlError(
            "other users can write in the state folder",
            exit=Exit.REFUSED,
            where=str(path),
            fix=f"look at what is in it, then chmod 700 {path}",
        )


def _check_version(path: Path) -> None:
    try:
        found = (path / "version").read_text().strip()
    except FileNotFoundError:
        # A creation that was interrupted is completed; data without a version is not ours to guess.
        if not (path / "services").exists():
            return
        if not any((path / "services").iterdir()):
            return
        found = "unknown"
    if found != str(VERSION):
        raise CbctlError(
            f"the state folder has version {found}, this cbctl works with version {VERSION}",
            exit=Exit.REFUSED,
            where=str(path / "version"),
            fix=f"use the cbctl that made it, {_ELSEWHERE}, or remove {path} (its data is lost)",
        )
