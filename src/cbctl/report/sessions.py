"""Who is connected to a database, and how many each session holds up."""

from __future__ import annotations

from dataclasses import dataclass

from cbctl.config.types import Secret


@dataclass(frozen=True)
class Session:
    """
    started      with `pid` it is this session and no later one
    transaction  seconds that its transaction is open; None: it has none
    blocked_by   pids of those that it waits for
    holds_up     how many wait for it, directly or behind others
    """

    pid: int
    started: str
    user: str
    application: str
    address: str
    state: str
    transaction: int | None
    waits: str
    blocked_by: tuple[int, ...]
    holds_up: int


def sessions(url: Secret, where: str, *, everyone: bool) -> list[Session]:
    """Those that are worth a look, or all but our own. Raises CbctlError as connecting does."""
    from cbctl.clients.postgres.address import parse
    from cbctl.clients.postgres.clients import clients, held_up, worth_a_look
    from cbctl.clients.postgres.connect import connect

    address = parse(url, where=where)
    with connect(address) as connection:
        found = clients(connection, address)
    chosen = found if everyone else worth_a_look(found)
    return [
        Session(
            one.pid,
            one.started,
            one.user,
            one.application,
            one.address,
            one.state,
            one.transaction,
            one.waits,
            one.blocked_by,
            held_up(found, one.pid),
        )
        for one in chosen
    ]
