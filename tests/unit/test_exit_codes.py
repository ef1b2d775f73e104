"""The documented table is the one in the code."""

from __future__ import annotations

import re
from pathlib import Path

from cbctl.errors import Exit

TABLE = Path(__file__).parents[2] / "docs" / "reference" / "exit-codes.md"


def test_the_documented_codes_are_the_ones_in_the_code() -> None:
    rows = re.findall(r"^\| (\d+) \| ([a-z ]+) \|", TABLE.read_text(), re.MULTILINE)
    documented = {int(code): name.strip().replace(" ", "_").upper() for code, name in rows}
    assert documented == {int(code): code.name for code in Exit}
