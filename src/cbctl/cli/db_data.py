"""`cbctl db seed` and `cbctl db clone`: data for environments that are not production."""

from __future__ import annotations

from typing import Annotated

import typer

from cbctl.cli.db_backups import (
    IdentityOption,
    JobsOption,
    PlaceOption,
    identity_reference,
    place_text,
)
from cbctl.cli.options import (
    ConfigOption,
    ConfirmOption,
    EnvArgument,
    EnvOption,
    Events,
    EventsOption,
    Output,
    OutputOption,
    PlanOption,
    YesOption,
)
from cbctl.cli.step import Asked, run_step


def add_to(app: typer.Typer) -> None:
    for command in (seed, clone):
        app.command()(command)


def seed(
    profile: Annotated[
        str, typer.Option("--profile", metavar="NAME", help="seeds/NAME.sql by the migrations.")
    ],
    env: EnvArgument = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Fill the database with invented data; never that of a protected environment.

    Example: cbctl db seed local --profile synthetic
    """
    asked = Asked(env, None, config, plan, yes, confirm, output, events)
    run_step(asked, "db.seed", {"profile": profile})


def clone(
    source: Annotated[
        str, typer.Option("--from", metavar="BACKUP", help="Id of a backup, or `last`.")
    ],
    from_env: Annotated[
        str | None,
        typer.Option("--from-env", metavar="ENV", help="Whose backup; without it, the same one's."),
    ] = None,
    anonymize: Annotated[
        bool,
        typer.Option("--anonymize", help="As anonymize.toml beside the migrations says."),
    ] = False,
    replace: Annotated[
        str,
        typer.Option("--replace", metavar="DATABASE", help="The live database, by its name."),
    ] = "",
    into: Annotated[
        str,
        typer.Option("--into", metavar="DATABASE", help="A new database; the live one stays."),
    ] = "",
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
    """Restore another environment's backup here, its people made other people.

    Every column has to be classified: keep, null or an expression. The copy is compared with the
    backup first; only what is anonymized gets the database's name.

    Example: cbctl db clone --from last --from-env production --anonymize --env staging
    """
    from cbctl.wiring.backups import classification, source_of

    asked = Asked(env, None, config, plan, yes, confirm, output, events)
    whose, where = source_of(config, from_env or env)
    given = {
        "backup": source,
        "source": whose,
        "place": place_text(place) or where,
        "anonymize": str(classification(config, env)) if anonymize else None,
        "replace": replace,
        "into": into,
        "identity": identity_reference(identity),
        "jobs": jobs,
    }
    run_step(asked, "db.clone", given)
