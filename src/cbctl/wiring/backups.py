"""The backups of an environment's database, for commands that look, and for the one that proves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cbctl.clients.backups.manifest import Manifest
from cbctl.clients.backups.place import Kept, Place, find, kept, open_place
from cbctl.clients.postgres import anonymize
from cbctl.clients.postgres.address import parse
from cbctl.clients.postgres.tools import Work, jobs_here
from cbctl.config.reference import parse as parse_reference
from cbctl.config.types import Reference
from cbctl.engine import policy
from cbctl.engine.clock import stamp
from cbctl.engine.journal import Journal
from cbctl.errors import CbctlError, Exit
from cbctl.local.scratch import scratch
from cbctl.secrets.env_file import read_private
from cbctl.steps.db._proof import Verdict, on_own_server, on_server, write_proof
from cbctl.wiring.lock import locked
from cbctl.wiring.proofs import digests
from cbctl.wiring.view import backups_of
from cbctl.wiring.workplace import Workplace, environment_named, open_workplace

Progress = Callable[..., None]


def opened(config: str | None, env: str | None) -> Workplace:
    return open_workplace(config, env, create=True, chain=True)


def place_of(work: Workplace, to: str | None = None) -> Place:
    settings = work.env.database.backups
    return open_place(
        to or backups_of(work), encryption=settings.encryption, kms_key=settings.kms_key
    )


def listed(work: Workplace, to: str | None = None) -> list[Kept]:
    """Where the history cannot be read, none counts as proved: a place may be all that is left."""
    try:
        proved = digests(work)
    except CbctlError as error:
        work.say(f"which ones were proved is not known, the history cannot be read: {error.what}")
        proved = {}
    return kept(place_of(work, to), proved)


def verify(
    work: Workplace,
    name: str,
    *,
    to: str | None = None,
    identity: Path | None = None,
    on: Reference | None = None,
    jobs: int = 0,
    progress: Progress = lambda *_: None,
) -> Verdict:
    """Restores a backup into a scratch database, compares, and records what came of it.

    on  a server to do it on, whose role may create databases; None: one of its own, thrown away
    Raises CbctlError: 10 or 7 when the manifest itself is no good; 3 for a missing identity.
    """
    place = place_of(work, to)
    manifest = find(place, name, work.env.name)
    require_own(work, manifest)
    secret = identity_text(identity)
    with scratch(work.state, "verify") as made:
        doing = Work(
            folder=made.path,
            jobs=jobs_here(jobs),
            progress=progress,
            variables=made.variables,
        )
        if on is None:
            verdict = on_own_server(place, manifest, made, doing, secret)
        else:
            url = work.world.reveal(on).reveal()
            verdict = on_server(place, manifest, parse(url, where="--on"), doing, secret)
    _record(work, place, verdict)
    return verdict


def require_own(work: Workplace, manifest: Manifest) -> None:
    """Raises CbctlError (7) for the backup of another environment."""
    made = (manifest.platform, manifest.environment)
    if made != (work.env.platform, work.env.name):
        raise CbctlError(
            f"the backup {manifest.id} is of {'/'.join(made)}",
            exit=Exit.REFUSED,
            where=f"{work.env.platform}/{work.env.name}",
            fix="name a backup of this environment: cbctl db backups",
        )


def identity_text(file: Path | None) -> str:
    if file is None:
        return ""
    found = read_private(file)
    if found is None:
        raise CbctlError("there is no such file", exit=Exit.USAGE, where=str(file))
    return found


def _record(work: Workplace, place: Place, verdict: Verdict) -> None:
    """Beside the backup, for whoever reaches the place; and in the history, which is audited."""
    owner, manifest = work.world.owner, verdict.manifest
    with locked(work, f"proof of the backup {manifest.id}") as held:
        log = Journal(work.store, work.world.clock, policy.BACKUPS, held.token)
        if verdict.problems:
            policy.backup_failed(log, owner.who, owner.host, manifest.id, verdict.problems[0])
        else:
            policy.backup_verified(
                log, owner.who, owner.host, manifest.id, manifest.made_at, manifest.digest
            )
        write_proof(place, verdict, stamp(work.world.clock.wall()), owner.who, owner.host)


def age_of(backup: Kept, now: float) -> float:
    """Seconds."""
    made = datetime.fromisoformat(backup.made_at).replace(tzinfo=UTC)
    return max(0.0, now - made.timestamp())


def source_of(config: str | None, env: str | None) -> tuple[str, str]:
    """platform/environment, and where its backups are."""
    work = opened(config, env)
    return f"{work.env.platform}/{work.env.name}", backups_of(work)


def classification(config: str | None, env: str | None) -> Path:
    """The file beside the migrations that says what becomes of each column."""
    return environment_named(config, env).migrations.folder / anonymize.FILE


def reference_of(on: str) -> Reference:
    """`env:NAME`: a URL with a password does not stand on a command line."""
    kind, _, name = on.partition(":")
    found = parse_reference(f"${{env:{name}}}") if kind == "env" and name else None
    if found is None:
        raise CbctlError(
            "the server is named by the variable that holds its URL",
            exit=Exit.USAGE,
            where="--on",
            fix="--on env:NAME, with NAME=postgresql://… in .env.<environment>",
        )
    return found
