"""`cbctl db backup` and what belongs to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from cbctl.cli.options import (
    ConfigOption,
    ConfirmOption,
    EnvOption,
    Events,
    EventsOption,
    Output,
    OutputOption,
    PlanOption,
    YesOption,
)
from cbctl.cli.results import print_data, print_table, print_text
from cbctl.cli.step import Asked, run_step
from cbctl.errors import CbctlError, Exit

ToOption = Annotated[
    str | None,
    typer.Option("--to", metavar="PLACE", help="A folder or s3://BUCKET/PREFIX of its own."),
]
PlaceOption = Annotated[
    str | None,
    typer.Option("--in", metavar="PLACE", help="Where they are, if not as cbctl.yaml says."),
]
JobsOption = Annotated[
    int, typer.Option("--jobs", "-j", min=0, max=64, help="Side by side; 0: as the machine has.")
]
BackupArgument = Annotated[str, typer.Argument(metavar="BACKUP", help="Id of a backup, or `last`.")]
IdentityOption = Annotated[
    str | None,
    typer.Option(
        "--identity",
        metavar="FILE|secret:NAME#KEY",
        help="age identity that opens an encrypted one: a file, or, for a database that only its "
        "cluster reaches, a key of a Secret.",
    ),
]


def add_to(app: typer.Typer) -> None:
    for command in (backup, backups, restore, verify_backup, prune):
        app.command(command.__name__.replace("_", "-"))(command)


def place_text(place: str | None) -> str | None:
    """A folder as it is seen from here."""
    if place is None or place.startswith("s3://"):
        return place
    return str(Path(place).expanduser().absolute())


def identity_reference(named: str | None) -> str | None:
    """The text of the reference that a step takes."""
    from cbctl.config.reference import BadReference, parse

    if named is None:
        return None
    kind, _, key = named.partition(":")
    in_cluster = kind == "secret" and "#" in key
    text = f"${{secret:{key}}}" if in_cluster else f"${{file:{Path(named).absolute()}}}"
    try:
        parse(text)
    except BadReference as error:
        raise CbctlError(str(error), exit=Exit.USAGE, where=f"--identity {named}") from None
    return text


def backup(
    to: ToOption = None,
    checksums: Annotated[
        bool,
        typer.Option("--checksums/--no-checksums", help="Of each table, beside its count."),
    ] = True,
    jobs: JobsOption = 0,
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Take a backup: a dump, and the counts and checksums of its tables from the same snapshot.

    It counts only when it is complete; `cbctl db verify-backup` proves that it can be restored.

    Example: cbctl db backup --env local
    """
    asked = Asked(env, None, config, plan, yes, confirm, output, events)
    given = {"place": place_text(to), "checksums": checksums, "jobs": jobs}
    run_step(asked, "db.backup", given)


def backups(
    place: PlaceOption = None,
    env: EnvOption = None,
    output: OutputOption = Output.TEXT,
    config: ConfigOption = None,
) -> None:
    """List the backups, the oldest first: when, how large, whether proved.

    Example: cbctl db backups --env local
    """
    from cbctl.wiring.backups import age_of, listed, opened

    work = opened(config, env)
    now = work.world.clock.wall()
    rows: list[dict[str, Any]] = []
    for one in listed(work, place_text(place)):
        made, proof = one.manifest, one.proof
        rows.append(
            {
                "backup": one.id,
                "made": one.made_at,
                "age": round(age_of(one, now)),
                "bytes": made.size if made else None,
                "rows": made.contents.rows if made else None,
                "server": made.server if made else None,
                "schema": made.schema_version if made else None,
                "encrypted": bool(made.recipient) if made else None,
                "by": made.who if made else None,
                "verified": one.proved,
                "claimed": proof.at if proof else None,
                "problem": one.problem or None,
            }
        )
    if output is not Output.TEXT:
        print_data(rows, output)
        return
    if not rows:
        print_text("no backup yet: cbctl db backup")
        return
    shown = [
        {
            "backup": row["backup"],
            "age": _age(row["age"]),
            "size": _size(row["bytes"]),
            "server": row["server"] or "",
            "schema": "" if row["schema"] is None else f"{row['schema']:04d}",
            "state": row["problem"] or _state(row),
        }
        for row in rows
    ]
    print_table(shown)


def restore(
    backup: BackupArgument = "last",
    replace: Annotated[
        str,
        typer.Option(
            "--replace",
            metavar="DATABASE",
            help="The live database, by its name: it is put aside and the backup takes its place.",
        ),
    ] = "",
    into: Annotated[
        str,
        typer.Option("--into", metavar="DATABASE", help="A new database; the live one stays."),
    ] = "",
    undo: Annotated[
        bool,
        typer.Option(
            "--undo",
            help="Put back what the last restore replaced, or the DATABASE that was put aside and "
            "stands in place of BACKUP.",
        ),
    ] = False,
    identity: IdentityOption = None,
    jobs: JobsOption = 0,
    place: PlaceOption = None,
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Restore a backup beside the live database, compare it, and exchange the two by their names.

    Sessions on the live one are ended then. It is kept, and --undo brings it back, until
    `cbctl db prune` removes it.

    Example: cbctl db restore last --env staging --replace shop
    """
    asked = Asked(env, None, config, plan, yes, confirm, output, events)
    if undo:
        if into:
            raise CbctlError(
                "--undo restores nothing: --into has no use",
                exit=Exit.USAGE,
                fix="leave out one of them",
            )
        former = "" if backup == "last" else backup
        run_step(asked, "db.restore_undo", {"replace": replace, "former": former})
    given = {
        "backup": backup,
        "replace": replace,
        "into": into,
        "identity": identity_reference(identity),
        "jobs": jobs,
        "place": place_text(place),
    }
    run_step(asked, "db.restore", given)


def prune(
    older_than: Annotated[
        int | None,
        typer.Option("--older-than", metavar="DAYS", min=0, help="Without it, as cbctl.yaml says."),
    ] = None,
    place: PlaceOption = None,
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Remove old backups, and databases that restores put aside.

    Never the newest backup that is not damaged, nor the newest that was proved, nor anything
    younger than the floor of cbctl.yaml; and none while none was proved.

    Example: cbctl db prune --env local --plan
    """
    asked = Asked(env, None, config, plan, yes, confirm, output, events)
    given = {"keep_days": older_than, "place": place_text(place)}
    run_step(asked, "db.prune", given)


def verify_backup(
    backup: BackupArgument = "last",
    identity: Annotated[
        Path | None,
        typer.Option(
            "--identity", metavar="FILE", help="age identity that opens an encrypted one."
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            "--on",
            metavar="env:NAME",
            help="URL of a server to restore it on, in a variable; without it, one on this machine "
            "is started and thrown away.",
        ),
    ] = None,
    jobs: JobsOption = 0,
    place: PlaceOption = None,
    env: EnvOption = None,
    output: OutputOption = Output.TEXT,
    config: ConfigOption = None,
) -> None:
    """Restore a backup into a scratch database and compare all of it (exit 10 when it differs).

    Files, table of contents, schema, counts and checksums; what comes of it is recorded, and a
    success is what the policy's `backup_hours` asks for.

    Example: cbctl db verify-backup last --env local
    """
    from cbctl.wiring.backups import opened, reference_of, verify

    work = opened(config, env)
    found = verify(
        work,
        backup,
        to=place_text(place),
        identity=identity,
        on=None if on is None else reference_of(on),
        jobs=jobs,
        progress=_teller(),
    )
    made = found.manifest
    if output is not Output.TEXT:
        data = {"backup": made.id, "verified": not found.problems, "server": found.server}
        print_data({**data, "problems": list(found.problems)}, output)
    elif found.problems:
        for problem in found.problems:
            print_text(f"! {problem}")
        print_text(f"{made.id} is not proved: correct what is named, or take another backup")
    else:
        rows = f"{made.contents.rows} rows in {len(made.tables)} tables"
        sums = "" if made.has_checksums else ", without checksums"
        print_text(f"{made.id}: restored into Postgres {found.server} and compared, {rows}{sums}")
    if found.problems:
        raise typer.Exit(Exit.DIFFERS)


def _teller() -> Callable[..., None]:
    """Says what goes on, each part of it once, beside the result."""
    told = set()

    def tell(text: str, *_: object) -> None:
        if text not in told:
            told.add(text)
            typer.echo(text, err=True)

    return tell


def _state(row: dict[str, Any]) -> str:
    if row["verified"]:
        return "verified"
    return "verified, says only the file beside it" if row["claimed"] else "not verified"


def _age(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _size(size: int | None) -> str:
    if size is None:
        return ""
    for unit, length in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= length:
            return f"{size / length:.1f} {unit}"
    return f"{size} B"
