"""A scratch database beside an environment's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cbctl.clients.postgres.address import Address, parse
from cbctl.clients.postgres.build import Like, database_like
from cbctl.clients.postgres.connect import connect
from cbctl.local.scratch import throwaway_like
from cbctl.local.state import State


@contextmanager
def scratch_for(
    state: State,
    wanted: Like,
    on: Address | None,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[Address, int]]:
    """An empty database like `wanted`, and the major version of its server.

    on  a server to make it on; None: on one of its own, thrown away
    """
    if on is None:
        with (
            throwaway_like(state, "schema", wanted.major, pause) as (url, major),
            database_like(parse(url), wanted, thrown_away=True) as place,
        ):
            yield place, major
        return
    with database_like(on, wanted, thrown_away=False) as place, connect(place) as connection:
        yield place, connection.info.server_version // 10_000
