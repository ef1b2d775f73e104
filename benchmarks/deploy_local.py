"""`cbctl deploy local`: from nothing, with nothing to change, and what the platform weighs.

    python benchmarks/deploy_local.py [FRESH_ROUNDS] [UNCHANGED_ROUNDS]

Works in a state folder of its own; the ports of cbctl.yaml must be free.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

import psutil
from timing import CBCTL, HEADER, PYTHON, Subject, alternate, pss


def main() -> None:
    fresh_rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    with tempfile.TemporaryDirectory(prefix="cbctl-bench-") as root:
        environ = {"CBCTL_STATE_DIR": root}
        deploy = Subject("cbctl deploy local, fresh", [CBCTL, "deploy", "local"], environ)
        reset = Subject("reset", [CBCTL, "local", "reset", "--yes"], environ)
        try:
            for number in range(fresh_rounds):
                if number:
                    reset.once()
                deploy.times.append(deploy.once())
            again = Subject(
                "cbctl deploy local, nothing to do", [CBCTL, "deploy", "local"], environ
            )
            bare = Subject("python -c 'import typer'", [PYTHON, "-c", "import typer"])
            status = Subject("cbctl status local", [CBCTL, "status", "local"], environ)
            alternate([bare, again, status], rounds)
            print(HEADER)
            for subject in (deploy, again, status, bare):
                print(subject.row())
            over = statistics.median(a - b for a, b in zip(again.times, bare.times, strict=True))
            print(f"nothing to do, beyond a bare `import typer`: {over:.0f} ms")
            _weight(root)
        finally:
            reset.once()


def _weight(root: str) -> None:
    """PSS of every process of the platform, in MB."""
    found = [p for p in psutil.process_iter() if _ours(p, root)]
    total = 0.0
    print(f"\n{'idle memory (PSS)':<34} {'MB':>8}")
    groups: dict[str, list[int]] = {}
    for process in found:
        groups.setdefault(_name(process), []).append(process.pid)
    for name, pids in sorted(groups.items()):
        weight = pss(pids)
        total += weight
        print(f"{name + f' ({len(pids)})':<34} {weight:8.1f}")
    print(f"{'together':<34} {total:8.1f}")


def _ours(process: psutil.Process, root: str) -> bool:
    """Started for this state folder: it, or a process above it, names the folder or is marked."""
    try:
        for one in (process, *process.parents()):
            if one.pid != process.pid and one.pid == 1:
                break
            if any(root in word for word in one.cmdline()):
                return True
            if one.environ().get("CBCTL_RUN_MARKER") and root in str(one.environ()):
                return True
            if _cwd(one).startswith(root):
                return True
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    return False


def _cwd(process: psutil.Process) -> str:
    return str(Path(process.cwd()))


def _name(process: psutil.Process) -> str:
    words = process.cmdline()
    for index, word in enumerate(words):
        if word == "-m" and index + 1 < len(words):
            return words[index + 1]
    return Path(words[0].split(":")[0]).name if words else process.name()


if __name__ == "__main__":
    main()
