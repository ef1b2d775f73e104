"""Follows a Deployment until it is known what became of it, and gathers what explains a failure.

Evidence is gathered here, at once: whatever is done about the failure removes the pods that show
it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cbctl.clients.kubernetes import causes, rollout
from cbctl.clients.kubernetes.api import Api, Object
from cbctl.clients.kubernetes.causes import Cause
from cbctl.clients.kubernetes.rollout import Done, Doomed, Going, Rollout
from cbctl.clients.kubernetes.watch import Lost, Watch

LOOK = 0.5  # seconds after which it is asked again whether to go on
LOG_LINES = 20
EVENTS = 10


@dataclass(frozen=True)
class Failed:
    """
    late      nobody waited any longer: there is no more than a suspicion
    evidence  events, last log lines, exit codes
    """

    cause: Cause
    late: bool
    evidence: Mapping[str, Any] = field(default_factory=dict)


def follow(
    api: Api,
    applied: Object,
    seconds: float,
    now: Callable[[], float],
    tell: Callable[[Going], None],
    go_on: Callable[[], None],
) -> Done | Failed:
    """
    applied  the Deployment as the server answered when it was changed
    seconds  how long to wait for a verdict
    tell     hears of progress, once for each change of it
    go_on    raises when the run is to stop
    """
    judge, until, told = Rollout(applied), now() + seconds, ""
    with Watch(api, rollout.collections(applied)) as watch:
        while True:
            go_on()
            wait = min(LOOK, max(0.0, judge.wakes(now())), max(0.0, until - now()))
            seen = watch.next(wait)
            while seen is not None:  # all that is there already, before judging
                if isinstance(seen, Lost):
                    tell(Going(f"no connection to the cluster, trying again: {seen.why}"))
                judge.see(seen)
                seen = watch.next(0) if wait else None
            verdict = judge.verdict(now())
            if isinstance(verdict, Done):
                return verdict
            if isinstance(verdict, Doomed):
                return Failed(verdict.cause, False, evidence(api, judge, verdict.cause))
            if verdict.progress != told:
                told = verdict.progress
                tell(verdict)
            if now() >= until:
                cause = judge.why_not(f"no success within {seconds:g} s")
                return Failed(cause, True, evidence(api, judge, cause))


def evidence(api: Api, judge: Rollout, cause: Cause) -> dict[str, Any]:
    found: dict[str, Any] = {"reason": cause.reason}
    events: list[Object] = []
    for thing in (judge.deployment, judge.new_replica_set()):
        if thing is not None:
            events += judge.events_of(thing)
    for pod in judge.new_pods():
        if pod["metadata"]["name"] == cause.pod:
            events += judge.events_of(pod)
            found |= {"pod": cause.pod, "phase": pod["status"].get("phase")}
            if cause.container:
                found["container"] = cause.container
                found |= _of_container(api, pod, cause.container)
    told = [f"{one.get('reason')}: {one.get('message')}" for one in events]
    found["events"] = list(dict.fromkeys(told))[-EVENTS:]
    return found


def _of_container(api: Api, pod: Object, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    status = pod["status"]
    for one in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        if one["name"] != name:
            continue
        found["restarts"] = one.get("restartCount", 0)
        if ended := causes.ended(one):
            found |= {"exit_code": ended.get("exitCode"), "ended": ended.get("reason")}
    log = api.log(pod["metadata"]["name"], name, lines=LOG_LINES)
    log = log or api.log(pod["metadata"]["name"], name, lines=LOG_LINES, previous=True)
    if log:
        found["log"] = log.splitlines()
    return found
