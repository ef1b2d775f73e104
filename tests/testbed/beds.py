"""Test beds: what a machine may or may not offer to the tests.

CBCTL_TEST_BEDS lists the beds that must work here. One that is listed and broken fails; one that
is not listed is used where it is there and otherwise left out with one visible reason.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

POSTGRES_15 = Path("/usr/lib/postgresql/15/bin/initdb")


def _cargo() -> str:
    return "" if shutil.which("cargo") else "cargo is not on PATH"


def _node() -> str:
    for name in ("node", "npm"):
        if not shutil.which(name):
            return f"{name} is not on PATH"
    done = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    major = done.stdout.removeprefix("v").partition(".")[0]
    if not (major.isdigit() and int(major) >= 20):
        return f"node is {done.stdout.strip() or 'broken'}, 20 or newer is needed"
    return ""


def _ordinary_user() -> str:
    if os.geteuid() != 0:
        return "only root can become another user (this one is ordinary already)"
    return "" if shutil.which("setpriv") else "setpriv is not on PATH"


def _postgres_15() -> str:
    return "" if POSTGRES_15.exists() else f"there is no {POSTGRES_15}"


def _login_ids() -> str:
    """Whether a process can be given the id of a person who logged in."""
    command = ["sh", "-c", "echo 4242 > /proc/self/loginuid && cat /proc/self/loginuid"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.stdout == "4242" else "the login id of a process cannot be set"


def _small_disk() -> str:
    """A file system of one's own, which a user namespace allows to everybody."""
    command = "unshare --user --map-root-user --mount mount -t tmpfs small /mnt".split()  # noqa: SIM905
    for program in ("unshare", "nsenter"):
        if not shutil.which(program):
            return f"{program} is not on PATH"
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr.strip()


def _solana_cli() -> str:
    return "" if shutil.which("solana") else "solana is not on PATH"


def _squawk() -> str:
    return "" if shutil.which("squawk") else "squawk is not on PATH"


_KUBENODE = (
    *("containerd", "runc", "iptables", "docker-registry", "buildah", "mmdebstrap"),
    *("go", "openssl", "nsenter", "unshare", "setpriv"),
)


def _kubenode() -> str:
    """A Kubernetes of one node, or any that CBCTL_TEST_KUBECONFIG names (kubectl comes from the
    same build as the node)."""
    if "CBCTL_TEST_KUBECONFIG" in os.environ:
        return "" if shutil.which("go") else "go is not on PATH"
    if os.geteuid() != 0:
        return "only root can make its namespaces"
    for program in _KUBENODE:
        if not shutil.which(program):
            return f"{program} is not on PATH"
    # Imported here: they need this module.
    from tests.testbed.kubenode import binary, cache

    if not Path("/usr/lib/cni/bridge").exists():
        return "there is no /usr/lib/cni/bridge"
    if not cache.settled(binary.path()):
        return f"there is no {binary.path()} (python3 -m tests.testbed.kubenode.prepare)"
    return ""


def _cosign() -> str:
    return "" if shutil.which("cosign") else "cosign is not on PATH"


BEDS: dict[str, Callable[[], str]] = {
    "cargo": _cargo,
    "cosign": _cosign,
    "kubenode": _kubenode,
    "login-ids": _login_ids,
    "node": _node,
    "ordinary-user": _ordinary_user,
    "postgres-15": _postgres_15,
    "small-disk": _small_disk,
    "solana-cli": _solana_cli,
    "squawk": _squawk,
}
"""name → why it cannot be used here, "" when it can"""


def listed() -> set[str]:
    return set(os.environ.get("CBCTL_TEST_BEDS", "").replace(",", " ").split())


def need(bed: str, why: str | None = None) -> None:
    """Goes on when the bed can be used; else the test fails (listed) or is skipped (not listed).

    why  the reason, where the test itself has found out; None: this module looks"""
    problem = BEDS[bed]() if why is None else why
    if not problem:
        return
    if bed in listed():
        pytest.fail(f"the test bed {bed!r} is in CBCTL_TEST_BEDS, but: {problem}")
    pytest.skip(f"no test bed {bed!r}: {problem}")
