"""Commands that only look: show, verify, estimate, dump, who and what is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cbctl.cli.options import (
    ClusterOption,
    ConfigOption,
    ElfOption,
    EnvOption,
    Output,
    OutputOption,
    ProgramIdOption,
    WalletOption,
)
from cbctl.cli.program.control import authority, buffers
from cbctl.cli.results import print_data, print_table, print_text
from cbctl.cli.step import Asked, wallet_text
from cbctl.errors import Exit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from cbctl.wiring.program import Opened

_SOL = 1_000_000_000


def _opened(
    env: str | None, cluster: str | None, config: str | None, program_id: str | None = None
) -> AbstractContextManager[Opened]:
    from cbctl.wiring.program import open_program

    return open_program(config, Asked(env, cluster, config).place, program_id)


def show(
    env: EnvOption = None,
    cluster: ClusterOption = None,
    program_id: ProgramIdOption = None,
    output: OutputOption = Output.TEXT,
    config: ConfigOption = None,
) -> None:
    """Show what the program is on chain: state, authority, hash, room, money, configuration.

    Example: cbctl program show --env local
    """
    with _opened(env, cluster, config, program_id) as there:
        data = there.show()
    if output is not Output.TEXT:
        print_data(data, output)
        return
    deployed = data["state"] == "deployed"
    lines = {
        "program": f"{data['program']} ({data['state']}) on {data['cluster']}",
        "authority": data["authority"] and f"{data['authority']} ({data['authorityIs']})",
        "hash": data["hash"],
        "file": _file(data["elf"], deployed),
        "since slot": data["deployedAtSlot"],
        "room": f"{data['capacity']:,} bytes" if deployed else "",
        "locked": money(data["lamports"]) if data["lamports"] else "",
    }
    lines = {name: value for name, value in lines.items() if value not in (None, "", {})}
    lines.update(_fields("  ", data["account"] or {}))
    print_text("\n".join(f"{name:<24} {value}" for name, value in lines.items()))


def _file(elf: dict[str, Any] | None, deployed: bool) -> str:
    """The file beside the bytes on chain, where there are any."""
    if elf is None:
        return ""
    if elf["hash"] is None:
        return f"{elf['path']}: unreadable"
    if elf["same"]:
        return f"{elf['path']}: the same"
    return f"{elf['path']}: {'another: ' if deployed else ''}{elf['hash']}"


def _fields(before: str, account: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The fields of an account, those of a struct inside it by dotted names."""
    for name, value in account.items():
        if isinstance(value, dict):
            yield from _fields(f"{before}{name}.", value)
        elif isinstance(value, list) and len(value) > 4 and len(set(map(str, value))) == 1:
            yield before + name, f"{len(value)} times {value[0]}"
        else:
            yield before + name, value


def verify(
    elf: ElfOption = None,
    authority: Annotated[
        str | None,
        typer.Option("--authority", metavar="ADDRESS", help="Who is to be the upgrade authority."),
    ] = None,
    env: EnvOption = None,
    cluster: ClusterOption = None,
    program_id: ProgramIdOption = None,
    output: OutputOption = Output.TEXT,
    config: ConfigOption = None,
) -> None:
    """Whether the chain has the file's bytes, the right authority and cbctl.yaml's configuration.

    Leaves with 10 when something differs. The hash is the one that `solana-verify` prints.

    Example: cbctl program verify --env local
    """
    with _opened(env, cluster, config, program_id) as there:
        checks = there.verify(authority, elf)
    ok = all(check.ok for check in checks)
    if output is not Output.TEXT:
        said = [{"check": c.name, "ok": c.ok, "said": c.said, "fix": c.fix} for c in checks]
        print_data({"ok": ok, "checks": said}, output)
    else:
        for check in checks:
            print_text(f"{'=' if check.ok else '!'} {check.name:<14} {check.said}")
            if check.fix and not check.ok:
                print_text(f"  {'':<14} fix: {check.fix}")
    raise typer.Exit(Exit.DONE if ok else Exit.DIFFERS)


def estimate(
    elf: ElfOption = None,
    env: EnvOption = None,
    cluster: ClusterOption = None,
    wallet: WalletOption = None,
    program_id: ProgramIdOption = None,
    output: OutputOption = Output.TEXT,
    config: ConfigOption = None,
) -> None:
    """What a deploy would cost from here on, to the lamport: locked, returned and spent apart.

    Example: cbctl program estimate --env local
    """
    from cbctl.engine.step import Blocked, Nothing
    from cbctl.errors import CbctlError
    from cbctl.render.words import count

    given: dict[str, Any] = {
        "elf": elf and str(elf.absolute()),
        "wallet": wallet and wallet_text(wallet),
        "program_id": program_id,
    }
    with _opened(env, cluster, config, program_id) as there:
        planned = there.planned("program.deploy", {n: v for n, v in given.items() if v})
    told = dict(planned.evidence)
    if isinstance(planned.verdict, Blocked) and "needed" not in told:
        raise CbctlError(planned.verdict.why, exit=Exit.REFUSED, fix=planned.verdict.fix)
    unchanged = isinstance(planned.verdict, Nothing)
    names = ("needed", "locked", "returned", "fees", "transactions", "balance")
    data: dict[str, Any] = {"unchanged": unchanged, **{name: told.get(name, 0) for name in names}}
    data["missing"] = max(0, data["needed"] - data["balance"])
    if output is not Output.TEXT:
        print_data(data, output)
        return
    if unchanged:
        print_text("nothing: these bytes are on chain already")
        return
    print_text(
        f"locked        {money(data['locked'])}, while the program lives\n"
        f"returned      {money(data['returned'])}, laid out for the buffer\n"
        f"spent         {money(data['fees'])} in {count(data['transactions'], 'transaction')}\n"
        f"needed now    {money(data['needed'])}\n"
        f"wallet has    {money(data['balance'])}"
    )
    if data["missing"]:
        print_text(f"missing       {money(data['missing'])}: send the wallet that much")


def dump(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file of another kind.")] = False,
    env: EnvOption = None,
    cluster: ClusterOption = None,
    program_id: ProgramIdOption = None,
    output: OutputOption = Output.TEXT,
    config: ConfigOption = None,
) -> None:
    """Write the program's bytes from the chain into a file.

    Example: cbctl program dump on-chain.so --env local
    """
    from cbctl.cli.keep import check_replaceable, keep

    check_replaceable(file, _is_elf, force)
    with _opened(env, cluster, config, program_id) as there:
        program, (found, hash) = there.program, there.dump()
    keep(file, found, _is_elf, force)
    data = {"file": str(file), "program": str(program), "bytes": len(found), "hash": hash}
    if output is not Output.TEXT:
        print_data(data, output)
    else:
        print_text(f"{file}: {len(found):,} bytes of {program}, hash {data['hash']}")


@authority.command("show")
def show_authority(
    env: EnvOption = None,
    cluster: ClusterOption = None,
    program_id: ProgramIdOption = None,
    output: OutputOption = Output.TEXT,
    config: ConfigOption = None,
) -> None:
    """Who may upgrade the program.

    Example: cbctl program authority show --env local
    """
    with _opened(env, cluster, config, program_id) as there:
        data = there.show()
    names = ("program", "state", "authority", "authorityIs")
    if output is not Output.TEXT:
        print_data({name: data[name] for name in names}, output)
    elif data["state"] != "deployed":
        print_text(f"{data['program']} is {data['state']}")
    else:
        who = data["authority"]
        print_text(f"{who} ({data['authorityIs']})" if who else data["authorityIs"])


@buffers.command("list")
def list_buffers(
    env: EnvOption = None,
    cluster: ClusterOption = None,
    wallet: WalletOption = None,
    output: OutputOption = Output.TEXT,
    config: ConfigOption = None,
) -> None:
    """Show the buffers that belong to the wallet, and what is in them.

    Example: cbctl program buffers list --env local
    """
    from cbctl.report import program as report

    with _opened(env, cluster, config) as there:
        key = there.wallet(wallet and wallet_text(wallet))
        rows = report.buffers(there.node, key)
    if output is not Output.TEXT:
        print_data({"authority": str(key), "buffers": rows}, output)
    elif rows:
        print_table(rows)
    else:
        print_text(f"{key} has no buffers")


def _is_elf(start: bytes) -> bool:
    return start.startswith(b"\x7fELF")


def money(lamports: int) -> str:
    """Exact, in both units."""
    whole, rest = divmod(lamports, _SOL)
    return f"{lamports:,} lamports ({whole}.{rest:09} SOL)"


def add_to(app: typer.Typer) -> None:
    for command in (show, verify, estimate, dump):
        app.command()(command)
