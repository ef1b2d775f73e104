"""Nothing of the platform that lives in this repository is written in the command itself."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_name_of_the_platform_is_in_the_command_or_its_runbooks() -> None:
    files = [p for p in (ROOT / "src" / "cbctl").rglob("*") if p.suffix in (".py", ".sql")]
    files += (ROOT / "runbooks").glob("*.yaml")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"crypto.?bet|cbapi", line, re.IGNORECASE)
    ]
    assert len(files) > 100
    assert found == []
