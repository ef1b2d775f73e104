"""How `program.init` works out, sends and compares what the IDL describes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cbctl.config.names import snake
from cbctl.config.types import Reference
from cbctl.engine.step import Context, Json, Observation
from cbctl.errors import CbctlError, Exit
from cbctl.steps.program._init_facts import Facts, Inputs
from cbctl.steps.program._material import read_text

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from cbctl.clients.solana.idl.program import Program
    from cbctl.clients.solana.rpc import Rpc
    from cbctl.clients.solana.signer import Signer
    from cbctl.clients.solana.types import Account

INCINERATOR = "1nc1nerator11111111111111111111111111111111"


@dataclass(frozen=True)
class Plan:
    """Everything about the instruction but its sending.

    address  of the account that holds the arguments afterwards
    values   the arguments as they would be read back
    """

    program: Program
    wallet: Pubkey
    instruction: str
    account: str
    values: Mapping[str, Any]
    accounts: Mapping[str, Pubkey]
    address: Pubkey


def plan(ctx: Context, inputs: Inputs, wallet: Pubkey) -> Plan:
    """Errors: IdlError for whatever in inputs and IDL does not fit together."""
    from cbctl.clients.solana.idl.program import Program

    program = Program.from_text(read_text(inputs.idl), _key("program_id", inputs.program_id))
    wanted = _revealed(ctx, inputs.arguments)
    values = program.canonical(inputs.instruction, wanted)
    _refuse_placeholders(program, inputs.instruction, values)
    _refuse_strangers(program, inputs.instruction, values, _revealed(ctx, inputs.allowed))
    items = program.instruction(inputs.instruction).accounts
    given = {item.name: wallet for item in items if item.signer}
    for name, address in _revealed(ctx, inputs.accounts).items():
        given[snake(name)] = _key(f"accounts.{name}", address)
    accounts = program.accounts(inputs.instruction, wanted, given)
    name = snake(inputs.at) if inputs.at else _only_new(program, inputs.instruction)
    if name not in accounts:
        raise _idl_error("at", f"{inputs.instruction} has no account {name}")
    record = program.account_type(inputs.account).name
    return Plan(program, wallet, inputs.instruction, record, values, accounts, accounts[name])


def look(node: Rpc, plan: Plan, known: Facts, *, simulate: bool = True) -> Observation[Facts]:
    """The facts about program and account; when the account is absent, what would happen."""
    from cbctl.clients.solana.loader import programdata_address
    from cbctl.clients.solana.onchain import judge

    program = plan.program.address
    keys = [program, programdata_address(program), plan.address]
    slot, (code, data, account) = node.accounts(keys)
    deployed = judge(code, data, slot).state == "deployed"
    facts = dataclasses.replace(known, deployed=deployed, address=str(plan.address))
    evidence: dict[str, Json] = {"read_at_slot": slot}
    if _absent(account):
        if deployed and simulate:
            facts = dataclasses.replace(facts, refusal=rehearse(node, plan))
        return Observation(facts, evidence)
    fields = fields_of(plan, account)
    if fields is None:
        return Observation(dataclasses.replace(facts, state="foreign"), evidence)
    differences, unreadable = compare(plan, fields)
    evidence["account"] = str(plan.address)
    facts = dataclasses.replace(
        facts, state="there", differences=differences, unreadable=unreadable
    )
    return Observation(facts, evidence)


def carry_out(ctx: Context, node: Rpc, plan: Plan, wallet: Signer) -> None:
    """Sends the instruction, unless the account is there with these values already.

    Errors: CbctlError, with the program's own name for what it answers
    """
    from cbctl.clients.solana.failures import TransactionFailed, explain
    from cbctl.clients.solana.sender import Order, Sender

    if _done(node, plan):
        return
    order = Order(f"carry out {plan.instruction}", (wire(plan),), (wallet,))
    try:
        Sender(node, wallet, ctx).one(order)
    except TransactionFailed as failed:
        if _done(node, plan):  # an earlier try arrived after all
            return
        why = explain(failed.err, plan.program.idl.errors)
        raise CbctlError(
            f"{plan.instruction} failed: {why}", where=node.host, exit=Exit.REFUSED
        ) from None


def compare(
    plan: Plan, fields: Mapping[str, Any]
) -> tuple[tuple[tuple[str, Json, Json], ...], tuple[str, ...]]:
    """(differences, argument fields that the account does not have).

    An argument field belongs to the account's field of the same path; where the path begins with
    the name of a struct argument, that name may be missing on chain.
    """
    differences: list[tuple[str, Json, Json]] = []
    unreadable: list[str] = []
    for leaf in plan.program.leaves(plan.instruction, plan.values):
        for path in (leaf.path, leaf.path[1:]):
            found, value = _at(fields, path)
            if found:
                if value != leaf.value:
                    differences.append((".".join(path), value, leaf.value))
                break
        else:
            unreadable.append(".".join(leaf.path))
    return tuple(differences), tuple(unreadable)


def listed(differences: tuple[tuple[str, Json, Json], ...]) -> str:
    return "; ".join(
        f"{name}: on chain {_written(old)}, in cbctl.yaml {_written(new)}"
        for name, old, new in differences
    )


def _written(value: Json) -> str:
    """As it would stand in cbctl.yaml."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _done(node: Rpc, plan: Plan) -> bool:
    """Errors: CbctlError when the account is there with other values."""
    account = node.account(plan.address)
    if _absent(account):
        return False
    fields = fields_of(plan, account)
    differences = compare(plan, fields)[0] if fields is not None else ()
    if fields is None or differences:
        why = listed(differences) or f"{plan.address} is something else"
        raise CbctlError(
            f"{plan.account} is there already: {why}", where=node.host, exit=Exit.REFUSED
        )
    return True


def rehearse(node: Rpc, plan: Plan, payer: Pubkey | None = None) -> str | None:
    """What the cluster says to the instruction without carrying it out; None: it would succeed."""
    from cbctl.clients.solana.failures import explain
    from cbctl.clients.solana.transaction import compile_message, unsigned

    if plan.program.address in (payer, plan.wallet):
        return "the wallet is the program's own keypair, which can neither pay nor sign"
    blockhash = node.blockhash().hash
    wanted = compile_message([wire(plan)], payer or plan.wallet, blockhash, None)
    answer = node.simulate(unsigned(wanted), signed=False)  # whatever blockhash the node knows
    if answer.err is None:
        return None
    if answer.err == "AccountNotFound":
        return f"{payer or plan.wallet} has no money on this cluster"
    return explain(answer.err, plan.program.idl.errors)


def wire(plan: Plan) -> Any:
    return plan.program.build(plan.instruction, plan.values, plan.accounts)


def _absent(account: Account | None) -> bool:
    """Somebody may have sent lamports to the address: that makes it no account of the program."""
    from solders.system_program import ID

    return account is None or (account.owner == ID and not account.data)


def fields_of(plan: Plan, account: Account | None) -> dict[str, Any] | None:
    from cbctl.clients.solana.idl.model import IdlError

    if account is None or account.owner != plan.program.address:
        return None
    try:
        return plan.program.decode(plan.account, account.data)
    except IdlError:
        return None  # of another type, or a version that this IDL cannot read


def _at(fields: Any, path: tuple[str, ...]) -> tuple[bool, Any]:
    if not path:
        return False, None
    for part in path:
        if not isinstance(fields, Mapping) or part not in fields:
            return False, None
        fields = fields[part]
    return True, fields


def _only_new(program: Program, instruction: str) -> str:
    items = program.instruction(instruction).accounts
    names = [item.name for item in items if item.writable and item.pda and not item.signer]
    if len(names) == 1:
        return names[0]
    found = ", ".join(names) or "none"
    raise _idl_error("at", f"say which account of {instruction} is written; it derives {found}")


def _refuse_placeholders(program: Program, instruction: str, values: Mapping[str, Any]) -> None:
    """Money sent to such an address is lost, and whoever it names can never act."""
    for leaf in program.leaves(instruction, values):
        for text in _addresses(leaf.type, leaf.value):
            if text == INCINERATOR or text.endswith("1" * 12):
                path = ".".join(("arguments", *leaf.path))
                raise _idl_error(path, f"{text} is a placeholder, not somebody's address")


def _refuse_strangers(
    program: Program, instruction: str, values: Mapping[str, Any], allowed: Mapping[str, Any]
) -> None:
    """Where money goes is not decided by one line of a file alone."""
    known = {tuple(snake(part) for part in path.split(".")): path for path in allowed}
    for leaf in program.leaves(instruction, values):
        path = known.pop(leaf.path, None)
        if path is None:
            continue
        names = [str(one) for one in allowed[path]]
        for text in _addresses(leaf.type, leaf.value):
            if text not in names:
                raise _idl_error(
                    f"arguments.{path}", f"{text} is not among those that `allowed` names"
                )
    if known:
        raise _idl_error("allowed", f"{instruction} has no argument {min(known.values())}")


def _addresses(kind: Any, value: Any) -> list[str]:
    from cbctl.clients.solana.idl.model import Array, Option, Primitive, Vec

    if value is None:
        return []
    if kind == Primitive("pubkey"):
        return [str(value)]
    if isinstance(kind, Option):
        return _addresses(kind.item, value)
    if isinstance(kind, Vec | Array):
        return [text for item in value for text in _addresses(kind.item, item)]
    return []


def _revealed(ctx: Context, value: Any) -> Any:
    """Arguments may stand elsewhere; an optional one that is not there is an option's None."""
    from cbctl.clients.solana.idl.primitive import Elsewhere

    if isinstance(value, Reference):
        text = ctx.reveal(value).reveal().strip()
        return Elsewhere(text) if text or not value.optional else None
    if isinstance(value, Mapping):
        return {key: _revealed(ctx, inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_revealed(ctx, inner) for inner in value]
    return value


def _key(path: str, text: str) -> Pubkey:
    from solders.pubkey import Pubkey

    try:
        return Pubkey.from_string(text)
    except ValueError:
        raise _idl_error(path, "is not an address") from None


def _idl_error(path: str, what: str) -> CbctlError:
    from cbctl.clients.solana.idl.model import IdlError

    return IdlError(path, what)
