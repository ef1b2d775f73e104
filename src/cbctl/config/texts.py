"""Texts and numbers of a form of their own, as settings have them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

EnvironmentName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9-]{0,30}$",
        title="lower-case letters, digits and -, a letter first (at most 31)",
    ),
]
Text = Annotated[str, Meta(min_length=1)]
Port = Annotated[int, Meta(ge=1, le=65535, description="TCP port, 1 to 65535")]
UrlPath = Annotated[str, Meta(pattern=r"^/[^\s?#]*$", title="a path of a URL that begins with /")]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", title="letters, digits and _")]
TimeOfDay = Annotated[
    str,
    Meta(
        pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
        title='a time of day in quotes, "00:00" to "24:00"',
    ),
]
DnsLabel = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
        title="lower-case letters, digits and - (at most 63)",
    ),
]
Address = Annotated[str, Meta(pattern=r"^[1-9A-HJ-NP-Za-km-z]{32,44}$", title="32 bytes in base58")]
