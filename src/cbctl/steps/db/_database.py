"""What the steps on a database have in common."""

from __future__ import annotations

from cbctl.clients.postgres.address import Address, parse
from cbctl.clients.postgres.migrations import Entry
from cbctl.config.types import Reference
from cbctl.engine.step import Context


def address_of(ctx: Context, url: Reference) -> Address:
    """Raises CbctlError (64) for a URL that is malformed, and as revealing it does."""
    return parse(ctx.reveal(url), where=url.setting or url.text)


def what(entry: Entry) -> str:
    """A migration as plans name it."""
    return f"migration {entry.title}"
