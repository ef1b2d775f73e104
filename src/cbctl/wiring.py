"""The one place that joins configuration, state, store, runbooks and steps into runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cbctl import __version__
from cbctl.config.load import environment, find_config, load, load_document
from cbctl.config.show import canonical
from cbctl.config.types import Environment, Reference, Secret, Settings
from cbctl.config.validate import require
from cbctl.engine import journal as journals
from cbctl.engine import lock, plan, release, run
from cbctl.engine.canonical import plain, sha256
from cbctl.engine.event import Sink
from cbctl.engine.plan import Node, NotYet, Outcomes, Plan
from cbctl.engine.run import Ended, Job
from cbctl.engine.step import Json
from cbctl.engine.world import Stop, World
from cbctl.errors import CbctlError, Exit
from cbctl.local.state import State
from cbctl.machine import SystemClock, SystemRandom, Threads, owner, owner_state
from cbctl.runbook import catalogue, document, expression
from cbctl.runbook.inputs import BadInput, bind
from cbctl.secrets.keys import KEYPAIR, LocalKeys
from cbctl.secrets.reveal import Revealer
from cbctl.secrets.scrub import Scrubber
from cbctl.stores.files import FileStore

STOP_ORDER = ("api", "localnet", "redis", "postgres")
"""Users of a service stop before it."""

KEYS_STEP = "keys"
"""Id of the step that makes the keypairs which `${key:NAME}` names."""


@dataclass(frozen=True)
class Workplace:
    """An environment, opened: what every command on it works with."""

    settings: Settings
    env: Environment
    state: State
    keys: LocalKeys
    values: Revealer
    world: World
    say: Callable[[str], None]

    @property
    def store(self) -> FileStore:
        assert isinstance(self.world.store, FileStore)
        return self.world.store


def settings(config: str | None) -> Settings:
    return load(find_config(Path.cwd(), config))


def name_of(settings: Settings, given: str | None) -> str:
    """The environment a command is meant for: ENV, else $CBCTL_ENV, else an error that lists."""
    name = given or os.environ.get("CBCTL_ENV")
    if name:
        return name
    names = ", ".join(settings.environments)
    raise CbctlError(
        "which environment?", exit=Exit.USAGE, fix=f"name one of {names} (or set CBCTL_ENV)"
    )


def open_workplace(
    config: str | None,
    given: str | None,
    sink: Sink = lambda event: None,
    *,
    say: Callable[[str], None] = lambda text: None,
    create: bool = False,
) -> Workplace:
    """
    sink    takes the events of runs
    say     tells a person something beside them; called in signal handlers too
    create  make the local state folder if there is none (only commands that change)
    """
    everything = settings(config)
    env = environment(everything, name_of(everything, given))
    if not env.is_local:
        raise CbctlError(
            "this cbctl works only on environments that run on this machine (on: local); the steps "
            "for Kubernetes are not part of it yet",
            exit=Exit.REFUSED,
            where=env.name,
        )
    state = State.open(env.platform, env.name, create=create)
    scrubber = Scrubber()
    keys = LocalKeys(state.path)
    values = Revealer(env, state_folder=state.path, keys=keys)

    def reveal(reference: Reference) -> Secret:
        found = values.find(reference)
        return scrubber.remember(found) if found else Secret("")

    world = World(
        store=FileStore(state.path, owner_state),
        clock=SystemClock(),
        random=SystemRandom(),
        executor=Threads(),
        sink=sink,
        owner=owner(),
        reveal=reveal,
        scrub=scrubber.scrub,
        stop=Stop(),
    )
    return Workplace(everything, env, state, keys, values, world, say)


# -- from a runbook to a job ----------------------------------------------------------------


def job(
    work: Workplace,
    kind: str,
    *,
    only: tuple[str, ...] = (),
    skip: tuple[str, ...] = (),
    target: release.Release | None = None,
    replaces: str | None = None,
) -> Job:
    """The steps of a runbook that this environment wants, bound to its settings.

    target  the release that the runbook's `${release.…}` means (a rollback's)
    """
    book = document.read(document.find(kind, work.settings.runbooks))
    view = _view(work)
    roots: dict[str, Any] = {
        "env": view,
        "inputs": dict(book.inputs),
        "release": target.parts if target else {},
    }
    for gate in book.requires:
        if not _holds(gate.that, roots, book, gate.line):
            raise CbctlError(
                gate.otherwise, exit=Exit.REFUSED, where=f"{work.env.name} ({gate.that})"
            )
    chosen = [e for e in book.steps if not e.when or _holds(e.when, roots, book, e.line)]
    ids = [e.id for e in chosen]
    left_out = _left_out(ids, only, skip)
    nodes = tuple(_node(work, book, entry, ids, roots) for entry in chosen)
    identity: dict[str, Json] = {
        "cbctl": __version__,
        "runbook": book.sha256,
        "configuration": sha256(canonical(work.env)),
        "release": target.id if target else None,
    }
    selection: dict[str, Json] = {
        "only": list(only),
        "skip": list(skip),
        "release": target.id if target else None,
    }
    return Job(
        kind=kind,
        environment=work.env.name,
        reason=f"{kind} {work.env.name}",
        nodes=nodes,
        identity=identity,
        selection=selection,
        left_out=left_out,
        parts=partial(_parts, book.release, roots) if book.release else None,
        undo=work.env.policy.undo_on_failure,
        replaces=replaces,
    )


def make_plan(work: Workplace, job: Job) -> Plan:
    return plan.make(work.world, job.nodes, job.identity).without(job.left_out)


def require_valid(work: Workplace) -> None:
    """Raises ConfigError (64) for files and arguments that the environment names wrongly."""
    require(load_document(work.settings.path), work.env)


def carry_out(
    work: Workplace, job: Job, agree: Callable[[Plan], None] = lambda plan: None
) -> Ended:
    """Plans, asks through `agree` (which raises to stop) and runs; tells whom it was told to."""
    _refuse_while_locked(work)
    since = run.moment(work.store)
    with _signals(work):
        made = make_plan(work, job)
        if made.blocked:
            return run.refuse(work.world, made)
        if run.nothing_to_do(work.world, job, made):
            return run.check_only(work.world, job, made)
        agree(made)
        ended = run.start(work.world, job, made, since)
    notify(work, ended)
    return ended


def resume(
    work: Workplace, id: str | None, agree: Callable[[Plan], None] = lambda plan: None
) -> Ended:
    """Goes on with the run of that id, or with the newest one that did not end well."""
    _refuse_while_locked(work)
    since = run.moment(work.store)
    id = id or _newest_open(work)
    records = journals.read(work.store, journals.RUNS + id)
    if not records or records[0].type != "run.started":
        raise CbctlError(f"there is no run {id}", exit=Exit.USAGE, fix="cbctl runs list")
    first = records[0].data
    chosen = first["selection"]
    target = None
    if chosen["release"]:
        target = release.find(release.history(work.store), chosen["release"])
    again = job(
        work,
        first["kind"],
        only=tuple(chosen["only"]),
        skip=tuple(chosen["skip"]),
        target=target,
        replaces=first["replaces"],
    )
    run.require_resumable(records, id, again.identity)
    with _signals(work):
        made = make_plan(work, again)
        agree(made)
        ended = run.resume(work.world, again, made, id, since)
    notify(work, ended)
    return ended


def rollback_job(work: Workplace, to: str | None) -> Job:
    """A rollback to the release `to`, or to the newest healthy one that fits. Raises CbctlError
    (7) with the reason for each release when none does."""
    from cbctl.report.rollback import choose, live_schema

    known = release.history(work.store)
    current = release.current(known)
    if current is None:
        raise CbctlError(
            "there is no release to go back to: nothing was deployed yet", exit=Exit.REFUSED
        )
    url = work.values.find(Reference("state", "database-url", optional=True))
    target = choose(known, to, live_schema(url or Secret(""), current))
    return job(work, "rollback", target=target, replaces=current.id)


def parts_health(work: Workplace) -> list[dict[str, Any]]:
    """Whether what the current release consists of runs, as the steps that made it see it:
    [{name, state: healthy|unhealthy, detail, evidence}]."""
    current = release.current(release.history(work.store))
    if current is None:
        raise CbctlError(
            "nothing was deployed yet",
            exit=Exit.REFUSED,
            where=work.env.name,
            fix=f"cbctl deploy {work.env.name}",
        )
    checked = job(work, "rollback", target=current)
    return run.health(work.world, checked, make_plan(work, checked))


def restart_services(work: Workplace, names: list[str]) -> Iterator[str]:
    """Restarts one after the other under the lock; each is ready when its name is told."""
    from cbctl.local.services import Services

    services = Services(work.state)
    known = [p.name for p in services.status()]
    with _locked(work, "restart of local services"):
        for name in names or [n for n in STOP_ORDER[::-1] if n in known]:
            services.restart(name)
            yield name


def stop_services(work: Workplace) -> list[str]:
    from cbctl.local.services import Services

    with _locked(work, "stop of local services"):
        return Services(work.state).stop_all(STOP_ORDER)


def reset_state(work: Workplace) -> None:
    """Stops everything and removes the state folder."""
    import shutil

    stop_services(work)
    gone = work.state.path.with_name(f".{work.state.path.name}.{os.getpid()}.removed")
    work.state.path.rename(gone)  # at once: an interrupted removal leaves no half state
    shutil.rmtree(gone)


@contextmanager
def _locked(work: Workplace, reason: str) -> Iterator[None]:
    held = lock.acquire(work.store, work.world.clock, work.world.owner, "-", reason)
    try:
        yield
    finally:
        held.release()


def _newest_open(work: Workplace) -> str:
    for stream in reversed(work.store.streams(journals.RUNS)):
        records = journals.read(work.store, stream)
        last = records[-1]
        if records[0].type != "run.started":
            continue
        if last.type == "run.ended" and last.data["result"] in ("succeeded", "undone"):
            break  # whatever is older than a run that ended well is history
        return stream.removeprefix(journals.RUNS)
    raise CbctlError(
        "there is no interrupted run to go on with", exit=Exit.USAGE, fix="cbctl runs list"
    )


def notify(work: Workplace, ended: Ended) -> None:
    """Sends the end of a run to everyone in `notify:`; a failure is told, never fatal."""
    if not ended.run or not work.env.notify:
        return
    from cbctl.clients import webhook

    head = journals.head(work.store, journals.RUNS + ended.run)
    end: dict[str, Json] = {"count": head.count, "hash": head.hash}
    text = webhook.message(run.summary(ended), work.env.name, work.world.owner.who, end)
    for receiver in work.env.notify:
        try:
            url, secret = work.world.reveal(receiver.url), work.world.reveal(receiver.secret)
            webhook.notify(url, secret, text)
        except CbctlError as error:
            work.say(f"the notification was not delivered: {work.world.scrub(str(error))}")


def break_lock(work: Workplace, reason: str) -> str:
    """Takes the lock from its holder, records why in a journal of its own; returns its id."""
    world = work.world
    before = work.store.read_lock()
    if before is None or not before.held:
        raise CbctlError("nobody holds the lock", exit=Exit.USAGE, fix="cbctl lock status")
    id = journals.new_run(work.store, world.clock, world.random)
    held = lock.break_lock(work.store, world.clock, world.owner, id, reason)
    try:
        log = journals.Journal(work.store, world.clock, journals.RUNS + id, held.token)
        log.write(
            "lock.broken",
            reason=reason,
            who=world.owner.who,
            host=world.owner.host,
            holder=plain(before),
        )
    finally:
        held.release()
    return id


# -- details --------------------------------------------------------------------------------


def _node(
    work: Workplace,
    book: document.Runbook,
    entry: document.StepEntry,
    chosen: list[str],
    roots: Mapping[str, Any],
) -> Node:
    step = catalogue.step(entry.step)
    named = {p.parts[0] for p in expression.references(entry.inputs) if p.root == "steps"}
    refers = tuple(id for id in chosen if id in named)
    absent = dict.fromkeys(named - set(refers))

    def make_inputs(outcomes: Outcomes) -> Any:
        try:
            steps = {**absent, **{id: outcomes[id] for id in refers}}
            values = expression.resolve(entry.inputs, {**roots, "steps": steps})
            return bind(step.inputs, _addresses(work, values))
        except (BadInput, expression.BadExpression) as error:
            where = f"{book.path.name}:{entry.line} ({entry.id})"
            raise CbctlError(str(error), exit=Exit.USAGE, where=where) from None

    needs = tuple(n for n in entry.needs if n in chosen)
    return Node(entry.id, entry.step, step, needs, refers, make_inputs)


def _addresses(work: Workplace, values: Mapping[str, Any]) -> dict[str, Any]:
    """References deep inside arguments become what they stand for: these are addresses and other
    public values. References that are an input of their own stay, for the step to reveal."""

    def deep(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {k: deep(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [deep(v) for v in value]
        if isinstance(value, Reference):
            if value.kind == "key" and not work.keys.has(value.name):
                raise NotYet(KEYS_STEP)
            return work.values.reveal(value).reveal()
        return value

    for value in values.values():
        if isinstance(value, Reference) and _is_unmade_keypair(work, value):
            raise NotYet(KEYS_STEP)
    return {k: v if isinstance(v, Reference) else deep(v) for k, v in values.items()}


def _is_unmade_keypair(work: Workplace, reference: Reference) -> bool:
    name = reference.name.removeprefix(KEYPAIR)
    return reference.kind == "state" and name != reference.name and not work.keys.has(name)


def _view(work: Workplace) -> dict[str, Any]:
    """What `env` means in a runbook: the settings, and what is derived from them."""
    env = work.env
    view = {name: getattr(env, name) for name in env.__struct_fields__}
    view["state"] = str(work.state.path)
    view["program"] = {
        **_fields(env.program),
        "keypair": _keypair(env.program.keypair),
        "wallet": _keypair(env.program.wallet),
    }
    view["database"] = {
        **_fields(env.database),
        "connection": _connection(env.database.on, env.database.url, "database-url"),
    }
    view["cache"] = {
        **_fields(env.cache),
        "connection": _connection(env.cache.on, env.cache.url, "redis-url"),
    }
    view["chain"] = {**_fields(env.chain), "url": env.chain.rpc[0] if env.chain.rpc else None}
    view["api"] = {
        **_fields(env.api),
        "environment": {k: _process_value(v) for k, v in env.api.environment.items()},
    }
    named = list(_references(env))
    view["keypairs"] = sorted({r.name for r in named if r.kind == "key"})
    view["is_local"] = env.is_local
    return view


def _keypair(reference: Reference | None) -> Reference | None:
    """`${key:NAME}` where a keypair is wanted: the file that the step `local.keys` writes."""
    if reference is None or reference.kind != "key":
        return reference
    return Reference(
        "state", KEYPAIR + reference.name, where=reference.where, setting=reference.setting
    )


def _connection(on: str, url: Any, secret: str) -> Any:
    """What steps connect with; a local part's URL is the one that its step wrote."""
    return Reference("state", secret) if on == "local" else url


def _process_value(value: Any) -> Any:
    """A variable of the local service: secrets stay references into the state, to be read by the
    supervisor when it starts the process; the rest are public values."""
    if isinstance(value, Reference) and value.kind == "state":
        return value.text
    return value


def _references(value: Any) -> Iterator[Reference]:
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _references(inner)
    elif hasattr(value, "__struct_fields__"):
        for name in value.__struct_fields__:
            yield from _references(getattr(value, name))


def _fields(struct: Any) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def _holds(condition: str, roots: Mapping[str, Any], book: document.Runbook, line: int) -> bool:
    try:
        return expression.holds(condition, roots)
    except expression.BadExpression as error:
        raise CbctlError(str(error), exit=Exit.USAGE, where=f"{book.path.name}:{line}") from None


def _left_out(ids: list[str], only: tuple[str, ...], skip: tuple[str, ...]) -> frozenset[str]:
    import difflib

    for id in (*only, *skip):
        if id not in ids:
            near = difflib.get_close_matches(id, ids, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise CbctlError(
                f"there is no step {id!r} here{hint}",
                exit=Exit.USAGE,
                fix="steps: " + ", ".join(ids),
            )
    return frozenset(i for i in ids if (only and i not in only) or i in skip)


def _parts(
    wanted: Mapping[str, Any], roots: Mapping[str, Any], outcomes: Outcomes
) -> dict[str, Json]:
    def value(item: Any) -> Any:
        path = expression.reference(item) if isinstance(item, str) else None
        if path and path.root == "steps" and path.parts[0] not in outcomes:
            return None  # a step that this environment does not have
        return expression.resolve(item, {**roots, "steps": outcomes})

    return {name: plain(value(item)) for name, item in wanted.items()}


def _refuse_while_locked(work: Workplace) -> None:
    """Tells at once, before anything is looked at, that somebody else is at work."""
    now = work.store.read_lock()
    if now and now.held and work.store.owner_state(now.owner) == "alive":
        raise lock.held_by(now)


@contextmanager
def _signals(work: Workplace) -> Iterator[None]:
    """First Ctrl-C or SIGTERM: stop at the next safe point. Second: at once."""

    def stop(number: int, frame: object) -> None:
        if work.world.stop.requested:
            os._exit(Exit.CANCELLED)
        work.world.stop.request(signal.Signals(number).name)
        work.say("stopping at the next safe point; once more stops at once")

    before = {n: signal.signal(n, stop) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
