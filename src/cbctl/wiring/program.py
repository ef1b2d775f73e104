"""The on-chain program of an environment, opened for commands that only look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbctl.config.reference import parse
from cbctl.engine.plan import Planned
from cbctl.engine.step import Blocked, Context, Nothing
from cbctl.errors import CbctlError, Exit
from cbctl.report import program as report
from cbctl.report.program import Check
from cbctl.wiring.single import single_job
from cbctl.wiring.view import named_file, program_address
from cbctl.wiring.workplace import Workplace, existing_workplace

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from cbctl.clients.solana.rpc import Rpc


_ASK = "have the multisig sign the transaction; cbctl program deploy shows it again"


@dataclass(frozen=True)
class Opened:
    """node: of the cluster that was meant; program_id: "" where nothing names one"""

    work: Workplace
    node: Rpc
    program_id: str

    @property
    def program(self) -> Pubkey:
        from solders.pubkey import Pubkey

        if not self.program_id:
            raise CbctlError(
                "which program?",
                exit=Exit.USAGE,
                where=self.work.env.name,
                fix="--program-id ADDRESS, or `program.keypair` or `program.id` in cbctl.yaml",
            )
        try:
            return Pubkey.from_string(self.program_id)
        except ValueError:
            raise CbctlError("the program's id is not an address", exit=Exit.USAGE) from None

    @property
    def context(self) -> Context:
        return self.work.world.situation("", "program")

    def wallet(self, given: str | None) -> Pubkey:
        """Its address. given: a reference of the command line"""
        from cbctl.config.wallets import SOLANA_CLI, wallet_reference
        from cbctl.steps.program import _target as target
        from cbctl.wiring.view import view_of

        source = parse(given) if given else view_of(self.work)["program"]["wallet"]
        source = source or parse(wallet_reference(SOLANA_CLI))
        assert source is not None
        return target.signer(self.context, source).pubkey()

    # ---- what a person asks

    def show(self) -> dict[str, Any]:
        env = self.work.env
        found = report.show(self.node, self.program, named_file(env.program.elf))
        return {
            "environment": env.name,
            "cluster": env.chain.cluster,
            "rpc": self.node.host,
            **found,
            "account": self._account(),
        }

    def verify(self, expected: str | None, elf: Path | None) -> list[Check]:
        """What ought to hold, and whether it does.

        expected  the upgrade authority, instead of that of cbctl.yaml; elf: the same"""
        env = self.work.env
        file = elf or _needed(named_file(env.program.elf), "elf")
        authority = expected or self._authority()
        checks = report.bytes_and_authority(self.node, self.program, file, authority)
        if not checks[0].ok and (waits := self._proposed(file)):
            checks[0] = Check(checks[0].name, False, f"{checks[0].said}; {waits}", _ASK)
        if env.program.initialize is not None and all(c.ok for c in checks[:1]):
            checks.append(_as_check("configuration", self.planned("program.init", {})))
        if env.program.unpause is not None and all(check.ok for check in checks):
            checks.append(_as_check("not paused", self.planned("program.unpause", {})))
        return checks

    def dump(self) -> tuple[bytes, str]:
        return report.dump(self.node, self.program)

    def published_idl(self) -> str:
        return report.published_idl(self.node, self.program)

    def idl_differences(self, file: Path | None) -> dict[str, Any]:
        from cbctl.steps.program._material import read_text

        text = read_text(file or _needed(named_file(self.work.env.program.idl), "idl"))
        return report.idl_differences(self.published_idl(), text)

    def api_idl(self) -> str | None:
        """The IDL of the program that is on chain, where that was deployed from here: what reads
        it was made for it."""
        from cbctl.clients.solana.onchain import look
        from cbctl.local.kept_programs import Programs

        now = look(self.node, self.program)
        kept = Programs(self.work.state.path, str(self.program)).of(now.hash)
        return str(kept.idl) if kept and kept.idl else None

    def way_back(self, to: str | None) -> dict[str, str]:
        """What the step `program.rollback` is given: the newest kept program that is not the one on
        chain, or the only one whose hash begins with `to`. Raises CbctlError (7) without one."""
        from cbctl.clients.solana.onchain import look
        from cbctl.local.kept_programs import Programs
        from cbctl.steps.program._material import read_elf

        kept = Programs(self.work.state.path, str(self.program))
        now = look(self.node, self.program)
        on_chain = [one for one in kept.all() if not one.proposed]
        if to is None:
            before = kept.before(now.hash)
            found = [before] if before else []
        else:
            found = [one for one in on_chain if to and one.hash.startswith(to.lower())]
        if len(found) != 1:
            known = ", ".join(one.hash[:12] for one in on_chain) or "none"
            if to is None:
                why = "no other program is kept here to go back to"
            else:
                several = f"{len(found)} kept programs have" if found else "no kept program has"
                why = f"{several} a hash that begins with {to[:64]!r}"
            raise CbctlError(
                why,
                exit=Exit.REFUSED,
                where=str(self.program),
                fix=f"kept: {known}; any file is deployed by cbctl program upgrade --elf FILE",
            )
        (chosen,) = found
        if read_elf(chosen.elf).hash != chosen.hash:
            raise CbctlError(
                "the kept program is not the one that it was: its file was changed",
                exit=Exit.REFUSED,
                where=str(chosen.elf),
                fix="look into it; any file is deployed by cbctl program upgrade --elf FILE",
            )
        left = kept.of(now.hash)
        files = {"elf": chosen.elf, "idl": chosen.idl, "api_idl": left and left.idl}
        return {name: str(path) for name, path in files.items() if path}

    def planned(self, step: str, given: Mapping[str, Any]) -> Planned:
        """What a step would do now."""
        from cbctl.wiring.runs import make_plan

        (found,) = make_plan(self.work, single_job(self.work, step, given)).steps
        return found

    def _proposed(self, file: Path) -> str:
        """What is waited for, where a multisig has the file in a buffer and has not used it."""
        from cbctl.clients.solana import buffer
        from cbctl.clients.solana.elf import BadElf
        from cbctl.clients.solana.onchain import look
        from cbctl.steps.program import _material as material
        from cbctl.steps.program import _vault as vaults

        program = self.work.env.program
        if program.authority is None:
            return ""
        wallet, chain = self.wallet(None), look(self.node, self.program)
        vault = vaults.find(self.context, self.node, program, chain, wallet)
        if vault is None:
            return ""
        try:
            elf = material.read_elf(file)
        except BadElf:
            return ""
        place = buffer.locate(self.node, wallet, self.program, elf, vault.address)
        return vault.waits if place.handed else ""

    def _authority(self) -> str | None:
        value = self.work.env.program.authority
        if value is not None:
            found = self.work.values.find(value)
            return found.reveal().strip() if found else None
        if self.work.env.program.wallet is None:
            return None
        return str(self.wallet(None))

    def _account(self) -> dict[str, Any] | None:
        """The fields of the account that the first configuration was written to."""
        from solders.pubkey import Pubkey

        from cbctl.clients.solana.idl.model import IdlError
        from cbctl.runbook.inputs import bind
        from cbctl.steps.program import _init_facts, _initialization
        from cbctl.wiring.single import values_of

        if self.work.env.program.initialize is None:
            return None
        # none of it is asked for a wallet: what is only looked at needs its address at most
        given = {"program_id": self.program_id, "wallet": "-"}
        inputs = bind(
            _init_facts.Inputs,
            values_of(self.work, "program.init", _init_facts.Inputs, given),
        )
        try:
            wallet = self.wallet(None)
        except CbctlError:
            # who only looks may have no key; the account's address seldom follows from one
            wallet = Pubkey.default()
        try:
            plan = _initialization.plan(self.context, inputs, wallet)
        except IdlError:
            return None
        fields = _initialization.fields_of(plan, self.node.account(plan.address))
        return None if fields is None else {"address": str(plan.address), **fields}


def opened(config: str | None, place: str | None) -> Workplace:
    """Errors: CbctlError (7) where nothing was set up on this machine yet."""
    work = existing_workplace(config, place, chain=True)
    if work is None:
        raise CbctlError(
            "nothing was deployed to this machine yet",
            exit=Exit.REFUSED,
            where=place or "",
            fix=f"cbctl deploy {place or 'local'}",
        )
    return work


@contextmanager
def open_program(config: str | None, place: str | None, program_id: str | None) -> Iterator[Opened]:
    """Errors: CbctlError: 7 for another cluster than the one that was meant, or nothing there."""
    from cbctl.steps.program import _target as target

    work = opened(config, place)
    context = work.world.situation("", "program")
    node = target.connect(context, work.env.chain.rpc)
    try:
        target.demand_cluster(node, work.env.chain.genesis_hash)
        yield Opened(work, node, program_id or program_address(work) or "")
    finally:
        node.close()


def _needed(file: Path | None, option: str) -> Path:
    if file is None:
        raise CbctlError(
            f"which {option}?",
            exit=Exit.USAGE,
            fix=f"--{option} FILE, or `program.{option}` in cbctl.yaml",
        )
    return file


def _as_check(name: str, planned: Planned) -> Check:
    match planned.verdict:
        case Nothing(because):
            return Check(name, True, because)
        case Blocked(why, fix):
            return Check(name, False, why, fix)
    changes = getattr(planned.verdict, "changes", ())
    said = "; ".join(f"{c.what}: {c.before} instead of {c.after}" for c in changes)
    return Check(name, False, said or "it cannot be looked at yet")
