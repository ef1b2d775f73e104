"""The public clusters, which are known by their genesis hashes.

Source of the hashes: `ClusterType::get_genesis_hash` of the Solana SDK.
"""

from __future__ import annotations

MAINNET = "mainnet-beta"
PUBLIC = {
    "devnet": "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG",
    "testnet": "4uhcVJyU9pJkvQyUS88uRDiswHXSCkY3zQawwpjk2NsY",
    MAINNET: "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d",
}
