"""One step as a command: `cbctl program extend` is a run of `program.extend` alone.

What a step needs and the command line does not give comes from the environment's settings, by the
name of the input. The run keeps what was given, so that a resume makes the same job again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from cbctl import __version__
from cbctl.config.reference import parse
from cbctl.config.show import canonical
from cbctl.config.types import Reference
from cbctl.config.wallets import SOLANA_CLI, wallet_reference
from cbctl.engine.canonical import recordable, sha256
from cbctl.engine.event import Event
from cbctl.engine.job import Ended, Job
from cbctl.engine.plan import Node, Outcomes, Plan
from cbctl.engine.step import After, Json
from cbctl.engine.world import World
from cbctl.errors import CbctlError, Exit
from cbctl.runbook import expression
from cbctl.runbook.inputs import BadInput, bind
from cbctl.wiring.in_cluster import step_for
from cbctl.wiring.jobs import addresses, rules
from cbctl.wiring.proofs import of_history
from cbctl.wiring.view import program_address, superuser_of, view_of
from cbctl.wiring.workplace import Workplace

_IMAGE = {
    "repository": "${env.image.repository}",
    "containerfile": "${env.image.containerfile}",
    "context": "${env.image.context}",
    "sources": "${env.image.sources}",
    "arguments": "${env.image.arguments}",
    "registry": "${env.image.registry}",
    "tool": "${env.image.tool}",
}
"""Of the one among `images` that the input `name` says."""

SETTINGS: dict[str, dict[str, Any]] = {
    "api": {
        "context": "${env.clusters.main.context}",
        "namespace": "${env.clusters.main.namespace}",
        "namespace_uid": "${env.identity.namespace_uid}",
        "owner": "${env.owner}",
        "deployment": "${env.api.kubernetes.deployment}",
        "container": "${env.api.kubernetes.container}",
        "seconds": "${env.api.kubernetes.seconds}",
        "strategy": "${env.api.kubernetes.strategy}",
        "port": "${env.api.port}",
        "health": "${env.api.health}",
        "ready": "${env.api.ready}",
        "pool": "${env.api.kubernetes.connections.pool}",
        "connections": "${env.api.kubernetes.connections.database}",
    },
    "api.build": _IMAGE,
    "api.push": _IMAGE,
    "api.rollout": {
        "manifests": "${env.api.kubernetes.manifests}",
        "repository": "${env.api_image.repository}",
        "registry": "${env.api_image.registry}",
        "signed_by": "${env.policy.signed.key}",
        "provenance": "${env.policy.signed.provenance}",
    },
    "api.undo": {
        "repository": "${env.api_image.repository}",
        "registry": "${env.api_image.registry}",
    },
    "db": {
        "url": "${env.database.connection}",
        "folder": "${env.migrations.folder}",
        "schema": "${env.migrations.schema}",
        "platform": "${env.platform}",
        "environment": "${env.name}",
        "create_marker": "${env.is_local}",
        "database_step": "",  # no other step of this run starts the database
        "admin": "${env.database.admin}",
        "superuser": "${env.database.superuser}",
        "app": "${env.database.roles.app}",
        "app_may": "${env.database.roles.app_may}",
        "readonly": "${env.database.roles.readonly}",
        "place": "${env.database.backups.place}",
        "recipient": "${env.database.backups.recipient}",
        "encryption": "${env.database.backups.encryption}",
        "kms_key": "${env.database.backups.kms_key}",
        "keep_days": "${env.database.backups.keep_days}",
        "floor_days": "${env.database.backups.floor_days}",
        "state": "${env.state}",
        "protected": "${env.is_protected}",
        "who": "${env.who}",
        "host": "${env.host}",
    },
    "env": {
        "platform": "${env.platform}",
        "environment": "${env.name}",
        "context": "${env.clusters.main.context}",
        "namespace": "${env.clusters.main.namespace}",
        "rpc": "${env.chain.rpc}",
        "genesis_hash": "${env.chain.genesis_hash}",
        "database": "${env.database.connection}",
        "database_access": "${env.database.access}",
        "cache": "${env.cache.connection}",
        "cache_access": "${env.cache.access}",
    },
    "secrets": {
        "context": "${env.clusters.main.context}",
        "namespace": "${env.clusters.main.namespace}",
        "namespace_uid": "${env.identity.namespace_uid}",
        "values": "${env.secrets}",
    },
    "program": {
        "rpc": "${env.chain.rpc}",
        "genesis_hash": "${env.chain.genesis_hash}",
        "cluster": "${env.chain.cluster}",
        "keep": "${env.state}",
        "program_id": "${env.program.address}",
        "program_keypair": "${env.program.keypair}",
        "wallet": "${env.program.wallet}",
        "elf": "${env.program.elf}",
        "idl": "${env.program.idl}",
        "authority": "${env.program.authority}",
        "multisig": "${env.program.multisig}",
        "toolchain": "${env.program.toolchain}",
        "backup_days": "${env.program.backup.days}",
        # no other step of this run starts the cluster or deploys the program
        "chain_step": "",
        "program_step": "",
    },
    "program.init": {
        "instruction": "${env.program.initialize.instruction}",
        "account": "${env.program.initialize.account}",
        "arguments": "${env.program.initialize.arguments}",
        "at": "${env.program.initialize.at}",
        "accounts": "${env.program.initialize.accounts}",
        "allowed": "${env.program.initialize.allowed}",
        "changed_by": "${env.program.initialize.changed_by}",
    },
    "program.pause": {"call": "${env.program.pause}"},
    "program.unpause": {"call": "${env.program.unpause}"},
}
"""Where the inputs of steps come from, by subject and by step: plain values and references to the
environment, as in the `with:` of a runbook."""


_OF_IMAGES = ("api.build", "api.push")
TAKEN_BACK = frozenset({"api.rollout", "api.scale"})
"""Steps that are undone when they fail alone, as they are in a runbook."""
_TELLS = {"step.done": "outcome", "step.waiting": "evidence"}


def single_job(work: Workplace, step: str, given: Mapping[str, Json]) -> Job:
    """The job that carries out one step.

    given  inputs from the command line, plain data; references as their text
    """
    loaded = step_for(work, step)
    if not work.env.chain.rpc and "rpc" in {f.name for f in dataclasses.fields(loaded.inputs)}:
        raise CbctlError(
            "the URL of this cluster is not kept: it may hold a key",
            exit=Exit.USAGE,
            where=work.env.name,
            fix="give the same command again with its --cluster URL: it goes on from there",
        )
    words = step.replace(".", " ").replace("_", " ")

    def make_inputs(_: Outcomes) -> Any:
        try:
            values = values_of(work, step, loaded.inputs, given)
            _require_named(loaded.inputs, values, words)
            return bind(loaded.inputs, values)
        except (BadInput, expression.BadExpression) as error:
            raise CbctlError(str(error), exit=Exit.USAGE, where=f"cbctl {words}") from None

    identity: dict[str, Json] = {
        "cbctl": __version__,
        "runbook": sha256({"step": step, "given": dict(given)}),
        "configuration": sha256(canonical(work.env)),
        "release": None,
    }
    id = step.partition(".")[2].replace("_", "-")
    return Job(
        kind=words,
        environment=work.env.name,
        reason=f"{words} {work.env.name}",
        nodes=(Node(id, step, loaded, (), (), make_inputs),),
        identity=identity,
        selection={"only": [], "skip": [], "release": None, "step": step, "given": dict(given)},
        left_out=frozenset(),
        parts=None,
        undo=step in TAKEN_BACK and work.env.policy.undo_on_failure,
        rules=rules(work),
    )


def carry_out_step(
    work: Workplace, step: str, given: Mapping[str, Json], agree: Callable[[Plan], None]
) -> tuple[Ended, dict[str, Json]]:
    """Plans, asks and runs; also what the step's outcome was, or what it waits for."""
    from cbctl.wiring.runs import carry_out

    outcome: dict[str, Json] = {}

    def listening(event: Event) -> None:
        told = event.data.get(_TELLS.get(event.type, ""))
        if isinstance(told, dict):
            outcome.update(told)
        work.world.sink(event)

    def looked(plan: Plan) -> None:
        _require_alone(plan)
        if plan.empty:  # no run tells it then
            known = work.world.legible(recordable(plan.steps[0].outcome))
            outcome.update(known if isinstance(known, dict) else {})

    world: World = dataclasses.replace(work.world, sink=listening)
    heard = dataclasses.replace(work, world=world)
    ended = carry_out(heard, single_job(work, step, given), agree, require=looked)
    return ended, outcome


_OPTIONS = {"elf": "--elf FILE", "idl": "--idl FILE", "program_id": "--program-id ADDRESS"}
"""Inputs that the command line names where cbctl.yaml does not."""


def _require_named(inputs: type[Any], values: Mapping[str, Any], words: str) -> None:
    for field in dataclasses.fields(inputs):
        needed = field.name in _OPTIONS and field.default is dataclasses.MISSING
        if needed and values.get(field.name) is None:
            raise CbctlError(
                f"which {field.name.replace('_', ' ')}?",
                exit=Exit.USAGE,
                where=f"cbctl {words}",
                fix=f"{_OPTIONS[field.name]} where the command has it, or `program:` in cbctl.yaml",
            )


def _require_alone(plan: Plan) -> None:
    """A step that would wait for another one waits in vain here."""
    (planned,) = plan.steps
    if isinstance(planned.verdict, After):
        raise CbctlError(
            "the chain does not answer, or something that must be there first is not",
            exit=Exit.REFUSED,
            where=planned.id,
            fix="cbctl deploy ENV brings up what is on this machine",
        )


def values_of(
    work: Workplace, step: str, inputs: type[Any], given: Mapping[str, Json]
) -> dict[str, Any]:
    """What the inputs of a step are bound from: what is given first; then the settings, where the
    step has an input of that name."""
    names = {field.name for field in dataclasses.fields(inputs)}
    subject = step.partition(".")[0]
    settings = {**SETTINGS.get(subject, {}), **SETTINGS.get(step, {})}
    view = view_of(work)
    if "program_id" in names:  # reads a keypair where there is no id, so only for who asks
        view["program"] = {**view["program"], "address": program_address(work)}
    if "superuser" in names:  # reads the variables, so likewise
        view["database"] = {**view["database"], "superuser": superuser_of(work)}
    if step in _OF_IMAGES:
        view["image"] = _image(work, view["images"], str(given["name"]))
    roots = {"env": view}
    found = {
        name: expression.resolve(value, roots)
        for name, value in settings.items()
        if name in names and name not in given and _is_set(value, roots)
    }
    for name, value in given.items():
        found[name] = revived(value)
    if "wallet" in names and found.get("wallet") is None:
        found["wallet"] = parse(wallet_reference(SOLANA_CLI))
    resolved: dict[str, Any] = addresses(work, found)
    return {**resolved, **of_history(work, inputs)}


def _image(work: Workplace, images: Mapping[str, Any], name: str) -> Any:
    if name not in images:
        raise CbctlError(
            f"cbctl.yaml has no image `{name}`",
            exit=Exit.USAGE,
            where="images",
            fix=f"it has: {', '.join(images)}" if images else "cbctl config schema describes them",
        )
    for argument, value in images[name]["arguments"].items():
        if value is None:
            setting = work.env.images[name].arguments[argument]
            raise CbctlError(
                f"images.{name}.arguments.{argument} has no value: {setting}",
                exit=Exit.USAGE,
                where=work.env.name,
                fix=f"set it in {work.values.env_file.name}",
            )
    return images[name]


def _is_set(value: Any, roots: Mapping[str, Any]) -> bool:
    """Whether the settings have it: a section that is left out has nothing below it."""
    path = expression.reference(value) if isinstance(value, str) else None
    if path is None:
        return True
    for length in range(1, len(path.parts) + 1):
        part = expression.Path(path.root, path.parts[:length])
        if expression.follow(part, roots) is None:
            return False
    return True


def revived(value: Any) -> Any:
    """A reference that was written down as its text."""
    if isinstance(value, str):
        found: Reference | None = parse(value, setting="command line")
        return value if found is None else found
    return value
