"""What three instructions cost, beside the same three in plain Anchor; and their ELFs.

    benchmarks/anchor/build OUT && PYTHONPATH=. python benchmarks/program.py OUT/plain_anchor.so

Both run in one VM with mainnet's features and with the same keys, so that every run has the same
figures. How long the search for an address takes depends on the keys, so a first bet is shown over
many users.
"""

from __future__ import annotations

import statistics
import struct
import sys
from pathlib import Path

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.unit.programs import markets
from tests.unit.programs.crypto_bet import ELF, discriminator
from tests.unit.programs.house import House
from tests.unit.programs.markets import Side, readonly, signer, writable
from tests.unit.programs.svm import SYSTEM_PROGRAM
from tests.unit.programs.test_compute_units import initialization, same_chain

ANCHOR = Pubkey.from_string("CompareCompareCompareCompareCompareCompare1")
USERS = 40
BET = 10_000_000
Costs = dict[str, list[int]]
Paid = list[int]


def ours() -> tuple[Costs, Paid]:
    house = House.build(same_chain())
    at = house.new()
    costs: Costs = {"initialize": [initialization()], "first bet": [], "bet": [], "claim": []}
    users = [house.person() for _ in range(USERS)]
    for number, user in enumerate(users):
        bet = markets.place_bet(at, user.pubkey(), Side(number % 2), BET)
        for name in ("first bet", "bet"):
            costs[name].append(house.must(bet, user).compute_units)
    house.resolve(at, Side.YES)
    for user in users[::2]:
        costs["claim"].append(house.claim(at, user.pubkey(), Side.YES).compute_units)
    return costs, [house.position(at, user.pubkey()).paid for user in users[::2]]


def anchors(elf: Path) -> tuple[Costs, Paid]:
    chain = same_chain()
    chain.vm.add_program(ANCHOR, elf.read_bytes())
    owner = chain.funded()

    def derived(*seeds: bytes) -> Pubkey:
        return Pubkey.find_program_address(list(seeds), ANCHOR)[0]

    config = derived(b"config")
    market = derived(b"market", bytes(owner.pubkey()))
    vault = derived(b"vault", bytes(market))

    def call(name: str, arguments: bytes, accounts: list[AccountMeta], by: Keypair) -> int:
        data = discriminator("global", name) + arguments
        return chain.must([Instruction(ANCHOR, data, accounts)], by).compute_units

    def position(user: Keypair) -> Pubkey:
        return derived(b"position", bytes(user.pubkey()), bytes(market))

    system = readonly(SYSTEM_PROGRAM)
    payer = signer(owner.pubkey(), pays=True)
    limits = struct.pack("<HQQ", 250, 1_000_000, 10**12)
    costs: Costs = {
        "initialize": [call("initialize", limits, [payer, writable(config), system], owner)],
        "first bet": [],
        "bet": [],
        "claim": [],
    }
    ends = struct.pack("<q", chain.vm.get_clock().unix_timestamp + 1_000)
    accounts = [payer, readonly(config), writable(market), readonly(vault), system]
    call("create_market", ends, accounts, owner)
    users = [chain.funded() for _ in range(USERS)]
    for number, user in enumerate(users):
        accounts = [
            signer(user.pubkey(), pays=True),
            readonly(config),
            writable(market),
            writable(position(user)),
            writable(vault),
            system,
        ]
        for name in ("first bet", "bet"):
            bet = struct.pack("<?Q", number % 2 == 0, BET)
            costs[name].append(call("place_bet", bet, accounts, user))
    call("resolve", b"\1", [payer, writable(market)], owner)
    for user in users[::2]:
        accounts = [
            writable(user.pubkey()),
            readonly(market),
            writable(position(user)),
            writable(vault),
            system,
        ]
        costs["claim"].append(call("claim", b"", accounts, user))
    # behind the discriminator, two addresses and two numbers of shares
    found = [struct.unpack_from("<Q", chain.data(position(user)), 88)[0] for user in users[::2]]
    return costs, found


def main(anchor: Path) -> None:
    (mine, paid), (theirs, paid_too) = ours(), anchors(anchor)
    if paid != paid_too:
        raise SystemExit("the two do not pay the same: no figures")
    print(f"{'CU, median (least to most)':<14}{'crypto_bet':>28}{'plain Anchor':>28}")
    for name in mine:
        row = "".join(f"{shown(costs[name]):>28}" for costs in (mine, theirs))
        print(f"{name:<14}{row}")
    sizes = "".join(f"{path.stat().st_size:>28,}" for path in (ELF, anchor))
    print(f"{'ELF, bytes':<14}{sizes}")


def shown(costs: list[int]) -> str:
    return f"{statistics.median(costs):,.0f} ({min(costs):,} to {max(costs):,})"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
