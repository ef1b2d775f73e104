"""Counts a database's rows beside other work, and stops when that is stopped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from cbctl.clients.backups.place import Pause
from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.contents import Contents, read_contents

if TYPE_CHECKING:
    from cbctl.clients.postgres.connect import Connection

_LOOK = 0.05


@contextmanager
def counting(
    address: Address, *, snapshot: str = "", checksums: bool, sessions: int
) -> Iterator[Future[Contents]]:
    """A block that ends before the counting does breaks it off: a large table takes long."""
    import psycopg

    opened: list[Connection] = []
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(
            read_contents,
            address,
            snapshot=snapshot,
            checksums=checksums,
            sessions=sessions,
            opened=opened,
        )
        try:
            yield found
        finally:
            while not found.done():
                for session in tuple(opened):
                    with suppress(psycopg.Error):
                        session.cancel()
                time.sleep(_LOOK)


def counted(found: Future[Contents], pause: Pause) -> Contents:
    while not found.done():
        pause(_LOOK)
    return found.result()
