"""Our side of the connection: a certificate, or a token that may have to be fetched again."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cbctl.clients.kubernetes.kubeconfig import Access, Plugin
from cbctl.errors import CbctlError, Exit

PLUGIN_SECONDS = 60.0


class Credentials:
    """Asked for once, kept, and asked for again when the server no longer takes them."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._from_plugin: dict[str, Any] | None = None

    @property
    def token(self) -> str | None:
        access = self._access
        if access.token is not None:
            return access.token.reveal()
        if access.token_file is not None:
            try:
                return access.token_file.read_text().strip()
            except OSError as error:
                raise CbctlError(
                    f"the token file cannot be read ({error.strerror})",
                    where=str(access.token_file),
                    exit=Exit.CREDENTIALS,
                ) from None
        token = self._plugin().get("token")
        return str(token) if token else None

    def renew(self) -> bool:
        """Whether there is a chance that the next try has other credentials."""
        self._from_plugin = None
        return self._access.plugin is not None or self._access.token_file is not None

    def tls(self) -> ssl.SSLContext:
        access = self._access
        context = ssl.create_default_context(cadata=access.ca)
        fetched = self._plugin()
        certificate = access.certificate or fetched.get("clientCertificateData")
        key = access.key.reveal() if access.key else fetched.get("clientKeyData")
        if certificate and key:
            with _as_file(f"{certificate}\n{key}\n") as path:
                try:
                    context.load_cert_chain(path)
                except ssl.SSLError:
                    raise CbctlError(
                        "the client certificate of the kubeconfig and its key do not fit",
                        where=access.context,
                        exit=Exit.CREDENTIALS,
                    ) from None
        return context

    def _plugin(self) -> dict[str, Any]:
        if self._from_plugin is None:
            plugin = self._access.plugin
            self._from_plugin = _ask(plugin, self._access.context) if plugin else {}
        return self._from_plugin


def _ask(plugin: Plugin, context: str) -> dict[str, Any]:
    from cbctl.clients.aws import eks

    own = os.environ | dict(plugin.environment)
    if asked_for := eks.wanted(plugin.command, plugin.arguments, own):
        return {"token": eks.token(asked_for)}  # the aws program need not be here
    request = {
        "apiVersion": plugin.api_version,
        "kind": "ExecCredential",
        "spec": {"interactive": False},
    }
    environment = os.environ | dict(plugin.environment)
    environment["KUBERNETES_EXEC_INFO"] = json.dumps(request)
    why = "it gave no credentials"
    try:
        done = subprocess.run(
            [plugin.command, *plugin.arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PLUGIN_SECONDS,
            check=False,
        )
        if done.returncode == 0:
            status = json.loads(done.stdout).get("status")
            if isinstance(status, dict):
                return status
        else:  # what it printed may hold a token: not passed on
            why = f"it ended with {done.returncode}"
    except OSError as error:
        why = error.strerror or "it cannot be run"
    except subprocess.TimeoutExpired:
        why = f"it took longer than {PLUGIN_SECONDS:g} s"
    except (ValueError, AttributeError):
        pass
    raise CbctlError(
        f"`{plugin.command}` should sign us in to the cluster, but {why}",
        where=context,
        exit=Exit.CREDENTIALS,
        fix="run that command of the kubeconfig by hand, and sign in as it asks",
    )


@contextmanager
def _as_file(content: str) -> Iterator[str]:
    """A path that OpenSSL can read, on no disk where the system allows it."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("credentials"), "w") as file:
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
        return
    with tempfile.NamedTemporaryFile("w") as kept:
        kept.write(content)
        kept.flush()
        yield kept.name
