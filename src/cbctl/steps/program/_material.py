"""What a deploy is made of: the file, the keys, the money."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cbctl.engine.step import Context, Json
from cbctl.errors import CbctlError, Exit
from cbctl.local.files import read_limited
from cbctl.steps.program._target import Source, keypair, needed_keypair, signer, signer_or_none

if TYPE_CHECKING:
    from solders.keypair import Keypair
    from solders.pubkey import Pubkey

    from cbctl.clients.solana.buffer import Place
    from cbctl.clients.solana.elf import Elf
    from cbctl.clients.solana.estimate import Estimate
    from cbctl.clients.solana.fees import Fees
    from cbctl.clients.solana.onchain import OnChain
    from cbctl.clients.solana.rpc import Rpc
    from cbctl.clients.solana.signer import Signer

LIMIT = 10 << 20  # bytes; no account holds more, so neither a program nor an IDL can be larger
SBPF = 3  # the one version that clusters will go on taking (SIMD-0500)
FAUCET_TRIES = 5
FAUCET_WAIT = 60.0  # seconds until an airdrop must be there


# ---- the file


def read_elf(path: Path) -> Elf:
    """Errors: BadElf, also when there is no such file."""
    from cbctl.clients.solana import elf

    try:
        data = read_limited(path, LIMIT)
    except OSError as error:
        raise elf.BadElf(f"{path} cannot be read: {error.strerror}") from None
    return elf.parse(data)


def version_problem(elf: Elf) -> str | None:
    if elf.sbpf == SBPF:
        return None
    return f"it is built for SBPF v{elf.sbpf}, and v{SBPF} is needed"


def idl_address(path: Path | None) -> str:
    """The address that the IDL names, "" when it names none or there is no IDL."""
    if path is None:
        return ""
    from cbctl.clients.solana.idl.parse import parse

    return parse(read_text(path)).address


def read_text(path: Path) -> str:
    try:
        return read_limited(path, LIMIT).decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise CbctlError(f"cannot be read: {why}", where=str(path), exit=Exit.USAGE) from None


# ---- the keys


@dataclass(frozen=True)
class Sources:
    """Where the keys are. payer None: the wallet pays. One of program and program_id is there."""

    wallet: Source
    payer: Source | None
    program: Source | None
    program_id: str | None


@dataclass(frozen=True)
class Keys:
    """None where a file is still to be made. A keypair's own text is its secret."""

    wallet: Signer | None = field(repr=False)
    payer: Signer | None = field(repr=False)
    program: Keypair | None = field(repr=False)
    address: Pubkey | None


@dataclass(frozen=True)
class MadeKeys:
    wallet: Signer = field(repr=False)
    payer: Signer = field(repr=False)
    program: Keypair | None = field(repr=False)
    address: Pubkey


def keys(ctx: Context, sources: Sources, generate: bool) -> Keys:
    """Errors: CbctlError for a file that is missing and must not be made, or a wrong one."""
    wallet = _one(ctx, sources.wallet, generate)
    payer = wallet if sources.payer is None else _one(ctx, sources.payer, generate)
    program = None if sources.program is None else _program(ctx, sources, generate)
    return Keys(wallet, payer, program, _address(sources, program))


def made_keys(ctx: Context, sources: Sources, generate: bool) -> MadeKeys:
    """The same, with the missing files made. Making them twice gives the same keys."""
    from cbctl.clients.solana.keypair import read_or_create

    if generate:
        program = None if sources.program_id else sources.program  # a new one would not fit the id
        for source in (sources.wallet, sources.payer, program):
            if isinstance(source, Path):
                read_or_create(source)
    found = keys(ctx, sources, generate=False)
    if found.wallet is None or found.payer is None or found.address is None:
        raise CbctlError("a keypair vanished while it was used", exit=Exit.REFUSED)
    return MadeKeys(found.wallet, found.payer, found.program, found.address)


def stand_ins(keys: Keys) -> MadeKeys:
    """Any keys in the place of those that are still to be made: what it costs is the same."""
    from solders.keypair import Keypair

    wallet = keys.wallet or Keypair()
    address = keys.address or Keypair().pubkey()
    return MadeKeys(wallet, keys.payer or wallet, keys.program, address)


def _one(ctx: Context, source: Source, generate: bool) -> Signer | None:
    return signer_or_none(ctx, source) if generate else signer(ctx, source)


def _program(ctx: Context, sources: Sources, generate: bool) -> Keypair | None:
    """An upgrade needs no keypair of the program: with its id known the file may be away."""
    if sources.program is None or (sources.program_id and not generate):
        return None if sources.program is None else keypair(ctx, sources.program)
    return keypair(ctx, sources.program) if generate else needed_keypair(ctx, sources.program)


def _address(sources: Sources, program: Keypair | None) -> Pubkey | None:
    from solders.pubkey import Pubkey

    if sources.program_id is None:
        if sources.program is None:
            raise CbctlError(
                "neither the program's id nor its keypair is given",
                exit=Exit.USAGE,
                fix="--program-id ADDRESS, for a first deploy --keypair WALLET, or set "
                "`program.keypair` or `program.id` in cbctl.yaml",
            )
        return program.pubkey() if program else None
    try:
        address = Pubkey.from_string(sources.program_id)
    except ValueError:
        raise CbctlError("the program's id is not an address", exit=Exit.USAGE) from None
    if program is not None and program.pubkey() != address:
        raise CbctlError(
            f"the program's keypair belongs to {program.pubkey()}, its id is {address}",
            exit=Exit.REFUSED,
        )
    return address


def unreadable(known: Path | None, new: Path | None) -> tuple[str, ...]:
    """What a reader that was made for the IDL `known` could not read by the IDL `new`."""
    if known is None or new is None:
        return ()
    from cbctl.clients.solana.idl.compare import breaks
    from cbctl.clients.solana.idl.parse import parse

    return tuple(breaks(parse(read_text(known)), parse(read_text(new))))


# ---- the money


@dataclass(frozen=True)
class Cost:
    """balance: lamports that the payer has. place: of the buffer"""

    estimate: Estimate
    fees: Fees
    balance: int
    place: Place

    @property
    def evidence(self) -> dict[str, Json]:
        found = self.estimate
        return {
            "balance": self.balance,
            "needed": found.needed,
            "locked": found.locked,
            "returned": found.returned,
            "fees": found.fees,
            "transactions": found.transactions,
            "price": self.fees.price,
        }


def cost(
    node: Rpc,
    keys: MadeKeys,
    elf: Elf,
    chain: OnChain,
    max_len: int,
    price: int | None,
    most: int,
    vault: Pubkey | None = None,
) -> Cost:
    """
    price  of a compute unit; None: what recent transactions have paid, `most` at most
    vault  the upgrade authority, where that is a multisig
    """
    from cbctl.clients.solana import buffer, fees
    from cbctl.clients.solana.estimate import estimate, know_rents
    from cbctl.clients.solana.loader import programdata_address

    wallet, payer, program = keys.wallet.pubkey(), keys.payer.pubkey(), keys.address
    written = (payer, program, programdata_address(program))
    place, terms, balance, _ = node.together(
        lambda: buffer.locate(node, wallet, program, elf, vault),
        lambda: fees.ask(node, payer, written, price, most),
        lambda: node.balance(payer),
        lambda: know_rents(node, elf, chain, max_len),
    )
    found = estimate(node, payer, wallet, program, elf, chain, place, max_len, terms, vault)
    return Cost(found, terms, balance, place)


def fund(ctx: Context, node: Rpc, payer: Pubkey, needed: int, airdrop: int) -> None:
    """Asks the faucet until the payer has `needed` lamports. Errors: CbctlError when it has not."""
    for _ in range(FAUCET_TRIES):
        balance = node.balance(payer)
        if balance >= needed:
            return
        if airdrop <= 0:
            break
        ctx.fence()
        ctx.progress(f"asking the faucet for {airdrop:,} lamports")
        signature = node.airdrop(payer, airdrop)
        until = ctx.monotonic() + FAUCET_WAIT
        while node.balance(payer) <= balance and ctx.monotonic() < until:
            (status,) = node.statuses([signature])
            if status is not None and status.err is not None:
                raise CbctlError(
                    f"the faucet could not pay {airdrop:,} lamports",
                    where=node.host,
                    exit=Exit.REFUSED,
                    fix="ask it for less",
                )
            ctx.sleep(node.poll)
    missing = needed - node.balance(payer)
    if missing > 0:
        raise CbctlError(
            too_little(str(payer), missing), where=node.host, exit=Exit.REFUSED, fix=TOP_UP
        )


TOP_UP = "send the wallet what is missing, and run it again"


def too_little(payer: str, missing: int) -> str:
    return f"{payer} has {missing:,} lamports too little for this"
