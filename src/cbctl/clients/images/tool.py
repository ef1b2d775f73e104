"""The program that builds images and pushes them: docker, podman or buildah, whichever is there."""

from __future__ import annotations

import base64
import json
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Literal, get_args

from cbctl.clients.images.credentials import Login
from cbctl.clients.images.name import Name
from cbctl.errors import CbctlError, Exit

Kind = Literal["docker", "podman", "buildah"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_TAIL = 30  # lines of its output that explain a failure
_LOOK_SECONDS = 60.0  # that it may take to tell what it has
_SILENCE = 0.5  # seconds

Say = Callable[[str], None]


class Tool:
    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    @classmethod
    def found(cls, wanted: str = "") -> Tool:
        """wanted: that one; "": the first that works here. Raises CbctlError (1) for none."""
        silent = False
        for kind in KINDS:
            if wanted in ("", kind) and shutil.which(kind):
                tool = cls(kind)
                if kind != "docker" or tool._run("version").returncode == 0:
                    return tool
                silent = True
        names = wanted or ", ".join(KINDS)
        why = "; docker's daemon does not answer" if silent else ""
        raise CbctlError(
            f"nothing here can build an image: looked for {names}{why}",
            exit=Exit.FAILED,
            fix="start docker, or install one that needs no daemon: apt-get install buildah",
        )

    def has(self, image: Name) -> bool:
        """Whether it is in this machine's own store."""
        words = ("inspect", "--type=image") if self.kind == "buildah" else ("image", "inspect")
        return self._run(*words, str(image)).returncode == 0

    def build(
        self,
        image: Name,
        context: Path,
        containerfile: Path,
        arguments: Mapping[str, str],
        say: Say,
    ) -> None:
        """arguments: build arguments; anybody who has the image may read them"""
        words = {
            "docker": ["build"],
            "podman": ["build", "--format=docker", "--layers"],
            # of the OCI format a HEALTHCHECK is no part
            "buildah": ["build", "--format=docker", "--layers"],
        }[self.kind]
        words += ["--file", str(containerfile), "--tag", str(image)]
        for name, value in arguments.items():
            words += ["--build-arg", f"{name}={value}"]
        self._followed("build", [*words, str(context)], say)

    def push(self, image: Name, target: Name, login: Login | None, say: Say) -> None:
        """image: as it was built; target: as the registry is reached"""
        with _signed_in(self.kind, target.registry, login) as (before, after):
            if self.kind == "docker":
                self._followed("tag", ["tag", str(image), str(target)], say)
                self._followed("push", [*before, "push", str(target)], say)
            else:
                plain = ["--tls-verify=false"] if target.is_plain else []
                words = ["push", *after, *plain, str(image), f"docker://{target}"]
                self._followed("push", words, say)

    def _run(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        command = [self.kind, *words]
        try:
            return subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_LOOK_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:  # a daemon somewhere that does not answer
            return subprocess.CompletedProcess(command, 1)

    def _followed(self, what: str, words: list[str], say: Say) -> None:
        """Each line that it prints is told, and an empty one while it prints none; the last ones
        explain a failure. Whatever `say` raises ends it."""
        last: list[str] = []
        with subprocess.Popen(
            [self.kind, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C is ours: it ends at the next safe point
        ) as process:
            assert process.stdout is not None
            try:
                for text in _lines(process.stdout):
                    last = [*last[-_TAIL:], text] if text else last
                    say(text)
            except BaseException:
                _end(process)
                raise
        if process.returncode:
            raise CbctlError(
                f"{self.kind} {what} ended with {process.returncode}: {last[-1] if last else ''}",
                exit=Exit.FAILED,
                evidence={"log": last},
            )


def _lines(stream: IO[bytes]) -> Iterator[str]:
    """As they come, without blanks around them; "" whenever none has come for a while."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            if not selector.select(_SILENCE):
                yield ""
                continue
            part = os.read(stream.fileno(), 1 << 16)
            *whole, rest = (rest + part).split(b"\n")
            yield from (text for line in whole if (text := line.decode(errors="replace").strip()))
            if not part:
                break
    if text := rest.decode(errors="replace").strip():
        yield text


def _end(process: subprocess.Popen[bytes]) -> None:
    """With all that it started."""
    for signal_, seconds in ((signal.SIGTERM, 10.0), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal_)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return


@contextmanager
def _signed_in(
    kind: Kind, registry: str, login: Login | None
) -> Iterator[tuple[list[str], list[str]]]:
    """Options, before and after the subcommand, with which the tool finds the login: in a file
    that only we can read, which is gone afterwards."""
    if login is None:
        yield [], []
        return
    user, password = login
    pair = base64.b64encode(f"{user}:{password.reveal()}".encode()).decode()
    entry = {"auths": {registry: {"auth": pair}}}
    with tempfile.TemporaryDirectory(prefix="cbctl-login-") as folder:
        file = Path(folder) / "config.json"
        if kind == "docker":
            entry = _of_user() | entry
            # The context that it names, for example the daemon of Docker Desktop, is beside it.
            if (contexts := _own_folder() / "contexts").is_dir():
                (Path(folder) / "contexts").symlink_to(contexts)
        file.touch(mode=0o600)
        file.write_text(json.dumps(entry))
        if kind == "docker":
            yield ["--config", folder], []
        else:
            yield [], [f"--authfile={file}"]


def _own_folder() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker").absolute()


def _of_user() -> dict[str, dict[str, dict[str, str]]]:
    """The rest of what docker is configured with, for example which daemon it talks to."""
    try:
        found = json.loads((_own_folder() / "config.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in found.items() if k not in ("auths", "credsStore", "credHelpers")}
