"""Pairs of processes that race for the lock of a store.

    racers.py FOLDER PAIRS [unguarded | NAMESPACE]

Both of a pair are forked before either may begin. Who gets the lock writes a record in its journal,
is inside for a moment, writes another one and lets the lock go; a few die inside. Prints how each
of all these processes ended, one line a pair. The store is in the folder, or in that namespace of
the cluster of the kubeconfig. `unguarded`: the store is broken on purpose.
"""

from __future__ import annotations

import fcntl
import os
import random
import sys
import time
from contextlib import nullcontext
from functools import cache, partial
from pathlib import Path

import psutil  # noqa: F401 - before the forks: to import it takes longer than a race

from cbctl.clients.kubernetes.api import Api
from cbctl.engine import lock
from cbctl.engine.journal import Journal
from cbctl.engine.store import Store
from cbctl.errors import CbctlError, Exit
from cbctl.machine import SystemClock, owner, owner_state
from cbctl.stores.cluster.objects import Objects
from cbctl.stores.cluster.store import ClusterStore
from cbctl.stores.files import FileStore

CONTEXT = "kubenode"
WON, DIED, REFUSED, TOGETHER = 0, 3, int(Exit.LOCKED), 99


def opened(folder: Path, namespace: str) -> Store:
    if not namespace:
        return FileStore(folder, owner_state)
    connect = partial(Api.connect, CONTEXT, namespace, patience=60)
    return ClusterStore(Objects(cache(connect)), owner_state)


def race(folder: Path, namespace: str, pair: int, mine: random.Random) -> int:
    store, clock, me = opened(folder, namespace), SystemClock(), owner()
    try:
        held = lock.acquire(store, clock, me, f"pair-{pair}", "race")
    except CbctlError as error:
        return int(error.exit)
    log = Journal(store, clock, f"races/pair-{pair:04}", held.token)
    log.write("in", pid=me.pid)
    inside = os.open(folder / "inside", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(inside, fcntl.LOCK_EX | fcntl.LOCK_NB)  # let go when its process dies
    except BlockingIOError:
        return TOGETHER
    time.sleep(mine.choice([0.0, 0.003, 0.02]))
    held.renew()
    if mine.random() < 0.1:
        return DIED
    log.write("out", pid=me.pid)
    os.close(inside)
    held.release()
    return WON


def fork(folder: Path, namespace: str, pair: int, number: int, gun: tuple[int, int]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.close(gun[1])
        os.read(gun[0], 1)  # until the parent has closed the other end
        code = race(folder, namespace, pair, random.Random(f"{pair}/{number}"))
    finally:
        os._exit(code)


def main() -> None:
    os.fsync = lambda fd: None  # no power is cut here
    namespace = "".join(sys.argv[3:])
    if namespace == "unguarded":
        namespace = ""
        setattr(FileStore, "_guard", lambda self: nullcontext())  # noqa: B010
    folder = Path(sys.argv[1])
    for pair in range(int(sys.argv[2])):
        gun = os.pipe()
        pids = [fork(folder, namespace, pair, number, gun) for number in range(2)]
        os.close(gun[0])
        os.close(gun[1])
        print(*(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids), flush=True)


if __name__ == "__main__":
    main()
