"""Container images for the node: built by buildah, pushed to the node's own registry."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.testbed.kubenode import cache

REGISTRY = "127.0.0.1:5000"
"""As the node knows it; nothing outside the node listens there."""

_BASE = ("mmdebstrap", "--variant=minbase", "--include=python3-venv,ca-certificates", "bookworm")
_BASE_IMAGE = "localhost/python-base"
_WITH_PACKAGES = "localhost/python-with-packages"
_PAUSE = Path(__file__).parent / "pause"
_CERTIFICATES = Path("/etc/ssl/certs")


class Images:
    """network: process in whose network the registry is"""

    def __init__(self, network: int) -> None:
        self._network = network
        self._folder = cache.folder() / "images"
        self._folder.mkdir(exist_ok=True)

    def pause(self) -> None:
        """The image of which the container runtime makes every pod's first container."""
        with tempfile.TemporaryDirectory() as made:
            environment = os.environ | {"CGO_ENABLED": "0", "GO111MODULE": "off"}
            command = ["go", "build", "-trimpath", "-ldflags=-s -w", "-o", f"{made}/pause"]
            source = str(_PAUSE / "main.go")
            subprocess.run([*command, source], env=environment, check=True, capture_output=True)
            (Path(made) / "Containerfile").write_text(
                'FROM scratch\nCOPY pause /pause\nUSER 65535:65535\nENTRYPOINT ["/pause"]\n'
            )
            self._build("pause:1", Path(made), Path(made) / "Containerfile")
        self.push("pause:1")

    def build(self, name: str, context: Path, containerfile: Path, **arguments: str) -> str:
        """Builds on Debian with Python and pushes; the image's name by digest."""
        self._base()
        self._build(name, context, containerfile, BASE=_BASE_IMAGE, **arguments)
        return self.push(name)

    def with_packages(self) -> str:
        """Debian with Python that finds packages as this machine does, for builds of cbctl's."""
        self._base()
        with tempfile.TemporaryDirectory() as made:
            shutil.copytree(_CERTIFICATES, f"{made}/certificates")
            (Path(made) / "pip.conf").write_text(_pip_settings())
            (Path(made) / "Containerfile").write_text(
                f"FROM {_BASE_IMAGE}\nCOPY certificates {_CERTIFICATES}\n"
                "COPY pip.conf /etc/pip.conf\n"
            )
            self._buildah("bud", "-q", "--layers", "-t", _WITH_PACKAGES, made)
        return _WITH_PACKAGES

    def environment(self) -> dict[str, str]:
        """With which buildah, whoever calls it, works on the same images."""
        settings = self._folder / "storage.conf"
        settings.write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{self._folder}/store"\n'
            f'runroot = "{self._folder}/run"\n'
        )
        return {"CONTAINERS_STORAGE_CONF": str(settings), "BUILDAH_ISOLATION": "chroot"}

    def push(self, name: str) -> str:
        with tempfile.NamedTemporaryFile("r") as digest:
            words = ["push", "-q", "--tls-verify=false", f"--digestfile={digest.name}"]
            self._buildah(*words, f"{REGISTRY}/{name}", inside=True)
            return f"{REGISTRY}/{name.partition(':')[0]}@{digest.read().strip()}"

    def tagged(self, name: str, other: str) -> str:
        """The same image by another name, which is pushed too; that name by digest."""
        self._buildah("tag", f"{REGISTRY}/{name}", f"{REGISTRY}/{other}")
        return self.push(other)

    def inspect(self, name: str, template: str) -> str:
        """What buildah knows of an image that was built, by a template of its own."""
        return self._buildah("inspect", "--type=image", "-f", template, f"{REGISTRY}/{name}")

    def _build(self, name: str, context: Path, containerfile: Path, **arguments: str) -> None:
        words = ["bud", "-q", "--layers", "--format=docker", f"--file={containerfile}"]
        # What the machine trusts and how its pip is set up: it may be behind a proxy of its own.
        words += ["-v", f"{_CERTIFICATES}:{_CERTIFICATES}:ro"]
        for name_, value in arguments.items():
            words += ["--build-arg", f"{name_}={value}"]
        with tempfile.TemporaryDirectory() as made:
            settings = Path(made) / "pip.conf"
            settings.write_text(_pip_settings())
            words += ["-v", f"{settings}:/etc/pip.conf:ro"]
            self._buildah(*words, "-t", f"{REGISTRY}/{name}", str(context))

    def _base(self) -> None:
        tar = base()
        name = f"{_BASE_IMAGE}:{tar.name.rpartition('-')[2]}"
        if not self._buildah("images", "-q", "--filter", f"reference={name}").strip():
            container = self._buildah("from", "scratch").strip()
            self._buildah("add", "-q", container, str(tar), "/")
            path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
            self._buildah("config", "--env", path, container)
            self._buildah("commit", "-q", container, name)
            self._buildah("rm", container)
        self._buildah("tag", name, _BASE_IMAGE)

    def _buildah(self, *words: str, inside: bool = False) -> str:
        command = ["nsenter", "-t", str(self._network), "-n"] if inside else []
        command += ["buildah", "--root", f"{self._folder}/store"]
        command += ["--runroot", f"{self._folder}/run", "--storage-driver", "overlay", *words]
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = subprocess.run(
                command,
                env=os.environ | {"BUILDAH_ISOLATION": "chroot"},
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode:
            raise RuntimeError(f"buildah {words[0]}: {(done.stdout + done.stderr)[-3000:]}")
        return done.stdout


def base() -> Path:
    """Debian with Python, as a tar: the network of a registry of images is not needed."""
    return cache.kept(cache.place("python-base", [" ".join(_BASE).encode()]), _make_base)


def _make_base(path: Path) -> None:
    done = subprocess.run([*_BASE, f"{path}.tar"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"mmdebstrap: {done.stderr[-2000:]}")
    Path(f"{path}.tar").rename(path)


def _pip_settings() -> str:
    listed = subprocess.run(
        ["python3", "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    lines = [line.partition("=") for line in listed.splitlines()]
    wanted = ("index-url", "extra-index-url", "cert", "trusted-host", "proxy", "default-timeout")
    options = {name.rpartition(".")[2]: value.strip("'") for name, _, value in lines}
    found = [f"{name} = {options[name]}" for name in wanted if name in options]
    return "\n".join(["[global]", "disable-pip-version-check = true", *found, ""])
