"""The way back to a release without cbctl: a script for a shell, with all that it needs in it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from cbctl.clients.kubernetes.api import Object
from cbctl.clients.kubernetes.packed import packed, unpacked
from cbctl.clients.kubernetes.sides import BLUE, on
from cbctl.engine.release import Release

_WIDTH = 76


def commands(
    release: Release,
    *,
    context: str,
    namespace: str,
    deployment: str,
    sides: bool,
    port: int,
    health: str,
    url: str,
    seconds: int,
) -> Iterator[str]:
    """Lines of a script for sh.

    deployment    name of the service's, where the manifests have several
    sides         it has a blue and a green one: afterwards the blue one serves
    port, health  at which each pod of the service says whether it is well
    url           of the service for everybody, "" when it is not known"""
    there = f"kubectl --context {shlex.quote(context)} -n {shlex.quote(namespace)}"
    yield _remark(f"back to release {release.id} of {release.at[:19]} by {release.who}")
    kept = release.parts.get("manifests")
    if not isinstance(kept, str) or not kept:
        yield "# this release has kept no manifests: nothing of it runs in Kubernetes"
        return
    objects = unpacked(kept)
    deployments = [one for one in objects if one["kind"] == "Deployment"]
    served = deployment or deployments[0]["metadata"]["name"]
    if sides:
        objects = on(objects, served, BLUE)
    manifests = packed(objects)
    yield _remark(f"the service: {release.parts.get('image')}")
    yield '{ printf \'{"apiVersion":"v1","kind":"List","items":\''
    yield "  base64 -d <<'MANIFESTS' | gunzip"
    yield from (manifests[at : at + _WIDTH] for at in range(0, len(manifests), _WIDTH))
    yield "MANIFESTS"
    yield "  printf '}'"
    yield f"}} | {there} apply --server-side --field-manager=cbctl -f -"
    for one in deployments:
        name = shlex.quote(f"deployment/{one['metadata']['name']}")
        yield f"{there} rollout status {name} --timeout={seconds}s"
        if one["metadata"]["name"] == served:
            yield from _asked(there, namespace, one, f":{port}/proxy{health}")
    if url:
        yield f"curl -fsS {shlex.quote(url.rstrip('/') + health)}"
    low, high = release.parts.get("schema_min"), release.parts.get("schema_max")
    yield _remark(f"it works with schemas {low} to {high}; the live one (OWNER_URL: yours):")
    yield """[ -z "${OWNER_URL-}" ] || psql "$OWNER_URL" -Atc \\"""
    yield "  'select max(version) from schema_migrations'"
    if program := release.parts.get("program_hash"):
        yield _remark(f"the program on the chain was {program}; cbctl program verify asks it")


def _asked(there: str, namespace: str, deployment: Object, tail: str) -> Iterator[str]:
    """One of the pods says itself whether it is well."""
    labels = deployment["spec"]["selector"]["matchLabels"]
    chosen = shlex.quote(",".join(f"{name}={value}" for name, value in labels.items()))
    newest = "--sort-by=.metadata.creationTimestamp -o name | tail -1 | cut -d/ -f2"
    yield f"pod=$({there} get pods -l {chosen} {newest})"
    place = shlex.quote(f"/api/v1/namespaces/{namespace}/pods/")
    yield f'{there} get --raw {place}"$pod"{shlex.quote(tail)}'


def _remark(text: str) -> str:
    """On one line, whatever stands in a history: what follows a remark is carried out."""
    return "# " + " ".join(text.split())
