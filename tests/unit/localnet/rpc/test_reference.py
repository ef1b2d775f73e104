"""The reference names every method there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from cbctl.localnet.rpc.dispatch import ALL_METHODS

REFERENCE = Path(__file__).parents[4] / "docs" / "reference" / "localnet.md"


def test_the_reference_lists_the_methods() -> None:
    listed = re.findall(
        r"`((?:get|is|localnet_|minimum|request|send|simulate)[A-Z_]?\w+)`", REFERENCE.read_text()
    )
    assert set(listed) == set(ALL_METHODS)
