"""Brings a program's file on chain: deploys it, upgrades it, or finds that it is there.

What is sent, what it costs and how an interrupted run goes on: `cbctl.clients.solana`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cbctl.engine.step import (
    After,
    Blocked,
    CannotUndo,
    Change,
    Changes,
    Context,
    Json,
    Nothing,
    NotVerified,
    Observation,
    PlanVerdict,
    Step,
    Verdict,
    Verified,
    Waiting,
)
from cbctl.errors import CbctlError, Exit
from cbctl.steps.program import _kept as kept
from cbctl.steps.program import _mainnet as mainnet
from cbctl.steps.program import _material as material
from cbctl.steps.program import _proposal as proposals
from cbctl.steps.program import _target as target
from cbctl.steps.program import _vault as vaults
from cbctl.steps.program._deploy_facts import Facts, blocked_by, max_len_of, on_chain
from cbctl.steps.program._deploy_facts import Inputs as Inputs

if TYPE_CHECKING:
    from cbctl.clients.solana.elf import Elf


@dataclass(frozen=True)
class Outcome:
    """hash: as solana-verify prints it. slot: of the deploy."""

    program_id: str
    hash: str
    slot: int
    elf_sha256: str


class Deploy(Step[Inputs, Facts, Outcome]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Deploy or upgrade the on-chain program"
    at_most: ClassVar[tuple[str, ...]] = (
        "program keypair",
        "wallet keypair",
        "airdrop",
        "program bytes",
        "program size",
        "authority of the buffer",
    )

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        from cbctl.clients.solana import elf as elves

        try:
            elf = material.read_elf(inputs.elf)
        except elves.BadElf as bad:
            return Observation(Facts("", "", 0, bad.why))
        keys = material.keys(ctx, _sources(inputs), inputs.generate)
        facts: dict[str, object] = {
            "elf_sha256": elf.sha256,
            "elf_hash": elf.hash,
            "elf_size": elf.size,
            "elf_problem": material.version_problem(elf),
            "program_id": str(keys.address) if keys.address else None,
            "wallet": str(keys.wallet.pubkey()) if keys.wallet else None,
            "has_keypair": keys.program is not None or keys.address is None,
            "idl_address": material.idl_address(inputs.idl),
            "unreadable": material.unreadable(inputs.api_idl, inputs.idl),
        }
        evidence: dict[str, Json] = {}
        node = target.connect(ctx, inputs.rpc)
        try:
            genesis = target.genesis_or_none(node, inputs.chain_step)
            if genesis is not None:
                facts |= {"answers": True, "genesis_hash": genesis}
                if target.wrong_cluster(inputs.genesis_hash, genesis) is None:
                    facts |= on_chain(ctx, node, inputs, keys, elf, evidence)
                    if facts["chain_hash"] != elf.hash:
                        unproved = self.unproved(ctx, inputs, elf, keys, genesis)
                        facts["unproved"] = unproved and (unproved.why, unproved.fix)
        finally:
            node.close()
        if facts["elf_problem"] is None and facts.get("chain_hash") != elf.hash:
            from cbctl.clients.solana import dry_deploy

            facts["elf_problem"] = dry_deploy.problem(elf)
        return Observation(Facts(**facts), evidence)  # type: ignore[arg-type]

    def unproved(
        self,
        ctx: Context,
        inputs: Inputs,
        elf: Elf,
        keys: material.Keys | material.MadeKeys,
        genesis: str,
    ) -> Blocked | None:
        """Why mainnet-beta may not get these bytes."""
        return mainnet.demanded(ctx, inputs, elf, keys, genesis, days=inputs.backup_days)

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if blocked := blocked_by(inputs, facts):
            return blocked
        if facts.unproved:
            return Blocked(*facts.unproved)
        missing = tuple(
            Change(f"{name} keypair", None, "new")
            for name, key in (("program", facts.program_id), ("wallet", facts.wallet))
            if key is None
        )
        if not facts.answers:
            may = (
                *missing,
                Change("airdrop", None, inputs.airdrop),
                Change("program bytes", None, facts.elf_hash),
                Change("program size", None, facts.elf_size),
            )
            return After((inputs.chain_step,), may)
        if facts.state == "deployed" and facts.chain_hash == facts.elf_hash:
            return Nothing(f"{facts.program_id} has these bytes since slot {facts.slot}")
        changes = [*missing]
        if facts.short_by:
            changes.append(Change("airdrop", None, inputs.airdrop))
        changes.append(Change("program bytes", facts.chain_hash or None, facts.elf_hash))
        if facts.state == "deployed" and facts.elf_size > facts.capacity:
            changes.append(Change("program size", facts.capacity, facts.elf_size))
        if facts.vault and not facts.handed:
            changes.append(Change("authority of the buffer", facts.wallet, facts.vault))
        return Changes(tuple(changes))

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        """Makes missing keypairs too: the addresses that are journalled follow from them."""
        from cbctl.clients.solana import buffer
        from cbctl.clients.solana.onchain import look

        elf = material.read_elf(inputs.elf)
        keys = material.made_keys(ctx, _sources(inputs), inputs.generate)
        node = target.connect(ctx, inputs.rpc, working=True)
        try:
            wallet = keys.wallet.pubkey()
            vault = vaults.find(ctx, node, inputs, look(node, keys.address), wallet)
            address = vault.address if vault else None
            place = buffer.locate(node, wallet, keys.address, elf, address)
        finally:
            node.close()
        return {
            "program": str(keys.address),
            "authority": str(keys.wallet.pubkey()),
            "buffer": str(place.address),
            "seed": place.seed,
            "elf": elf.sha256,
        }

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome | Waiting:
        from cbctl.clients.solana.deployer import Deployer
        from cbctl.clients.solana.onchain import look

        elf = material.read_elf(inputs.elf)
        if isinstance(intent, dict) and intent.get("elf") != elf.sha256:
            raise CbctlError(
                "the file is not the one that was planned",
                where=str(inputs.elf),
                exit=Exit.REFUSED,
                fix="plan again",
            )
        keys = material.made_keys(ctx, _sources(inputs), inputs.generate)
        node = target.connect(ctx, inputs.rpc, working=True)
        try:
            target.demand_cluster(node, inputs.genesis_hash)
            max_len = max_len_of(inputs, elf)
            chain = look(node, keys.address)
            vault = None
            if chain.hash != elf.hash:
                vault = vaults.find(ctx, node, inputs, chain, keys.wallet.pubkey(), proved=True)
            address = vault.address if vault else None
            cost = material.cost(
                node, keys, elf, chain, max_len, inputs.price, inputs.price_ceiling, address
            )
            if vault is not None and cost.place.elf is None:
                chain = look(node, keys.address)  # the multisig may just have used it
            if chain.hash != elf.hash:
                lacking = self.unproved(ctx, inputs, elf, keys, node.genesis_hash())
                if lacking is not None:
                    where = node.host
                    raise CbctlError(lacking.why, where=where, exit=Exit.REFUSED, fix=lacking.fix)
                if cost.balance < cost.estimate.needed:
                    needed = cost.estimate.needed
                    material.fund(ctx, node, keys.payer.pubkey(), needed, inputs.airdrop)
                if vault is not None:
                    proposals.demand_not_gone(ctx, inputs, keys.address, elf, chain, cost.place)
                    file, idl = inputs.elf, inputs.idl
                    kept.keep_new(ctx, inputs.keep, keys.address, elf, file, idl, proposed=True)
                kept.keep_former(ctx, node, inputs.keep, keys.address, chain)
            deployer = Deployer(node, keys.payer, keys.wallet, keys.address, ctx)
            if vault is not None and chain.hash != elf.hash:
                place = deployer.prepare(elf, vault.address, cost.fees)
                if place is not None:
                    return proposals.upgrade(ctx, inputs, keys, elf, vault, place.address)
            result = deployer.run(elf, keys.program, max_len, cost.fees)
            kept.keep_new(ctx, inputs.keep, keys.address, elf, inputs.elf, inputs.idl)
        finally:
            node.close()
        ctx.progress(
            f"{keys.address} has the new bytes: {result.transactions} transactions, "
            f"{result.resent} sent again, {result.fees:,} lamports in fees"
        )
        return Outcome(str(keys.address), elf.hash, result.slot, elf.sha256)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome(facts.program_id or "", facts.chain_hash, facts.slot, facts.elf_sha256)

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        from cbctl.clients.solana.onchain import look

        elf = material.read_elf(inputs.elf)
        keys = material.keys(ctx, _sources(inputs), inputs.generate)
        if keys.address is None:
            return NotVerified("the program has no keypair yet", "cbctl deploy")
        node = target.connect(ctx, inputs.rpc, working=True)
        try:
            chain = look(node, keys.address)
        finally:
            node.close()
        evidence: dict[str, Json] = {
            "state": chain.state,
            "hash": chain.hash,
            "slot": chain.slot,
            "authority": str(chain.authority) if chain.authority else None,
        }
        if chain.state != "deployed":
            return NotVerified(f"{keys.address} is {chain.state} on chain", evidence=evidence)
        if chain.hash != elf.hash:
            why = f"{keys.address} has other bytes: hash {chain.hash}, the file's is {elf.hash}"
            return NotVerified(why, evidence=evidence)
        return Verified(evidence)

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo(
            "a program is brought back by deploying the former file, which is a run of its own; "
            "a buffer that was begun is kept and continued by the next run"
        )


def _sources(inputs: Inputs) -> material.Sources:
    return material.Sources(
        inputs.wallet, inputs.payer, inputs.program_keypair, inputs.program_id or None
    )


STEP = Deploy()
