"""Who is connected to a database, and how many each session holds up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cbctl.clients.postgres.clients import Client


@dataclass(frozen=True)
class Session:
    """
    started      with `pid` it is this session and no later one; "": hidden from us
    state        in the server's words; hidden
    transaction  seconds that its transaction is open; None: it has none, or it is hidden
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


@dataclass(frozen=True)
class Seen:
    """note: what could not be seen, and what would let us; "": all was"""

    sessions: list[Session]
    note: str


def sessions(found: Sequence[Client], role: str, *, everyone: bool) -> Seen:
    """Those that are worth a look, or all but our own. role: that looked"""
    from cbctl.clients.postgres.clients import held_up, rights_for, worth_a_look

    chosen = found if everyone else worth_a_look(found)
    hidden = sum(one.is_hidden for one in found)
    return Seen(
        [
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
        ],
        f"what {hidden} of {len(found)} sessions are at, and since when, is hidden from {role}: "
        f"only who waits for whom is known of them; {rights_for(role)}"
        if hidden
        else "",
    )
