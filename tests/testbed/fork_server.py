"""`cbctl` once imported, then forked for every command: milliseconds instead of half a second.

A request is one JSON line on standard input, the answer one on standard output; see
`tests.testbed.forked`. The child is what `cbctl` is for a shell: argument list, environment,
working folder, standard streams, exit code.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import resource
import select
import signal
import sys
import tempfile
import threading
import time
import traceback
from typing import Any, NoReturn

LARGEST = 64 << 20  # bytes that a command may write into one file
MEMORY = 4 << 30  # bytes of addresses that it may use


def warm() -> None:
    import cbctl

    for module in pkgutil.walk_packages(cbctl.__path__, "cbctl."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    importlib.import_module("cbctl.__main__")
    for name in ("psycopg", "hiredis", "solders.keypair", "yaml", "psutil", "typer._adapters"):
        importlib.import_module(name)
    from tests.testbed.commands import table

    from cbctl.config.schema import schema

    table()
    schema()  # resolves the types of all settings
    gc.collect()
    gc.freeze()  # the collector of a child must not copy all these pages


def child(request: dict[str, Any], out: int, err: int) -> NoReturn:
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, LARGEST))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (out, 1), (err, 2)):
            os.dup2(source, target)
        os.closerange(3, 64)
        os.environ.clear()
        os.environ.update(request["env"])
        tempfile.tempdir = None
        os.chdir(request["cwd"])
        encoding = request["encoding"]
        sys.stdin = os.fdopen(0, encoding="utf-8")
        sys.stdout = os.fdopen(1, "w", encoding=encoding)
        sys.stderr = os.fdopen(2, "w", 1, encoding=encoding, errors="backslashreplace")
        sys.argv = ["cbctl", *request["argv"]]
        from cbctl.__main__ import main

        code = ended(main)
    except BaseException:
        traceback.print_exc()
    os._exit(code)


def ended(main: Any) -> int:
    """The exit code, as the interpreter gives it."""
    code = 1
    try:
        main()
        code = 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 0 if left.code is None else 1
    except BaseException:
        traceback.print_exc()
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        code = 120
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    return code


def serve(request: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.monotonic()
        stdout = os.open(request["stdout"], os.O_WRONLY) if request["stdout"] else out.fileno()
        pid = os.fork()
        if pid == 0:
            child(request, stdout, err.fileno())
        if request["stdout"]:
            os.close(stdout)
        hung, status = wait(pid, request["interrupt"], request["limit"])
        seconds = time.monotonic() - began
        told = []
        for file in (out, err):
            file.seek(0)
            told.append(file.read().decode("latin-1"))
    return {
        "exit": os.waitstatus_to_exitcode(status),
        "hung": hung,
        "seconds": seconds,
        "out": told[0],
        "err": told[1],
    }


def wait(pid: int, interrupt: float | None, limit: float) -> tuple[bool, int]:
    """Whether it had to be killed, and its status. After `interrupt` seconds comes Ctrl-C."""
    handle = os.pidfd_open(pid)
    try:
        if interrupt is not None and not select.select([handle], [], [], interrupt)[0]:
            os.kill(pid, signal.SIGINT)
        hung = not select.select([handle], [], [], limit)[0]
        if hung:
            os.killpg(pid, signal.SIGKILL)
        return hung, os.waitpid(pid, 0)[1]
    finally:
        os.close(handle)


if __name__ == "__main__":
    warm()
    for line in sys.stdin:
        print(json.dumps(serve(json.loads(line))), flush=True)
