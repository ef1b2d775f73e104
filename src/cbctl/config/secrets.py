"""Secrets of the namespace that cbctl writes itself, where no operator of secrets does."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from cbctl.config.reference import Reference

SecretName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$",
        title="lower-case letters, digits, - and .",
    ),
]
SecretKey = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9._-]{1,253}$", title="letters, digits, -, _ and .")
]
Secrets = Annotated[
    dict[SecretName, dict[SecretKey, Reference]],
    Meta(
        description="by Secret and key, where its value is: ${env:NAME} or ${file:PATH};"
        " for `cbctl secrets write`"
    ),
]
