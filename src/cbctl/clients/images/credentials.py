"""Who we are to a registry: what `docker login`, `podman login` or AWS know.

Source: the configuration file of the Docker CLI (`auths`, `credHelpers`, `credsStore`) and its
protocol of credential helpers; containers-auth.json(5).
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cbctl.clients.aws.ecr import Ecr
from cbctl.config.types import Secret
from cbctl.errors import CbctlError, Exit

Login = tuple[str, Secret]
HELPER_SECONDS = 30.0
_HUB = ("docker.io", "index.docker.io", "https://index.docker.io/v1/")


def login(registry: str, environ: Mapping[str, str] = os.environ) -> Login | None:
    """User and password; None where nobody signed in: as anybody then.

    Raises CbctlError (3) when a helper, or AWS, should know and does not."""
    names = _HUB if registry == "docker.io" else (registry, f"https://{registry}")
    for path in _files(environ):
        found = _of_file(path, names)
        if found is not None:
            return found
    ecr = Ecr.of(registry)
    return ecr.login() if ecr else None


def _files(environ: Mapping[str, str]) -> Iterator[Path]:
    if named := environ.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
    home = Path(environ.get("HOME", "/"))
    yield Path(environ.get("DOCKER_CONFIG", home / ".docker")) / "config.json"
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "containers" / "auth.json"
    yield Path(environ.get("XDG_CONFIG_HOME", home / ".config")) / "containers" / "auth.json"


def _of_file(path: Path, names: tuple[str, ...]) -> Login | None:
    try:
        content = json.loads(path.read_bytes())
    except OSError:
        return None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise CbctlError("this is no configuration of docker", exit=Exit.USAGE, where=str(path))
    helpers = content.get("credHelpers") or {}
    for name in names:
        if helper := helpers.get(name) or content.get("credsStore"):
            found = _of_helper(str(helper), name)
        else:
            found = _of_entry((content.get("auths") or {}).get(name), path)
        if found is not None:
            return found
    return None


def _of_entry(entry: Any, path: Path) -> Login | None:
    if not isinstance(entry, dict) or not entry.get("auth"):
        return None
    try:
        user, colon, password = base64.b64decode(entry["auth"]).decode().partition(":")
    except (ValueError, TypeError):
        colon = ""
    if not colon:
        raise CbctlError("an entry of `auths` is broken", exit=Exit.USAGE, where=str(path))
    return user, Secret(password.rstrip("\0"))


def _of_helper(helper: str, name: str) -> Login | None:
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(
            [program, "get"],
            input=name.encode(),
            capture_output=True,
            timeout=HELPER_SECONDS,
            check=False,
        )
        told = json.loads(done.stdout) if done.returncode == 0 else None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CbctlError(
            f"`{program}` should know how to sign in, and does not run ({type(error).__name__})",
            exit=Exit.CREDENTIALS,
            where=name,
        ) from None
    except ValueError:
        told = None
    if not isinstance(told, dict) or not told.get("Secret"):
        return None
    return str(told.get("Username") or ""), Secret(str(told["Secret"]))
