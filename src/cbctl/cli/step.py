"""One step as a command: the way from its options to a run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cbctl.cli.options import Events, Output
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from cbctl.engine.job import Ended
    from cbctl.engine.plan import Plan
    from cbctl.wiring.workplace import Workplace


@dataclass(frozen=True)
class Asked:
    """What every such command is given beside the inputs of its step.

    env, cluster  where; at most one of them
    confirm       the name that was typed beforehand
    """

    env: str | None
    cluster: str | None
    config: str | None
    plan: bool = False
    yes: bool = False
    confirm: str | None = None
    output: Output = Output.TEXT
    events: Events = Events.NONE

    @property
    def place(self) -> str | None:
        """The environment, or the cluster alone."""
        from cbctl.wiring.clusters import PREFIX

        if self.env is not None and self.cluster is not None:
            raise CbctlError(
                "--env and --cluster name two places",
                exit=Exit.USAGE,
                fix="use one of them: an environment has its own cluster",
            )
        return self.env if self.cluster is None else f"{PREFIX}{self.cluster}"


def run_step(
    asked: Asked,
    step: str,
    given: Mapping[str, Any],
    *,
    typed: str = "",
    show: Callable[[Mapping[str, Any]], None] | None = None,
    unsaid: Collection[str] = (),
) -> None:
    """Runs a step alone and leaves with its exit code.

    given  inputs of the step; None: not given
    unsaid of its outcome, what is not for people
    show   prints its outcome, instead of one field a line; also where nothing was to do
    typed  what is done for ever, so that the program's id has to be typed, whatever the
           environment asks for
    """
    from cbctl.cli.session import plan_only, run
    from cbctl.wiring.runs import checked_plan
    from cbctl.wiring.single import carry_out_step, single_job
    from cbctl.wiring.workplace import open_workplace

    inputs = {name: value for name, value in given.items() if value is not None}
    if wallet := inputs.get("wallet"):
        inputs["wallet"] = wallet_text(wallet)
    outcome: dict[str, Any] = {}
    if asked.plan:
        place = open_workplace(asked.config, asked.place, create=True, chain=True)
        plan_only(checked_plan(place, single_job(place, step, inputs)), asked.output)

    def work(place: Workplace) -> Ended:
        words = step.replace(".", " ").replace("_", " ")
        agree = _agreement(asked, place, words, inputs, typed)
        ended, told = carry_out_step(place, step, inputs, agree)
        outcome.update(told)
        return ended

    def afterwards(place: Workplace) -> None:
        from cbctl.cli.results import print_fields

        if show is not None:
            show(outcome)
        else:
            print_fields({name: value for name, value in outcome.items() if name not in unsaid})

    run(
        asked.config,
        asked.place,
        asked.output,
        asked.events,
        work,
        afterwards,
        chain=True,
        outcome=lambda: {"outcome": outcome or None},
    )


def wallet_text(form: str) -> str:
    """A wallet of the command line, as a reference."""
    from cbctl.config.wallets import wallet_reference

    return wallet_reference(form)


def _agreement(
    asked: Asked, place: Workplace, words: str, inputs: Mapping[str, Any], typed: str
) -> Any:
    from cbctl.cli.ask import confirm_name
    from cbctl.cli.session import agreement, show_plan
    from cbctl.wiring.view import program_address

    if not typed:
        return agreement(place, f"{words} on", asked.yes, asked.confirm)

    def agree(plan: Plan) -> None:
        show_plan(plan)
        id = str(inputs.get("program_id") or program_address(place))
        confirm_name(f"{typed} {id}", id, asked.confirm, called="id")

    return agree
