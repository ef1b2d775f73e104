"""What there is to know about a chain, out of its store."""

from __future__ import annotations

from pathlib import Path

from solders.hash import Hash

from cbctl.localnet.snapshots import Named
from cbctl.localnet.store import Store


def summary(folder: Path, store: Store) -> dict[str, object]:
    """As of the last save. `bytes` is all that the state folder takes on disk."""
    head, genesis = store.head, store.head.genesis
    return {
        "genesisHash": str(Hash(bytes.fromhex(genesis.genesis_hash))),
        "slot": head.moment.slot,
        "unixTime": head.moment.unix_time,
        "slotMs": genesis.slot_ms,
        "transactions": head.transactions,
        "accounts": store.count_accounts(),
        "programs": [str(program) for program in store.programs()],
        "bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        "state": str(folder.absolute()),
        "snapshots": Named(folder).names(),
        "features": list(genesis.activated),
        "deactivatedFeatures": list(genesis.deactivated),
    }
