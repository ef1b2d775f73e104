"""One spelling for names that are written in several."""

from __future__ import annotations

import re


def snake(name: str) -> str:
    """openTheDoor, OpenTheDoor and open_the_door are one name."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
