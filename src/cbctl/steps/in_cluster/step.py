"""Any step, carried out in the cluster: each look and each change is a Job there.

It is the same step in the same run: it is planned here, journalled here, and what it may change is
bound to the run's lock, which the pod asks before each change. A run that is killed leaves its Job
at work; the next try finds the Job by its name and waits for the same answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from cbctl import __version__
from cbctl.engine.canonical import plain
from cbctl.engine.step import (
    CannotUndo,
    Change,
    Context,
    Json,
    NotVerified,
    Observation,
    PlanVerdict,
    Step,
    Verdict,
    Verified,
    Waiting,
)
from cbctl.errors import CbctlError, Exit
from cbctl.steps.in_cluster import task as tasks
from cbctl.steps.in_cluster.task import Answer, Failure, Phase, Said, Task

if TYPE_CHECKING:
    from cbctl.clients.kubernetes import job
    from cbctl.clients.kubernetes.api import Api

_GLANCE = 0.001  # seconds in which a wish to stop is noticed
LOOK_SECONDS = 900
"""That a look may take, with the start of its pod; one builds a schema on a scratch server."""


@dataclass(frozen=True)
class Place:
    """Where the Jobs run, and as what.

    context, namespace, namespace_uid  the environment's own namespace of the main cluster
    image            of cbctl, by digest
    service_account  may read the lock, and nothing else
    seconds          that a change may take
    disk             that a Job may take of it, where a step needs some
    variables_from   Secret whose keys are variables of Jobs that work on backups; "": none
    """

    context: str
    namespace: str
    namespace_uid: str
    image: str
    service_account: str
    seconds: int
    disk: str
    variables_from: str = ""


class InCluster(Step[Any, Any, Any]):
    """step: what is carried out; name: as the catalogue calls it"""

    def __init__(self, step: Step[Any, Any, Any], name: str, place: Place) -> None:
        self._step, self._name, self._place = step, name, place
        self.inputs = step.inputs  # type: ignore[misc]  # of the class in every other step
        self.summary = step.summary  # type: ignore[misc]
        self.at_most = step.at_most  # type: ignore[misc]

    def observe(self, ctx: Context, inputs: Any) -> Observation[Any]:
        found = self._call(ctx, "observe", inputs)
        facts = msgspec.convert(found["facts"], tasks.facts_of(self._step))
        return Observation(facts, found["evidence"])

    def plan(self, inputs: Any, facts: Any) -> PlanVerdict:
        return self._step.plan(inputs, facts)

    def identify(self, ctx: Context, inputs: Any, changes: tuple[Change, ...]) -> Json:
        inner = self._step.identify(ctx, inputs, changes)
        return {"job": new_name(self._name), "intent": inner}

    def apply(self, ctx: Context, inputs: Any, changes: tuple[Change, ...], intent: Json) -> Any:
        assert isinstance(intent, dict)
        found = self._call(
            ctx,
            "apply",
            inputs,
            name=str(intent["job"]),
            changes=changes,
            intent=intent["intent"],
        )
        if waiting := found.get("waiting"):
            return Waiting(**waiting)
        return msgspec.convert(found["outcome"], tasks.outcome_of(self._step))

    def outcome(self, ctx: Context, inputs: Any, facts: Any) -> Any:
        found = self._call(ctx, "outcome", inputs, facts=plain(facts))
        return msgspec.convert(found["outcome"], tasks.outcome_of(self._step))

    def verify(self, ctx: Context, inputs: Any) -> Verdict:
        found = self._call(ctx, "verify", inputs)
        if found["verified"]:
            return Verified(found["evidence"])
        return NotVerified(found["why"], found["fix"], found["evidence"])

    def undo(self, ctx: Context, inputs: Any, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("what was done inside the cluster is not undone from outside")

    # -- details ----------------------------------------------------------------------------

    def _call(
        self,
        ctx: Context,
        phase: Phase,
        inputs: Any,
        *,
        name: str = "",
        changes: tuple[Change, ...] = (),
        intent: Json = None,
        facts: Json = None,
    ) -> dict[str, Any]:
        from cbctl.clients.kubernetes import job
        from cbctl.clients.kubernetes.failures import Unreachable

        on_backups = _works_on_backups(inputs)
        files = tasks.files_of(inputs)
        places = {name: f"{name}/{path.name}" for name, path in files.items()}
        archive = tasks.packed({places[name]: path for name, path in files.items()})
        variables = self._variables(inputs)
        task = Task(
            cbctl=__version__,
            step=self._name,
            id=ctx.step,
            phase=phase,
            run=ctx.run,
            token=ctx.token if phase == "apply" else 0,
            inputs=tasks.plain_inputs(inputs),
            files=places,
            values={text: variable for text, (variable, _) in variables.items()},
            changes=[vars(change) for change in changes],
            intent=intent,
            facts=facts,
        )
        sent = msgspec.json.encode(task)
        tasks.require_size(len(sent) + len(archive), ctx.step)
        wanted = job.Wanted(
            name=name or new_name(self._name),
            image=self._place.image,
            service_account=self._place.service_account,
            seconds=self._place.seconds if phase == "apply" else LOOK_SECONDS,
            about={"run": ctx.run, "step": ctx.step, "phase": phase},
            files={"task.json": sent, tasks.FILES: archive},
            secrets=dict(variables.values()),
            variables_from=self._place.variables_from if on_backups else "",
            room=job.Room(self._place.disk) if tasks.state_folders(type(inputs)) else job.SMALL,
        )
        with self._connected(ctx, working=phase == "apply") as api:
            lines = job.lines(api, wanted, ctx.monotonic, lambda: ctx.sleep(_GLANCE))
            try:
                with closing(lines) as told:
                    answer = _answer(ctx, told)
            except Unreachable:  # it goes on there, and the next try finds it
                raise
            except CbctlError:  # this was its answer, so that the next try asks anew
                job.remove(api, wanted.name)
                raise
            job.remove(api, wanted.name)
        return answer

    def _variables(self, inputs: Any) -> dict[str, tuple[str, job.Key]]:
        """By the text of each reference: its variable, and the key of the Secret behind it."""
        from cbctl.clients.kubernetes import job

        found: dict[str, tuple[str, job.Key]] = {}
        for reference in tasks.references(inputs):
            if reference.kind != "secret":
                raise CbctlError(
                    f"{reference} is known here alone, and this step runs inside the cluster",
                    exit=Exit.USAGE,
                    where=reference.where,
                    fix="keep it in a Secret of the environment's namespace: ${secret:NAME#KEY}",
                )
            key = job.Key(reference.name, reference.key)
            found.setdefault(reference.text, (f"CBCTL_VALUE_{len(found)}", key))
        return found

    @contextmanager
    def _connected(self, ctx: Context, *, working: bool) -> Iterator[Api]:
        from cbctl.clients.kubernetes.api import Api

        patience = 60.0 if working else 5.0
        place = self._place
        api = Api.connect(place.context, place.namespace, patience=patience, sleep=ctx.sleep)
        try:
            api.require_uid(place.namespace_uid)
            yield api
        finally:
            api.close()


def _works_on_backups(inputs: Any) -> bool:
    """Raises CbctlError (7) where they are kept in a folder: it would go with the pod."""
    from cbctl.clients.backups.place import S3
    from cbctl.steps.db._backups import Where

    if not isinstance(inputs, Where):
        return False
    if not inputs.place.startswith(S3):
        raise CbctlError(
            "this database is reached only from inside its cluster (access: in-cluster), and its "
            "backups are kept in a folder, which would go with the pod",
            exit=Exit.REFUSED,
            where=inputs.place,
            fix="name a bucket: `database.backups.to: s3://BUCKET/PREFIX` in cbctl.yaml",
        )
    return True


def new_name(step: str) -> str:
    """Of a Job; told apart from those of other tries."""
    words = step.replace(".", "-").replace("_", "-")
    return f"cbctl-{words}-{secrets.token_hex(5)}"


def _answer(ctx: Context, lines: Iterator[str]) -> dict[str, Any]:
    """The pod's answer; what it says before is passed on. Raises what it failed with."""
    for text in lines:
        match tasks.line(text):
            case Said(message, done, total):
                ctx.progress(message, done, total)
            case Answer(value):
                found: dict[str, Any] = value
                return found
            case Failure() as failure:
                raise _raised(ctx, failure)
    raise CbctlError(
        "the pod ended without an answer",
        where=ctx.step,
        exit=Exit.NOT_UNDONE,
        fix="cbctl resume looks at what was done and goes on",
    )


def _raised(ctx: Context, failure: Failure) -> CbctlError:
    if failure.lost:
        ctx.fence()  # says who took the lock
    if failure.exit == Exit.CANCELLED:  # not by this run, which would not have waited for it
        return CbctlError(
            "its pod was told to end before it was done: by somebody, by its node, or because it "
            "took longer than `jobs.seconds` allows",
            where=ctx.step,
            exit=Exit.FAILED,
        )
    return failure.error()
