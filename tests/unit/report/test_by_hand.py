"""The printed way back carries out what it says, and nothing that stands in a history beside it.

(tests/integration/kubernetes/test_shared.py goes it on a cluster.)"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from cbctl.clients.kubernetes.packed import packed
from cbctl.engine.release import Release
from cbctl.report.by_hand import commands

KUBECTL = """#!/bin/sh
echo "$*" >> "$LOG"
case "$*" in *apply*) cat >> "$LOG.applied" ;; *"get pods"*) echo pod/x-1 ;; esac
"""
DEPLOYMENT = {
    "kind": "Deployment",
    "metadata": {"name": "x"},
    "spec": {"selector": {"matchLabels": {"app": "x"}}},
}


def test_only_kubectl_is_called_whatever_the_history_says(tmp_path: Path) -> None:
    tool = tmp_path / "kubectl"
    tool.write_text(KUBECTL)
    tool.chmod(0o755)
    (tmp_path / "curl").write_text('#!/bin/sh\necho "curl $*" >> "$LOG"\n')
    (tmp_path / "curl").chmod(0o755)
    nasty = "\ntouch nasty\rtouch nasty\x85touch nasty\u2028 $(touch nasty) `touch nasty`"
    parts = {"manifests": packed([DEPLOYMENT]), "image": nasty, "program_hash": nasty}
    release = Release("r1", "2026-11-26T20:00:00Z", "run", nasty, "healthy", parts, {}, {})
    script = commands(
        release,
        context="c; touch nasty",
        namespace="n$(touch nasty)",
        deployment="",
        sides=False,
        port=3000,
        health="/`touch nasty`",
        url="https://x.example/$(touch nasty)",
        seconds=9,
    )
    environ = {"PATH": f"{tmp_path}{os.pathsep}/usr/bin:/bin", "LOG": str(tmp_path / "log")}
    text = "\n".join(script)
    done = subprocess.run(
        ["sh", "-eu"], input=text, env=environ, cwd=tmp_path, text=True, check=False
    )
    assert done.returncode == 0, text
    assert not (tmp_path / "nasty").exists(), text
    called = (tmp_path / "log").read_text().splitlines()
    there = "--context c; touch nasty -n n$(touch nasty)"
    assert called == [
        f"{there} apply --server-side --field-manager=cbctl -f -",
        f"{there} rollout status deployment/x --timeout=9s",
        f"{there} get pods -l app=x --sort-by=.metadata.creationTimestamp -o name",
        f"{there} get --raw /api/v1/namespaces/n$(touch nasty)/pods/x-1:3000/proxy/`touch nasty`",
        "curl -fsS https://x.example/$(touch nasty)/`touch nasty`",
    ]
    assert '"kind":"List"' in (tmp_path / "log.applied").read_text()
