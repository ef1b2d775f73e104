"""The program that builds images and pushes them: docker, podman or buildah, whichever is there."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

from cbctl.clients.images.credentials import Login
from cbctl.clients.images.name import Name
from cbctl.errors import CbctlError, Exit

Kind = Literal["docker", "podman", "buildah"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_TAIL = 30  # lines of its output that explain a failure

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
        return subprocess.run(
            [self.kind, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )

    def _followed(self, what: str, words: list[str], say: Say) -> None:
        """Each line that it prints is told; the last ones explain a failure."""
        last: list[str] = []
        with subprocess.Popen(
            [self.kind, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # a Ctrl-C is ours: it ends at the next safe point
        ) as process:
            try:
                for line in process.stdout or ():
                    if text := line.strip():
                        last = [*last[-_TAIL:], text]
                        say(text)
            except BaseException:
                process.terminate()
                raise
        if process.returncode:
            raise CbctlError(
                f"{self.kind} {what} ended with {process.returncode}: {last[-1] if last else ''}",
                exit=Exit.FAILED,
                evidence={"log": last},
            )


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
