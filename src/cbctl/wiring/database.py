"""The database of an environment, opened for commands that only look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cbctl.config.load import environment
from cbctl.config.types import Reference, Secret
from cbctl.errors import CbctlError, Exit
from cbctl.report.database import Schema, look
from cbctl.wiring.inside import OnlyInside
from cbctl.wiring.stores import is_inside
from cbctl.wiring.view import view_of
from cbctl.wiring.workplace import Workplace, existing_workplace, local_name, settings

if TYPE_CHECKING:
    from cbctl.clients.postgres.compare import Choice
    from cbctl.clients.postgres.lint import Finding
    from cbctl.report.sessions import Session


def require_reachable(work: Workplace) -> None:
    """Raises OnlyInside for a database that only what runs beside it reaches."""
    if work.env.database.access == "in-cluster" and not is_inside():
        raise OnlyInside(work)


def schema(
    config: str | None, env: str | None, phase: Choice = "auto", *, out_of_order: bool = False
) -> Schema:
    """Errors: CbctlError: 7 where nothing was set up on this machine yet, or in-cluster; as those
    of connecting."""
    work, url = _opened(config, env)
    return look(work.env, url, phase, out_of_order=out_of_order)


def sessions(config: str | None, env: str | None, *, everyone: bool) -> list[Session]:
    """Errors as those of `schema`."""
    from cbctl.report.sessions import sessions as look_at

    work, url = _opened(config, env)
    return look_at(url, f"{work.env.name}: database.url", everyone=everyone)


def shell(
    config: str | None,
    env: str | None,
    words: Sequence[str],
    *,
    write: bool,
    agree: Callable[[str], None],
    say: Callable[[str], None],
) -> int:
    """psql's exit code.

    write  as the owner, who may change something; `agree` asks for a protected environment's name
    Errors as those of `schema`; 7 where only the cluster reaches it."""
    from cbctl.clients.postgres.address import parse
    from cbctl.clients.postgres.connect import ping
    from cbctl.clients.postgres.psql import program, require_no_place, run
    from cbctl.clients.postgres.tools import Work
    from cbctl.local.binaries import postgres_tools
    from cbctl.local.scratch import scratch

    require_no_place(words)
    try:
        work, url = _opened(config, env)
    except OnlyInside as inside:
        raise CbctlError(
            "this database is reached only from inside its cluster (access: in-cluster)",
            exit=Exit.REFUSED,
            where=inside.work.env.name,
            fix="kubectl port-forward to a host that reaches it, and an environment whose "
            "database.url leads there",
        ) from None
    read_only = work.env.protected and not write
    if work.env.protected and write:
        agree(work.env.name)
    readonly = work.env.database.roles.readonly
    if readonly is not None and not write:
        url, read_only = work.world.reveal(readonly), True
    address = parse(url, where="database.url")
    psql = program([one.path for one in postgres_tools()])
    ping(address)  # says what is wrong in our words, and shows a stranger no password
    say(f"{address}: {'read-only; --write changes that' if read_only else 'what you do is done'}")
    with scratch(work.state, "shell") as made:
        doing = Work(folder=made.path, jobs=1, variables=made.variables)
        return run(psql, words, address, doing, work.world.owner.who, read_only=read_only)


def _opened(config: str | None, env: str | None) -> tuple[Workplace, Secret]:
    """The environment, and the URL of its database."""
    work = existing_workplace(config, env, chain=True)
    if work is None:
        raise CbctlError(
            "nothing was deployed to this machine yet",
            exit=Exit.REFUSED,
            where=env or "",
            fix=f"cbctl deploy {env or 'local'}",
        )
    require_reachable(work)
    url = view_of(work)["database"]["connection"]
    return work, work.world.reveal(url) if isinstance(url, Reference) else Secret(url)


def new_migration(
    config: str | None, env: str | None, name: str, *, phase: str, transaction: bool
) -> tuple[Path, Path]:
    """The up and the down file of the next number, for somebody to write into."""
    from cbctl.clients.postgres.new import create

    folder = environment(settings(config), local_name(config, env)).migrations.folder
    return create(folder, name, phase=phase, transaction=transaction)


def lint_migrations(
    config: str | None, env: str | None, after: int
) -> tuple[list[Finding], CbctlError | None]:
    """Findings in the migrations above `after`; and why not all rules were checked, if so."""
    from cbctl.clients.postgres.lint import lint, program
    from cbctl.clients.postgres.migrations import read_folder

    folder = environment(settings(config), local_name(config, env)).migrations.folder
    chosen = [one for one in read_folder(folder) if one.entry.version > after]
    squawk = program()
    without = CbctlError(
        "squawk is not installed, so only cbctl's own rules were checked",
        fix="pip install 'cbctl[lint]', or put squawk 2.70 on PATH",
    )
    return lint(chosen, squawk), None if squawk else without
