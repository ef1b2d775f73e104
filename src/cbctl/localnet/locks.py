"""Which accounts a transaction can write to. Rules: solana-message, agave-reserved-account-keys."""

from __future__ import annotations

from collections.abc import Sequence

from solders.pubkey import Pubkey

from cbctl.localnet.programs import UPGRADEABLE_LOADER
from cbctl.localnet.transactions import AnyMessage, Loaded, writable_keys

# Nobody can write to these, whatever a message says.
_RESERVED = frozenset(
    map(
        Pubkey.from_string,
        (
            "11111111111111111111111111111111",
            "AddressLookupTab1e1111111111111111111111111",
            "BPFLoader1111111111111111111111111111111111",
            "BPFLoader2111111111111111111111111111111111",
            "BPFLoaderUpgradeab1e11111111111111111111111",
            "ComputeBudget111111111111111111111111111111",
            "Config1111111111111111111111111111111111111",
            "Ed25519SigVerify111111111111111111111111111",
            "Feature111111111111111111111111111111111111",
            "KeccakSecp256k11111111111111111111111111111",
            "LoaderV411111111111111111111111111111111111",
            "NativeLoader1111111111111111111111111111111",
            "Secp256r1SigVerify1111111111111111111111111",
            "Stake11111111111111111111111111111111111111",
            "StakeConfig11111111111111111111111111111111",
            "Sysvar1111111111111111111111111111111111111",
            "Sysvar1nstructions1111111111111111111111111",
            "SysvarC1ock11111111111111111111111111111111",
            "SysvarEpochRewards1111111111111111111111111",
            "SysvarEpochSchedu1e111111111111111111111111",
            "SysvarFees111111111111111111111111111111111",
            "SysvarLastRestartS1ot1111111111111111111111",
            "SysvarRecentB1ockHashes11111111111111111111",
            "SysvarRent111111111111111111111111111111111",
            "SysvarRewards111111111111111111111111111111",
            "SysvarS1otHashes111111111111111111111111111",
            "SysvarS1otHistory11111111111111111111111111",
            "SysvarStakeHistory1111111111111111111111111",
            "Vote111111111111111111111111111111111111111",
            "ZkE1Gama1Proof11111111111111111111111111111",
            "ZkTokenProof1111111111111111111111111111111",
        ),
    )
)


def writable(message: AnyMessage, keys: Sequence[Pubkey], loaded: Loaded) -> set[Pubkey]:
    """Of those that it asks to write to, those that are no reserved account and no program."""
    asked = set(writable_keys(message, keys, loaded)) - _RESERVED
    if UPGRADEABLE_LOADER in keys:  # which may change the programs of its own transaction
        return asked
    return asked - {keys[call.program_id_index] for call in message.instructions}
