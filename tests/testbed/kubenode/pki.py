"""Certificates and kubeconfigs of a cluster that lives for one test session."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes".split()  # noqa: SIM905
_DAYS = ["-days", "30"]
_SERVER_NAMES = "DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:10.77.0.1,IP:10.96.0.1"
_SUBJECTS = {
    "apiserver": "/CN=kube-apiserver",
    "admin": "/O=system:masters/CN=admin",
    "controllers": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "proxy": "/CN=system:kube-proxy",
    "kubelet": "/O=system:nodes/CN=system:node:node1",
}


def make(folder: Path) -> None:
    folder.mkdir(parents=True)
    _openssl(
        folder,
        *("req", "-x509", *_KEY, "-keyout", "ca.key", "-out", "ca.crt", *_DAYS),
        *("-subj", "/CN=kubenode"),
    )
    for name, subject in _SUBJECTS.items():
        extensions = "basicConstraints=critical,CA:FALSE\n"
        if name == "apiserver":
            extensions += f"subjectAltName={_SERVER_NAMES}\n"
        (folder / "extensions").write_text(extensions)
        _openssl(
            folder, "req", "-new", *_KEY, "-keyout", f"{name}.key", "-out", "csr", "-subj", subject
        )
        _openssl(
            folder,
            *("x509", "-req", "-in", "csr", "-CA", "ca.crt", "-CAkey", "ca.key"),
            *("-CAcreateserial", *_DAYS, "-extfile", "extensions", "-out", f"{name}.crt"),
        )
    _openssl(
        folder,
        *("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "tokens.key"),
    )


def kubeconfig(path: Path, pki: Path, user: str, server: str = "https://127.0.0.1:6443") -> Path:
    credentials = {
        "client-certificate": str(pki / f"{user}.crt"),
        "client-key": str(pki / f"{user}.key"),
    }
    cluster = {"server": server, "certificate-authority": str(pki / "ca.crt")}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "kubenode",
        "clusters": [{"name": "kubenode", "cluster": cluster}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": "kubenode", "context": {"cluster": "kubenode", "user": user}}],
    }
    path.write_text(json.dumps(content))
    path.chmod(0o600)
    return path


def _openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
