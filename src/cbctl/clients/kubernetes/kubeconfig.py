"""Where a cluster is and who we are there: one context of the kubeconfig.

The files that KUBECONFIG lists, else ~/.kube/config; of two entries with one name the first counts,
as with kubectl.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cbctl.config.types import Secret
from cbctl.errors import CbctlError, Exit

POD = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class Plugin:
    """A program that prints credentials: `aws eks get-token` and its like."""

    command: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    api_version: str


@dataclass(frozen=True)
class Access:
    """
    server       https URL
    ca           certificates that may have signed the server's; None: those of the system
    certificate  ours, PEM; goes with `key`
    """

    context: str
    server: str
    ca: str | None = None
    server_name: str | None = None
    certificate: str | None = None
    key: Secret | None = None
    token: Secret | None = None
    token_file: Path | None = None
    plugin: Plugin | None = None


def load(context: str, environ: Mapping[str, str] = os.environ) -> Access:
    """Raises CbctlError (64) that names the file and what is wrong in it."""
    files = _files(environ)
    entries = [(path, _read(path)) for path in files]
    found = [(path, content) for path, content in entries if content is not None]
    if not found:
        raise _bad(
            f"there is no kubeconfig: looked for {', '.join(map(str, files))}",
            "sign in to the cluster first, or set KUBECONFIG",
        )
    path, chosen = _named(found, "contexts", "context", context)
    if chosen is None:
        known = ", ".join(sorted(_names(found, "contexts"))) or "none"
        raise _bad(
            f"the kubeconfig has no context `{context}`; it has: {known}",
            "correct `clusters` in cbctl.yaml, or add the context",
        )
    cluster_path, cluster = _named(found, "clusters", "cluster", str(chosen.get("cluster")))
    user_path, user = _named(found, "users", "user", str(chosen.get("user")))
    if cluster is None:
        raise _bad(f"{path}: the context `{context}` names a cluster that is not there")
    return _access(context, cluster, cluster_path, user or {}, user_path)


def of_pod(environ: Mapping[str, str] = os.environ, folder: Path = POD) -> Access:
    """That of a pod, by its service account. Raises CbctlError (64) elsewhere."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not (folder / "token").exists():
        raise _bad("this is no pod with a service account")
    name = f"[{host}]" if ":" in host else host
    return Access(
        context="this cluster",
        server=f"https://{name}:{port or 443}",
        ca=(folder / "ca.crt").read_text(),
        token_file=folder / "token",
    )


def _access(
    context: str,
    cluster: Mapping[str, Any],
    cluster_path: Path,
    user: Mapping[str, Any],
    user_path: Path,
) -> Access:
    server = str(cluster.get("server") or "")
    if not server.startswith("https://"):
        raise _bad(f"{cluster_path}: the server of context `{context}` is not an https:// URL")
    if cluster.get("insecure-skip-tls-verify"):
        raise _bad(
            f"{cluster_path}: the cluster of context `{context}` has insecure-skip-tls-verify",
            "give its certificate-authority: certificates are always verified",
        )
    if cluster.get("proxy-url"):
        raise _bad(f"{cluster_path}: proxy-url is not supported (context `{context}`)")
    if "auth-provider" in user:
        raise _bad(
            f"{user_path}: the user of context `{context}` has an auth-provider",
            "sign in again with a current tool: it writes an `exec` entry",
        )
    key = _data(user, "client-key", user_path)
    token = user.get("token")
    return Access(
        context=context,
        server=server.rstrip("/"),
        ca=_data(cluster, "certificate-authority", cluster_path),
        server_name=cluster.get("tls-server-name"),
        certificate=_data(user, "client-certificate", user_path),
        key=Secret(key) if key else None,
        token=Secret(str(token)) if token else None,
        token_file=_beside(user_path, user["tokenFile"]) if user.get("tokenFile") else None,
        plugin=_plugin(user.get("exec"), user_path),
    )


def _plugin(entry: Any, path: Path) -> Plugin | None:
    if not isinstance(entry, dict):
        return None
    command = str(entry.get("command") or "")
    # A command with a slash is relative to the kubeconfig; a bare name is looked up on PATH.
    if "/" in command:
        command = str(_beside(path, command))
    return Plugin(
        command=command,
        arguments=tuple(str(word) for word in entry.get("args") or ()),
        environment={str(one["name"]): str(one["value"]) for one in entry.get("env") or ()},
        api_version=str(entry.get("apiVersion") or "client.authentication.k8s.io/v1"),
    )


def _files(environ: Mapping[str, str]) -> list[Path]:
    listed = [Path(one) for one in environ.get("KUBECONFIG", "").split(os.pathsep) if one]
    return listed or [Path.home() / ".kube" / "config"]


def _read(path: Path) -> dict[str, Any] | None:
    import yaml

    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        content = yaml.load(path.read_text(), loader)  # noqa: S506 - a safe one
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise _bad(f"{path}: cannot be read ({why})") from None
    except yaml.YAMLError:  # its message quotes the file, and with it credentials
        raise _bad(f"{path}: this is no YAML") from None
    if not isinstance(content, dict):
        raise _bad(f"{path}: this is no kubeconfig")
    return content


def _named(
    files: list[tuple[Path, dict[str, Any]]], collection: str, member: str, name: str
) -> tuple[Path, dict[str, Any] | None]:
    for path, content in files:
        for entry in content.get(collection) or ():
            if isinstance(entry, dict) and entry.get("name") == name:
                inner = entry.get(member)
                return path, inner if isinstance(inner, dict) else {}
    return files[0][0], None


def _names(files: list[tuple[Path, dict[str, Any]]], collection: str) -> set[str]:
    return {
        str(entry.get("name"))
        for _, content in files
        for entry in content.get(collection) or ()
        if isinstance(entry, dict)
    }


def _data(entry: Mapping[str, Any], name: str, path: Path) -> str | None:
    """What stands in the entry itself, or in the file that it names."""
    try:
        if inline := entry.get(f"{name}-data"):
            return base64.b64decode(str(inline), validate=True).decode()
        if file := entry.get(name):
            return _beside(path, file).read_text()
    except (binascii.Error, ValueError):
        raise _bad(f"{path}: {name}-data is not what it should be") from None
    except OSError as error:
        raise _bad(f"{path}: {name} cannot be read ({error.strerror})") from None
    return None


def _beside(path: Path, name: Any) -> Path:
    return path.parent / str(name)


def _bad(what: str, fix: str = "") -> CbctlError:
    return CbctlError(what, exit=Exit.USAGE, fix=fix)
