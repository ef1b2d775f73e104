"""Features of the runtime that decide which programs a cluster takes.

Source: agave's feature set (enable_sbpf_v3_deployment_and_execution). Each is an account of the
feature program, made when it is proposed: an option (one byte) with the slot of its activation.
"""

from __future__ import annotations

from solders.pubkey import Pubkey

from cbctl.clients.solana.rpc import Rpc

OWNER = Pubkey.from_string("Feature111111111111111111111111111111111111")
SBPF_V3 = Pubkey.from_string("5cC3foj77CWun58pC51ebHFUWavHWKarWyR5UUik7dnC")


def active(rpc: Rpc, feature: Pubkey) -> bool:
    account = rpc.account(feature)
    return account is not None and account.owner == OWNER and account.data[:1] == b"\1"
