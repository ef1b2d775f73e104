"""From a runbook to a job: the steps that an environment wants, bound to its settings."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from cbctl import __version__
from cbctl.config.load import load_document
from cbctl.config.show import canonical
from cbctl.config.types import Reference
from cbctl.config.validate import require
from cbctl.engine import release
from cbctl.engine.canonical import plain, sha256
from cbctl.engine.plan import Node, NotYet, Outcomes
from cbctl.engine.policy import require_digests
from cbctl.engine.run import Job
from cbctl.engine.step import Json
from cbctl.errors import CbctlError, Exit
from cbctl.report.rollback import Choice
from cbctl.runbook import document, expression
from cbctl.runbook.inputs import BadInput, bind
from cbctl.secrets.keys import KEYPAIR
from cbctl.wiring.in_cluster import step_for
from cbctl.wiring.proofs import of_history
from cbctl.wiring.view import program_address, references, view_of
from cbctl.wiring.workplace import Workplace

KEYS_STEP = "keys"
"""Id of the step that makes the keypairs which `${key:NAME}` names."""


def job(
    work: Workplace,
    kind: str,
    *,
    only: tuple[str, ...] = (),
    skip: tuple[str, ...] = (),
    target: release.Release | None = None,
    replaces: str | None = None,
    inputs: Mapping[str, Any] | None = None,
    by_digest: bool = False,
) -> Job:
    """The steps of a runbook that this environment wants, bound to its settings.

    target     the release that the runbook's `${release.…}` means (a rollback's)
    replaces   the one that it goes away from: `${release.replaces.…}`
    inputs     instead of the runbook's own values of its inputs
    by_digest  a step that names an image by its tag is refused
    """
    book = document.read(document.find(kind, work.settings.runbooks))
    view = view_of(work)
    # on this machine it comes from a keypair that may still have to be made
    address = None if work.env.chain.on == "local" else program_address(work)
    view["program"] = {**view["program"], "address": address}
    roots: dict[str, Any] = {
        "env": view,
        "inputs": {**book.inputs, **(inputs or {})},
        "release": _parts_of(work, target, replaces) if target else {},
    }
    for gate in book.requires:
        if not _holds(gate.that, roots, book, gate.line):
            raise CbctlError(
                gate.otherwise, exit=Exit.REFUSED, where=f"{work.env.name} ({gate.that})"
            )
    chosen = [e for e in book.steps if not e.when or _holds(e.when, roots, book, e.line)]
    ids = [e.id for e in chosen]
    left_out = _left_out(ids, only, skip)
    nodes = tuple(_node(work, book, entry, ids, roots, by_digest) for entry in chosen)
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
        "inputs": dict(inputs or {}),
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
        sources={} if target else sources(work),
        rules=rules(work),
    )


def _parts_of(work: Workplace, target: release.Release, replaces: str | None) -> dict[str, Any]:
    """A release as a runbook knows it. Without one that it replaces, it is what runs."""
    before = target
    if replaces is not None:
        before = release.find(release.history(work.store), replaces)
    return {**target.parts, "replaces": before.parts}


def sources(work: Workplace) -> dict[str, str]:
    """sha256 of everything that a deploy takes from this machine, also of what its steps look at
    only later: who approved a plan has approved these bytes. "" for what is not there."""
    from cbctl.local.artifacts import file_sha256, tree_sha256

    env = work.env
    paths = {
        "program.elf": env.program.elf,
        "program.idl": env.program.idl,
        "migrations.folder": env.migrations.folder,
        "migrations.schema": env.migrations.schema,
    }
    if env.api.on == "local":  # elsewhere an image is what runs, and its digest says which
        paths["api.source"] = env.api.source
    found = {}
    for name, path in paths.items():
        try:
            found[name] = tree_sha256(path) if path.is_dir() else file_sha256(path)
        except FileNotFoundError:
            found[name] = ""
    return found


def rules(work: Workplace) -> dict[str, Json]:
    """The policy that a run is judged by, as its first record keeps it."""
    found = plain(work.env.policy)
    assert isinstance(found, dict)
    return found


def rollback_job(work: Workplace, choice: Choice, *, at_once: bool = False) -> Job:
    leaves = choice.leaves.id if choice.leaves.id != choice.release.id else None
    return job(
        work, "rollback", target=choice.release, replaces=leaves, inputs={"at_once": at_once}
    )


def require_valid(work: Workplace) -> None:
    """Raises CbctlError (64) for files, arguments and variables that the environment names wrongly:
    a step that needs one would find out only after others have changed something."""
    require(load_document(work.settings.path), work.env)
    for reference in references(work.env):
        if reference.kind in ("env", "file"):
            work.values.find(reference)


def require_ports(work: Workplace, job: Job) -> None:
    """Raises CbctlError (7) when a stranger has the port of the service that a job starts last."""
    from cbctl.local.ports import Ports

    if any(n.name == "local.api" and n.id not in job.left_out for n in job.nodes):
        Ports(work.state).check("api", work.env.api.port)


def _node(
    work: Workplace,
    book: document.Runbook,
    entry: document.StepEntry,
    chosen: list[str],
    roots: Mapping[str, Any],
    by_digest: bool,
) -> Node:
    step = step_for(work, entry.step)
    named = {p.parts[0] for p in expression.references(entry.inputs) if p.root == "steps"}
    refers = tuple(id for id in chosen if id in named)
    absent = dict.fromkeys(named - set(refers))

    def make_inputs(outcomes: Outcomes) -> Any:
        try:
            steps = {**absent, **{id: outcomes[id] for id in refers}}
            values = expression.resolve(entry.inputs, {**roots, "steps": steps})
            values = {**addresses(work, values), **of_history(work, step.inputs)}
            bound = bind(step.inputs, values)
        except (BadInput, expression.BadExpression) as error:
            where = f"{book.path.name}:{entry.line} ({entry.id})"
            raise CbctlError(str(error), exit=Exit.USAGE, where=where) from None
        if by_digest:
            require_digests(bound, entry.id)
        return bound

    needs = tuple(n for n in entry.needs if n in chosen)
    return Node(entry.id, entry.step, step, needs, refers, make_inputs, entry.proves)


def addresses(work: Workplace, value: Any) -> Any:
    """`${key:NAME}` becomes its address, however deep it stands. Every other reference stays for
    the step to reveal: its value must not be among the inputs, which are planned and recorded."""
    if isinstance(value, Mapping):
        return {k: addresses(work, v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [addresses(work, v) for v in value]
    if not isinstance(value, Reference):
        return value
    if value.kind == "key":
        if not work.keys.has(value.name):
            raise NotYet(KEYS_STEP)
        return work.keys.address(value.name)
    if _is_unmade_keypair(work, value):
        raise NotYet(KEYS_STEP)
    return value


def _is_unmade_keypair(work: Workplace, reference: Reference) -> bool:
    name = reference.name.removeprefix(KEYPAIR)
    return reference.kind == "state" and name != reference.name and not work.keys.has(name)


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
    left_out = frozenset(i for i in ids if (only and i not in only) or i in skip)
    if len(left_out) == len(ids):
        raise CbctlError(
            "--only and --skip leave no step to run",
            exit=Exit.USAGE,
            fix="steps: " + ", ".join(ids),
        )
    return left_out


def _parts(
    wanted: Mapping[str, Any], roots: Mapping[str, Any], outcomes: Outcomes
) -> dict[str, Json]:
    def value(item: Any) -> Any:
        path = expression.reference(item) if isinstance(item, str) else None
        if path and path.root == "steps" and path.parts[0] not in outcomes:
            return None  # a step that this environment does not have
        return expression.resolve(item, {**roots, "steps": outcomes})

    return {name: plain(value(item)) for name, item in wanted.items()}
