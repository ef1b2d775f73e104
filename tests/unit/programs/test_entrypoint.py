"""Instruction data that belongs to no instruction."""

from __future__ import annotations

import pytest
from solders.instruction import Instruction
from tests.unit.programs.crypto_bet import Error, Platform, Scope, discriminator, emergency_pause
from tests.unit.programs.svm import Chain


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        discriminator("global", "emergency_pause")[:7],
        bytes(8),
        discriminator("global", "place_order"),
        discriminator("account", "GlobalConfig"),
        discriminator("global", "emergencyPause"),
        discriminator("global", "emergency_pause")[::-1] + b"\x01",
    ],
)
def test_unknown_or_short_data_is_refused(chain: Chain, platform: Platform, data: bytes) -> None:
    whole = emergency_pause(platform.program, platform.authority.pubkey(), Scope.NEW_BETS)
    outcome = chain.send([Instruction(whole.program_id, data, whole.accounts)], platform.authority)
    assert outcome.error == Error.FALLBACK_NOT_FOUND


def test_no_accounts_and_no_data(chain: Chain, platform: Platform) -> None:
    outcome = chain.send([Instruction(platform.program.id, b"", [])], platform.authority)
    assert outcome.error == Error.FALLBACK_NOT_FOUND
