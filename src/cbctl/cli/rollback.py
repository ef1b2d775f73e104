"""`cbctl rollback`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cbctl.cli.options import (
    ConfigOption,
    ConfirmOption,
    EnvArgument,
    Events,
    EventsOption,
    Output,
    OutputOption,
    PlanOption,
    YesOption,
)

if TYPE_CHECKING:
    from cbctl.engine.run import Ended
    from cbctl.wiring.workplace import Workplace

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def rollback(
    env: EnvArgument = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="RELEASE", help="This release instead of the newest healthy."),
    ] = None,
    emergency: Annotated[
        bool,
        typer.Option(
            "--emergency",
            help="Ask nothing but the environment's name, take over the lock, freeze deploys; "
            "exit 10 when it is back and a check failed, 5 when a part is not back.",
        ),
    ] = False,
    pause_program: Annotated[
        bool,
        typer.Option("--pause-program", help="With --emergency: pause the program first."),
    ] = False,
    with_database: Annotated[
        bool,
        typer.Option(
            "--with-database",
            help="The schema goes back too, by down files or the newest proved backup; what is "
            "lost is shown, and the database's name asked for.",
        ),
    ] = False,
    database: Annotated[
        str | None,
        typer.Option("--database", metavar="NAME", help="Name of that database, typed."),
    ] = None,
    by_hand: Annotated[
        bool,
        typer.Option("--print", help="Only print the commands for a shell that lead back."),
    ] = False,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Go back to the newest healthy release before this one, from what was kept of it.

    A release that was rolled back from is marked bad and never chosen again; one that the
    database's schema does not allow is passed over, and the reason is said. Without ENV and
    $CBCTL_ENV it is the only protected environment.

    Example: cbctl rollback production --emergency
    """
    from cbctl.cli.ask import confirm_name
    from cbctl.cli.database_back import take_back
    from cbctl.cli.results import print_text
    from cbctl.cli.session import agreement, plan_only, run
    from cbctl.errors import Exit
    from cbctl.wiring import rollback as back
    from cbctl.wiring.emergency import emergency as in_emergency
    from cbctl.wiring.jobs import rollback_job
    from cbctl.wiring.runs import carry_out, checked_plan
    from cbctl.wiring.workplace import open_workplace, protected_name

    _require_sensible(emergency, pause_program, with_database, plan, by_hand)
    name = protected_name(config, env)
    if by_hand:
        for line in back.by_hand(open_workplace(config, name, create=True), to):
            print_text(line)
        return
    if plan:
        place = open_workplace(config, name, create=True)
        plan_only(checked_plan(place, rollback_job(place, back.chosen(place, to))), output)
    parts: list[Any] = []

    def work(place: Workplace) -> Ended:
        if not emergency:
            wanted = to
            if with_database:
                wanted, taken = take_back(place, to, database)
                if taken is not None and taken.exit is not Exit.DONE:
                    return taken
            choice = back.chosen(place, wanted)
            back.say(place, choice)
            agree = agreement(place, "rollback of", yes, confirm)
            return carry_out(place, rollback_job(place, choice), agree)
        ended, found = in_emergency(
            place,
            to,
            lambda: confirm_name(f"rollback of {name}", name, confirm),
            pause=pause_program,
        )
        for part in found:
            place.say(f"{part.name}: {_STATES[part.state]}{part.detail and f' ({part.detail})'}")
        parts.extend(found)
        return ended

    def outcome() -> dict[str, Any]:
        from cbctl.engine.canonical import plain

        return {"parts": plain(parts)} if emergency else {}

    run(config, name, output, events, work, outcome=outcome)


_STATES = {"back": "back, and seen", "unseen": "back, but not seen", "left": "NOT back"}


def _require_sensible(
    emergency: bool, pause: bool, with_database: bool, plan: bool, by_hand: bool
) -> None:
    from cbctl.errors import CbctlError, Exit

    if with_database and (emergency or plan or by_hand):
        raise CbctlError(
            "--with-database asks about the database alone",
            exit=Exit.USAGE,
            where="--with-database",
            fix="leave out --emergency, --plan and --print",
        )
    if pause and not emergency:
        raise CbctlError(
            "--pause-program goes with --emergency",
            exit=Exit.USAGE,
            where="--pause-program",
            fix="cbctl program pause pauses it alone",
        )
    if sum((emergency, plan, by_hand)) > 1:
        raise CbctlError(
            "--emergency, --plan and --print exclude each other",
            exit=Exit.USAGE,
            fix="use one of them",
        )
