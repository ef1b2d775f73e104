"""Bets per second on a localnet: real transactions of many users on one market. Durability is on.

    PYTHONPATH=. python benchmarks/bets.py [ROUNDS]

The client runs in this process, on the same machine as the localnet.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from localnet import CONNECTIONS, per_second, row, sending
from solders.keypair import Keypair
from solders.message import Message
from solders.transaction import VersionedTransaction
from tests.compat.program.stage import Stage
from tests.testbed.localnet import SOL
from tests.unit.programs import markets
from tests.unit.programs.house import HOUR
from tests.unit.programs.markets import Addresses, Kind, Side, Terms, read_market

BETS = 3_000
BATCH = 50  # a request may have 50 KiB
LEAST = 1_000_000


class Bettors:
    """Users with a position, and the bets that they sign; no two are alike."""

    def __init__(self, stage: Stage, at: Addresses) -> None:
        self._net, self._at = stage.net, at
        self._users = [self._net.funded(10_000) for _ in range(CONNECTIONS)]
        self.made = 0
        self.staked = 0
        self._net.send_many(self.sign(CONNECTIONS))  # the positions
        self._net.next_slot()

    def sign(self, count: int) -> list[VersionedTransaction]:
        blockhash = self._net.blockhash()
        signed = []
        for _ in range(count):
            self.made += 1
            user, amount = self._users[self.made % CONNECTIONS], LEAST + self.made
            self.staked += amount
            bet = markets.place_bet(self._at, user.pubkey(), Side(self.made % 2), amount)
            message = Message.new_with_blockhash([bet], user.pubkey(), blockhash)
            signed.append(VersionedTransaction(message, [user]))
        return signed


def market_of(stage: Stage) -> Addresses:
    owner = Keypair()
    stage.net.fund(owner.pubkey(), SOL)
    at = Addresses.of(stage.program, 1, owner.pubkey(), Kind.DEGEN)
    terms = Terms(stage.now() + 2 * HOUR, stage.now() + 3 * HOUR)
    stage.net.confirm(stage.net.run([markets.create_market(at, 1, terms, stage.mint)], owner))
    return at


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="cbctl-bench-") as folder:
        stage = Stage.build(Path(folder))
        at = market_of(stage)
        bettors = Bettors(stage, at)
        port = stage.net.port
        for _ in range(rounds):
            for skip in (True, False):
                bodies: list[object] = [
                    sending(n, bet, skip) for n, bet in enumerate(bettors.sign(BETS))
                ]
                name = f"bets, {'no ' if skip else ''}preflight"
                rates.setdefault(name, []).append(per_second(port, bodies, BETS))
            calls = [sending(n, bet, True) for n, bet in enumerate(bettors.sign(BETS))]
            batches: list[object] = [
                calls[first : first + BATCH] for first in range(0, BETS, BATCH)
            ]
            name = f"bets, batches of {BATCH}"
            rates.setdefault(name, []).append(per_second(port, batches, BETS))
        time.sleep(1)
        account = stage.net.rpc.account(at.market)
        assert account is not None
        market = read_market(account.data)
        stage.net.stop()
    if market.total_pool() != bettors.staked:
        raise SystemExit("not every bet arrived: no figures")
    print(f"{'':<52} {'median':>10} {'min':>10} {'max':>10}")
    for name, values in rates.items():
        row(f"{name}, {CONNECTIONS} connections", values, "per second")
    print(f"\n{bettors.made:,} bets of {market.participants} users, all in the market's pools")


if __name__ == "__main__":
    main()
