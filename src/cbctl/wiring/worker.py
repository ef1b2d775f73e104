"""The side of a Job: one call of one step, inside the cluster.

It holds no lock of its own: it changes something only while the lock is held by the run that sent
it, or by a resume of that, which waits for it; before each change it looks.
"""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from cbctl.config.types import Reference, Secret
from cbctl.engine.canonical import recordable
from cbctl.engine.event import Event
from cbctl.engine.lock import Lent
from cbctl.engine.step import Change, Step, Verified, Waiting
from cbctl.engine.store import Fenced, Store
from cbctl.engine.world import Situation, Stop, Stopped, World, guarded
from cbctl.errors import CbctlError, Exit
from cbctl.machine import SystemClock, SystemRandom, Threads, owner, owner_state
from cbctl.runbook import catalogue
from cbctl.runbook.inputs import BadInput, bind
from cbctl.secrets.scrub import Scrubber
from cbctl.steps.in_cluster import task as tasks
from cbctl.steps.in_cluster.task import Answer, Failure, Line, Said, Task
from cbctl.wiring import inside
from cbctl.wiring.single import revived

Write = Callable[[bytes], None]


def work(
    folder: Path,
    store: Callable[[], Store],
    write: Write,
    stop: Stop,
    environ: Mapping[str, str] = os.environ,
) -> bool:
    """Makes the call that `folder` holds; whether it has an answer. What it says goes to `write`,
    line by line."""

    def tell(line: Line) -> None:
        write(msgspec.json.encode(line))

    try:
        if (folder / inside.WORDS).exists():
            tell(Answer(inside.carried_out(folder, environ)))
            return True
        task = _read(folder)
        with tempfile.TemporaryDirectory(prefix="task-") as files, inside.own_state() as state:
            tasks.unpacked((folder / tasks.FILES).read_bytes(), Path(files))
            world = _world(task, store(), tell, stop, environ)
            tell(Answer(_called(task, world, Path(files), state)))
    except Fenced as lost:
        tell(Failure(str(lost), Exit.LOCKED, lost=True))
    except Stopped:
        tell(Failure("it was told to end", Exit.CANCELLED))
    except CbctlError as error:
        tell(Failure(error.what, error.exit, error.where, error.fix, error.evidence))
    else:
        return True
    return False


def _read(folder: Path) -> Task:
    content = (folder / "task.json").read_bytes()
    with suppress(msgspec.MsgspecError):
        tasks.require_version(msgspec.json.decode(content, type=dict[str, Any]).get("cbctl"))
    return msgspec.json.decode(content, type=Task)


def _world(
    task: Task, store: Store, tell: Callable[[Line], None], stop: Stop, environ: Mapping[str, str]
) -> World:
    scrubber = Scrubber()

    def reveal(reference: Reference) -> Secret:
        variable = task.values.get(reference.text, "")
        if variable not in environ:
            raise CbctlError(f"{reference} was not handed to this pod", exit=Exit.USAGE)
        return scrubber.remember(Secret(environ[variable]))

    def sink(event: Event) -> None:
        if event.type == "step.progress":
            data: Any = event.data
            tell(Said(data["message"], data["done"], data["total"]))

    return World(
        store=store,
        clock=SystemClock(),
        random=SystemRandom(),
        executor=Threads(1),
        sink=sink,
        identify=owner,
        reveal=reveal,
        scrub=scrubber.scrub,
        stop=stop,
    )


def _called(task: Task, world: World, files: Path, state: Path) -> Any:
    step = catalogue.step(task.step)
    try:
        values = {name: revived(value) for name, value in task.inputs.items()}
        values |= {name: files / path for name, path in task.files.items()}
        values |= dict.fromkeys(tasks.state_folders(step.inputs), state)
        inputs = bind(step.inputs, values)
    except BadInput as error:
        raise CbctlError(str(error), exit=Exit.USAGE, where=task.id) from None
    ctx = world.situation(task.run, task.id, _held(task, world.store) if task.token else None)
    return guarded(world, task.id, task.phase, lambda: _made(task, step, ctx, inputs, world))()


def _held(task: Task, store: Store) -> Lent:
    """The lock of the run that sent this, as it is now. Raises Fenced when it is another's."""
    now = store.read_lock()
    if now is None or not now.held or now.run != task.run:
        raise Fenced(task.token, now)
    return Lent(store, now)


def _made(
    task: Task, step: Step[Any, Any, Any], ctx: Situation, inputs: Any, world: World
) -> dict[str, Any]:
    match task.phase:
        case "observe":
            seen = step.observe(ctx, inputs)
            return {"facts": recordable(seen.facts), "evidence": world.shown(seen.evidence)}
        case "apply":
            changes = tuple(Change(**change) for change in task.changes)
            ctx.fence()
            outcome = step.apply(ctx, inputs, changes, task.intent)
            if isinstance(outcome, Waiting):
                return {"waiting": recordable(outcome)}
            return {"outcome": recordable(outcome)}
        case "outcome":
            facts = msgspec.convert(task.facts, tasks.facts_of(step))
            return {"outcome": recordable(step.outcome(ctx, inputs, facts))}
        case "verify":
            verdict = step.verify(ctx, inputs)
            good = isinstance(verdict, Verified)
            told: dict[str, Any] = {"verified": good, "evidence": world.shown(verdict.evidence)}
            return (
                told
                if isinstance(verdict, Verified)
                else told
                | {
                    "why": world.text(verdict.why),
                    "fix": world.text(verdict.fix),
                }
            )


def own_store() -> Store:
    """Where the lock of the pod's own namespace is."""
    from cbctl.clients.kubernetes.api import Api
    from cbctl.stores.cluster.objects import Objects
    from cbctl.stores.cluster.store import ClusterStore

    return ClusterStore(Objects(functools.cache(Api.of_pod)), owner_state)
