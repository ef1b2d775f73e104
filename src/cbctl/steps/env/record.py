"""Records who the target of an environment is: markers where it can be written down, and what
stands in cbctl.yaml of the rest. Once, by somebody who is sure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from cbctl.config.types import Reference
from cbctl.engine.step import (
    Blocked,
    CannotUndo,
    Change,
    Changes,
    Context,
    Json,
    Nothing,
    NotVerified,
    Observation,
    PlanVerdict,
    Step,
    Verdict,
    Verified,
)
from cbctl.steps.env import _target as target
from cbctl.steps.env._target import Said


@dataclass(frozen=True)
class Inputs:
    """
    platform, environment  whose it is
    context, namespace     of Kubernetes
    rpc                    of the chain, one URL or several
    genesis_hash           what cbctl.yaml says already, where it does
    database, cache        URLs; none: there is none
    database_access, cache_access  direct, in-cluster
    account                AWS is asked whose account this is
    """

    platform: str
    environment: str
    context: str
    namespace: str
    rpc: Reference | str | tuple[Reference | str, ...]
    genesis_hash: str | None = None
    database: Reference | str | None = None
    database_access: str = "direct"
    cache: Reference | str | None = None
    cache_access: str = "direct"
    account: bool = False


@dataclass(frozen=True)
class Facts:
    """What each system says of itself."""

    said: Mapping[str, Said]


@dataclass(frozen=True)
class Outcome:
    """What belongs into cbctl.yaml. None: it could not be read, or was not asked for."""

    cluster_uid: str | None
    namespace_uid: str | None
    genesis_hash: str | None
    account_id: str | None
    unread: tuple[str, ...]


class Record(Step[Inputs, Facts, Outcome]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Record who the target of the environment is"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        return Observation(Facts(target.asked(ctx, inputs, account=inputs.account)))

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        said, marker = facts.said, _marker(inputs)
        namespace, chain = said[target.NAMESPACE], said[target.CHAIN]
        if namespace.state == "unread":
            return Blocked(f"the namespace {inputs.namespace}: {namespace.value}")
        if chain.state == "there" and inputs.genesis_hash not in (None, chain.value):
            return Blocked(
                f"this is another chain: its genesis hash is {chain.value}, cbctl.yaml says"
                f" {inputs.genesis_hash}",
                "check the RPC URL, or `chain.genesis_hash`",
            )
        changes = []
        for what, found in _stores(said):
            if found.state == "there" and found.value != marker:
                return Blocked(f"the {what} belongs to {found.value}, not to {marker}")
            if found.state == "unmarked":
                return Blocked(
                    f"nothing in the {what} says that it belongs to {marker}, and it is not empty",
                    "an empty one of its own is what this environment needs",
                )
            if found.state == "unread":
                return Blocked(f"the {what} cannot be asked: {found.value}")
            if found.state == "empty":
                changes.append(Change(f"marker in the {what}", None, marker))
        return Changes(tuple(changes)) if changes else Nothing("the markers are there")

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        said = self.observe(ctx, inputs).facts.said
        for what, found in _stores(said):
            if found.state == "empty" and what == target.DATABASE:
                _mark_database(ctx, inputs)
            elif found.state == "empty":
                target.write_cache_marker(ctx, inputs)
        return self.outcome(ctx, inputs, Facts(said))

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        def value(what: str) -> str | None:
            found = facts.said.get(what)
            return found.value if found and found.state == "there" else None

        unread = (f"{what}: {s.value}" for what, s in facts.said.items() if s.state == "unread")
        return Outcome(
            value(target.CLUSTER),
            value(target.NAMESPACE),
            value(target.CHAIN),
            value(target.ACCOUNT),
            tuple(unread),
        )

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        match self.plan(inputs, self.observe(ctx, inputs).facts):
            case Nothing(because):
                return Verified({"markers": because})
            case Blocked(why, fix):
                return NotVerified(why, fix)
        return NotVerified("a marker is not there", "run it again")

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("a marker that was written stays: it says the truth")


def _stores(said: Mapping[str, Said]) -> Iterator[tuple[str, Said]]:
    return ((what, said[what]) for what in (target.DATABASE, target.CACHE) if what in said)


def _marker(inputs: Inputs) -> str:
    return f"{inputs.platform}/{inputs.environment}"


def _mark_database(ctx: Context, inputs: Inputs) -> None:
    from cbctl.clients.postgres.address import parse
    from cbctl.clients.postgres.ledger import Marker, record_marker

    address = parse(target.revealed(ctx, inputs.database), where="database.url")
    ctx.fence()
    record_marker(address, Marker(inputs.platform, inputs.environment))


STEP = Record()
