"""Whether the target is the one that was recorded when the environment was made.

Who deploys to the wrong place has usually the right rights there: only what a place says of itself
tells it apart. Nothing is changed before all of it fits. The way back is stopped only by what is
another one, never by what does not answer.
"""

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

MARKER = "marker in the cache"


@dataclass(frozen=True)
class Inputs:
    """
    platform, environment  whose markers database and cache must have
    context, namespace     of Kubernetes
    rpc                    of the chain, one URL or several
    cluster_uid, namespace_uid, genesis_hash, account_id  as recorded; none: not recorded
    database, cache        URLs; none: there is none
    database_access, cache_access  direct, in-cluster
    going_back             what cannot be read is passed over; what is another one is not
    """

    platform: str
    environment: str
    context: str
    namespace: str
    rpc: Reference | str | tuple[Reference | str, ...]
    cluster_uid: str | None = None
    namespace_uid: str | None = None
    genesis_hash: str | None = None
    account_id: str | None = None
    database: Reference | str | None = None
    database_access: str = "direct"
    cache: Reference | str | None = None
    cache_access: str = "direct"
    going_back: bool = False


@dataclass(frozen=True)
class Facts:
    """What each system says of itself."""

    said: Mapping[str, Said]


@dataclass(frozen=True)
class Outcome:
    """unchecked: what did not say who it is, and why"""

    unchecked: tuple[str, ...]


class Identity(Step[Inputs, Facts, Outcome]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Ask every system whether it is the one that was recorded"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        return Observation(Facts(target.asked(ctx, inputs, account=inputs.account_id is not None)))

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        wanted = _wanted(inputs)
        if wrong := list(_others(facts, wanted)):
            return Blocked(
                "this is not the target that was recorded: " + "; ".join(wrong),
                "check the kubeconfig, the URLs and `identity` of this environment",
            )
        name = inputs.environment
        missing = [
            what
            for what in facts.said
            if wanted[what] is None
            and not (what == target.CLUSTER and inputs.namespace_uid)  # which no other one has
        ]
        unmarked = [what for what, said in facts.said.items() if _unmarked(what, said)]
        if not inputs.going_back and (missing or unmarked):
            what = "; ".join(
                [f"{one}: not recorded" for one in missing]
                + [f"{one}: nothing in it says whose it is" for one in unmarked]
            )
            return Blocked(
                f"whether this is the target of {name} cannot be said ({what})",
                f"cbctl env record {name} records it, when you are sure",
            )
        unread = list(_unchecked(facts, wanted))
        if not inputs.going_back and (dumb := [u for u in unread if not _may_be(u, inputs)]):
            return Blocked(
                "who the target is cannot be read: " + "; ".join(map(str, dumb)),
                "look into what does not answer",
            )
        cache = facts.said.get(target.CACHE)
        if cache is not None and cache.state == "empty":
            return Changes((Change(MARKER, None, _marker(inputs)),))
        told = f"; unchecked: {'; '.join(map(str, unread))}" if unread else ""
        return Nothing(f"it is {name} of {inputs.platform}{told}")

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        target.write_cache_marker(ctx, inputs)
        return self.outcome(ctx, inputs, self.observe(ctx, inputs).facts)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        unchecked = _unchecked(facts, _wanted(inputs))
        # the namespace is the proof where we may see nothing else of the cluster
        seen = [u for u in unchecked if u.what != target.CLUSTER or not _may_be(u, inputs)]
        return Outcome(tuple(map(str, seen)))

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        """Asked again under the lock, right before the first change."""
        facts = self.observe(ctx, inputs).facts
        match self.plan(inputs, facts):
            case Blocked(why, fix):
                return NotVerified(why, fix)
            case Changes():
                return NotVerified("the cache has lost its marker", "run it again")
        return Verified({"unchecked": list(self.outcome(ctx, inputs, facts).unchecked)})

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return None  # the marker is right, whatever becomes of the rest


@dataclass(frozen=True)
class _Unchecked:
    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what} ({self.why})"


def _wanted(inputs: Inputs) -> dict[str, str | None]:
    return {
        target.CLUSTER: inputs.cluster_uid,
        target.NAMESPACE: inputs.namespace_uid,
        target.CHAIN: inputs.genesis_hash,
        target.ACCOUNT: inputs.account_id,
        target.DATABASE: _marker(inputs),
        target.CACHE: _marker(inputs),
    }


def _marker(inputs: Inputs) -> str:
    return f"{inputs.platform}/{inputs.environment}"


def _others(facts: Facts, wanted: Mapping[str, str | None]) -> Iterator[str]:
    for what, said in facts.said.items():
        if said.state == "there" and wanted[what] not in (None, said.value):
            yield f"the {what} is {said.value}, not {wanted[what]}"


def _unmarked(what: str, said: Said) -> bool:
    """An empty cache has lost its marker with all the rest, and gets it again."""
    return said.state == "unmarked" or (said.state == "empty" and what != target.CACHE)


def _unchecked(facts: Facts, wanted: Mapping[str, str | None]) -> Iterator[_Unchecked]:
    for what, said in facts.said.items():
        if said.state == "unread":
            yield _Unchecked(what, said.value)
        elif said.state == "elsewhere":
            yield _Unchecked(what, "reached only from inside its cluster")
        elif wanted[what] is None:
            yield _Unchecked(what, "not recorded")
        elif _unmarked(what, said):
            yield _Unchecked(what, "nothing in it says whose it is")


def _may_be(one: _Unchecked, inputs: Inputs) -> bool:
    """What need not say who it is: a system that is reached only from inside, and a cluster that
    shows us nothing but our own namespace, whose UID no other cluster has either."""
    if one.what == target.CLUSTER:
        return "cannot get resource" in one.why and inputs.namespace_uid is not None
    return one.why == "reached only from inside its cluster"


STEP = Identity()
