"""How the database goes back with the code: by which down files, or to which backup, and what is
lost by it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cbctl.clients.backups.place import Kept
from cbctl.clients.postgres.compare import SchemaRange, back
from cbctl.clients.postgres.ledger import Applied
from cbctl.clients.postgres.migrations import Migration
from cbctl.clients.postgres.statements import split
from cbctl.errors import CbctlError, Exit

_TAKES: Final = re.compile(r"\b(DROP|TRUNCATE|DELETE)\b", re.IGNORECASE)


@dataclass(frozen=True)
class WayBack:
    """
    to     the highest migration that stays
    down   the down files that run, in this order
    backup  id of the backup that takes the place of the database; "" where down files do
    lost   what is gone afterwards, one line each
    """

    to: int
    down: tuple[str, ...] = ()
    backup: str = ""
    lost: tuple[str, ...] = ()

    @property
    def needed(self) -> bool:
        return bool(self.down or self.backup)


def way_back(
    code: SchemaRange,
    migrations: Sequence[Migration],
    applied: Sequence[Applied],
    backups: Sequence[Kept],
) -> WayBack:
    """What brings the schema to where the code works with it. Changes nothing.

    code  the range of the release that is gone back to
    Down files come first, and no more of them than needed: a backup loses all that was written
    since. Only a proved backup is taken. Raises CbctlError (7) when there is neither.
    """
    now = max((row.version for row in applied), default=0)
    too_new = [row.version for row in applied if row.phase == "post" and row.version > code.max]
    if not too_new:
        return WayBack(now)
    to = max((row.version for row in applied if row.version < min(too_new)), default=0)
    files = {one.entry.version: one for one in migrations}
    way = back([one.entry for one in migrations], applied, to)
    if not way.problem and to >= code.min:
        scripts = [files[entry.version] for entry in way.due]
        lost = [line for one in scripts for line in _taken(one)]
        return WayBack(to, tuple(str(one.down and one.down.name) for one in scripts), "", (*lost,))
    able = [
        (one, one.manifest)
        for one in backups
        if one.proved and one.manifest and code.min <= one.manifest.schema_version <= code.max
    ]
    if able:
        chosen, manifest = max(able, key=lambda pair: pair[1].made_at)
        lost = [f"everything that was written since {manifest.made_at}"]
        return WayBack(manifest.schema_version, (), chosen.id, tuple(lost))
    why = way.problem or f"schema {to:04d} is older than the code needs ({code.min:04d})"
    raise CbctlError(
        f"the database cannot go back: {why}; and there is no proved backup whose schema is "
        f"between {code.min:04d} and {code.max:04d}",
        exit=Exit.REFUSED,
        fix=f"{way.fix or 'choose a newer release'}; or prove a backup of that time: "
        "cbctl db verify-backup BACKUP",
    )


def _taken(migration: Migration) -> list[str]:
    """The statements of a down file after which something is gone."""
    script = migration.way_back()
    if script is None:
        return []
    words = [statement.words for statement in split(script.text)]
    return [f"{migration.entry.title}: {one}" for one in words if _TAKES.search(one)]
