"""What local.postgres and local.redis have in common: a server of ours, or one that was given."""

from __future__ import annotations

from dataclasses import dataclass

from cbctl.engine.step import Blocked, Change, Changes, Nothing, PlanVerdict
from cbctl.steps.local._service import Running, differences


@dataclass(frozen=True)
class Server:
    """Facts about a server.

    kind     system or wheel: whose program it is; given: it is somebody else's, `address` is where
    major    major version of the program, or of the given server (0: not known)
    data     there is data of ours
    own      the process of our own
    wanted   hash of the spec that should run; "" when it cannot be known before it is made
    linked   the secret that leads to the server leads to this one
    blocked  why it cannot be done, and what helps
    """

    kind: str
    address: str
    major: int
    data: bool
    own: Running
    wanted: str
    linked: bool
    blocked: str = ""
    fix: str = ""


@dataclass(frozen=True)
class Served:
    """Outcome. `link` changes whenever what the secret says changes, so that a later step that
    takes it as an input is planned again."""

    kind: str
    address: str
    major: int
    link: str


def plan(service: str, data: str, address: str, facts: Server) -> PlanVerdict:
    """`data` and `address` are the words for what is made."""
    if facts.blocked:
        return Blocked(facts.blocked, facts.fix)
    changes: list[Change] = []
    if facts.kind == "given":
        if facts.own.spec:
            changes.append(Change(service, "running", "stopped"))
    else:
        if not facts.data:
            changes.append(Change(data, None, f"version {facts.major} ({facts.kind})"))
        changes += differences(service, facts.own, facts.wanted)
    if not facts.linked:
        changes.append(Change(address, None, facts.address or "chosen when it starts"))
    return Changes(tuple(changes)) if changes else Nothing("it runs and answers")


def at_most(service: str, data: str, address: str) -> tuple[str, ...]:
    return (data, service, f"{service} settings", f"{service} supervision", address)
