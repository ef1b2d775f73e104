"""What `program.deploy` is given, what it sees, and why it may refuse to go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cbctl.config.types import Reference
from cbctl.engine.step import Blocked, Context, Json
from cbctl.errors import CbctlError, Exit
from cbctl.steps.program import _material as material
from cbctl.steps.program import _target as target
from cbctl.steps.program import _vault as vaults

if TYPE_CHECKING:
    from cbctl.clients.solana.elf import Elf
    from cbctl.clients.solana.onchain import OnChain
    from cbctl.clients.solana.rpc import Rpc


@dataclass(frozen=True)
class Inputs:
    """
    rpc              URL of the cluster's JSON-RPC, or of several endpoints of the same cluster
    elf              the program's file
    wallet           keypair that pays and is the upgrade authority
    program_keypair  keypair of the program's address; needed for the first deploy
    program_id       the address, where there is no keypair; both must agree
    payer            keypair that pays instead of the wallet
    idl              the program's IDL; if it names an address, that must be the program's
    genesis_hash     what the cluster must answer; none: any cluster
    max_len          bytes to make room for at the first deploy; none: the file's size
    airdrop          lamports to ask the faucet for when the payer has too little; 0: never
    generate         make keypair files that do not exist
    price            of a compute unit, in millionths of a lamport; none: what recent transactions
                     on the same accounts have paid
    price_ceiling    the most that is paid in that case
    api_idl          the IDL that the running API reads; an upgrade whose `idl` it cannot read is
                     blocked
    authority        the upgrade authority, where it is not the wallet: a multisig, or its vault
    multisig         the Squads multisig that proves this vault
    export           file for the transaction that the multisig has to sign, beside that in `keep`
    keep             state folder in which what is on chain, and what was, is kept for the way back
                     and the record of the keys' last backup lies
    toolchain        mainnet-beta: tool and version that must have built the file
    backup_days      mainnet-beta: how old the backup of the keys may be
    chain_step       id of the step that starts the cluster, where that is on this machine
    """

    rpc: Reference | str | tuple[Reference | str, ...]
    elf: Path
    wallet: Path | Reference
    program_keypair: Path | Reference | None = None
    program_id: str | None = None
    payer: Path | Reference | None = None
    idl: Path | None = None
    genesis_hash: str | None = None
    max_len: int | None = None
    airdrop: int = 0
    generate: bool = False
    price: int | None = None
    price_ceiling: int = 1_000_000
    api_idl: Path | None = None
    authority: str | Reference | None = None
    multisig: str | Reference | None = None
    export: Path | None = None
    keep: Path | None = None
    toolchain: Mapping[str, str] | None = None
    backup_days: int = 30
    chain_step: str = "localnet"


@dataclass(frozen=True)
class Facts:
    """
    answers      the cluster is there
    program_id   None: its keypair is still to be made; the same for `wallet`
    has_keypair  the program's own keypair is there, or will be
    state        absent, deployed, closed, foreign, spoiled (see `deployer.OnChain`)
    chain_hash   of the bytes on chain, without trailing zeros; "" unless deployed
    capacity     bytes that fit without extension
    slot         of the last deploy
    vault        the authority, if that is the multisig of cbctl.yaml and not the wallet
    unusable     why it could not sign
    signatures   how many of its members must sign; None: not known
    buffer       address of a buffer that an interrupted run has left, to be continued
    handed       the multisig has it by now
    spoiled      it was changed since
    short_by     lamports that the payer lacks
    unreadable   what the running API could not read after the upgrade
    unproved     why mainnet-beta may not get these bytes, and what helps
    """

    elf_sha256: str
    elf_hash: str
    elf_size: int
    elf_problem: str | None
    answers: bool = False
    genesis_hash: str | None = None
    program_id: str | None = None
    wallet: str | None = None
    has_keypair: bool = True
    idl_address: str = ""
    state: str = "absent"
    chain_hash: str = ""
    authority: str | None = None
    capacity: int = 0
    slot: int = 0
    vault: str | None = None
    unusable: str | None = None
    signatures: int | None = None
    buffer: str | None = None
    handed: bool = False
    spoiled: bool = False
    short_by: int = 0
    unreadable: tuple[str, ...] = ()
    unproved: tuple[str, str] | None = None


def max_len_of(inputs: Inputs, elf: Elf) -> int:
    if inputs.max_len is not None and inputs.max_len < elf.size:
        raise CbctlError(
            f"max_len is {inputs.max_len:,} bytes and the file has {elf.size:,}", exit=Exit.USAGE
        )
    return inputs.max_len or elf.size


def on_chain(
    ctx: Context,
    node: Rpc,
    inputs: Inputs,
    keys: material.Keys,
    elf: Elf,
    evidence: dict[str, Json],
) -> dict[str, object]:
    """The facts that the chain tells. What a deploy would cost is asked only when there is one."""
    from cbctl.clients.solana.features import SBPF_V3, active
    from cbctl.clients.solana.onchain import OnChain, look

    chain = OnChain("absent") if keys.address is None else look(node, keys.address)
    evidence["read_at_slot"] = chain.read_at
    facts = _facts_of(chain)
    if chain.hash == elf.hash:
        return facts
    made = material.stand_ins(keys)
    vault = vaults.find(ctx, node, inputs, chain, made.wallet.pubkey())
    if vault is not None:
        facts |= {"vault": str(vault.address), "signatures": vault.signatures}
        if vault.unproved:
            return facts | {"unusable": vault.unproved}
    address = vault.address if vault else None
    max_len = max_len_of(inputs, elf)
    taken, cost = node.together(
        lambda: active(node, SBPF_V3),
        lambda: material.cost(
            node, made, elf, chain, max_len, inputs.price, inputs.price_ceiling, address
        ),
    )
    if not taken:
        facts["elf_problem"] = f"this cluster does not take SBPF v{elf.sbpf} yet"
    evidence |= cost.evidence
    place = cost.place
    if vault is not None and place.elf is None:
        chain = look(node, made.address)  # the multisig may just have used it
        if chain.hash == elf.hash:
            return _facts_of(chain)
    return facts | {
        "buffer": None if place.elf is None else str(place.address),
        "handed": place.handed,
        "spoiled": place.handed and place.elf != elf.data,
        "short_by": max(0, cost.estimate.needed - cost.balance),
    }


def _facts_of(chain: OnChain) -> dict[str, object]:
    return {
        "state": chain.state,
        "chain_hash": chain.hash,
        "authority": str(chain.authority) if chain.authority else None,
        "capacity": chain.capacity,
        "slot": chain.slot,
    }


def blocked_by(inputs: Inputs, facts: Facts) -> Blocked | None:
    """Why nothing may be sent, the gravest first."""
    if facts.elf_problem:
        return Blocked(
            f"{inputs.elf.name} is not a program that could be deployed: {facts.elf_problem}",
            "name the file that was built, or build it again: cbctl program build",
        )
    if facts.genesis_hash and (
        why := target.wrong_cluster(inputs.genesis_hash, facts.genesis_hash)
    ):
        return Blocked(why, "check the RPC URL, or the genesis hash in cbctl.yaml")
    if facts.idl_address and facts.program_id and facts.idl_address != facts.program_id:
        return Blocked(
            f"the IDL is that of {facts.idl_address}, the program's address is {facts.program_id}",
            "check `program.keypair`, `program.id` and `program.idl` in cbctl.yaml",
        )
    if facts.state == "closed":
        return Blocked(
            f"{facts.program_id} was closed, and its address can never be used again",
            "make a new program keypair",
        )
    if facts.state == "spoiled":
        return Blocked(
            f"somebody has sent lamports to the address where the code of {facts.program_id} "
            "belongs, and the loader cannot use that any more",
            "make a new program keypair",
        )
    if facts.state == "foreign":
        return Blocked(f"{facts.program_id} is the address of something else on this cluster")
    if facts.state == "deployed" and facts.chain_hash != facts.elf_hash:
        if facts.unreadable:
            return Blocked(
                "the running API cannot read the program after this upgrade: "
                + "; ".join(facts.unreadable),
                "deploy an API that reads both first, or make the change an addition",
            )
        if facts.authority is None:
            return Blocked(f"{facts.program_id} is immutable: nobody can upgrade it")
        if facts.authority != facts.wallet and (no := _blocked_by_authority(inputs, facts)):
            return no
    if facts.answers and facts.state == "absent" and not facts.has_keypair:
        return Blocked(
            f"the first deploy of {facts.program_id} needs its keypair",
            "set `program.keypair` in cbctl.yaml",
        )
    if facts.short_by and not inputs.airdrop:
        payer = "the payer" if inputs.payer else facts.wallet or "the wallet"
        return Blocked(material.too_little(payer, facts.short_by), material.TOP_UP)
    return None


def _blocked_by_authority(inputs: Inputs, facts: Facts) -> Blocked | None:
    """Why somebody else than the wallet cannot be asked to upgrade."""
    if facts.vault is None:
        return Blocked(
            f"the upgrade authority of {facts.program_id} is {facts.authority}, "
            f"the wallet is {facts.wallet}",
            "give the wallet that is the authority; a multisig is named in cbctl.yaml: "
            "program.authority and program.multisig",
        )
    if facts.unusable:
        return Blocked(facts.unusable, "correct program.authority and program.multisig")
    if facts.spoiled:
        from cbctl.clients.solana.deployer import spoiled

        return Blocked(*spoiled(facts.buffer, facts.vault))
    why = vaults.nowhere(inputs.export)
    return Blocked(why, "make it, or name another file") if why else None
