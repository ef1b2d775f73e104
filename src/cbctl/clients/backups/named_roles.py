"""Which roles a backup names: what is granted to them has to find them on the server.

Source: pg_dump's dumputils.c (how GRANT, REVOKE and default privileges are written) and pg_dump.c
(policies).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from cbctl.clients.postgres.tools import ToolFailed, Tools, Work, listing, script_of

_ENTRY: Final = re.compile(r"^\d+; \d+ \d+ ((?:DEFAULT )?ACL|POLICY) ")
_NAME: Final = r'("(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)'
_GRANTED: Final = re.compile(
    rf"^(?:GRANT|REVOKE|ALTER DEFAULT PRIVILEGES) .* (?:TO|FROM) {_NAME}(?: WITH GRANT OPTION)?;$",
    re.MULTILINE,
)
_OF: Final = re.compile(
    rf"^(?:ALTER DEFAULT PRIVILEGES FOR ROLE|SET SESSION AUTHORIZATION) {_NAME}", re.MULTILINE
)
_POLICY: Final = re.compile(
    rf"^CREATE POLICY .*? TO ({_NAME}(?:, {_NAME})*)(?:;| USING| WITH CHECK)", re.MULTILINE
)


def named_roles(archive: Path, tools: Tools, work: Work, *, grants: bool) -> frozenset[str]:
    """grants: also those that privileges are of. Empty where the archive cannot be read: that is
    found when it is restored."""
    try:
        kinds = ("ACL", "DEFAULT ACL", "POLICY") if grants else ("POLICY",)
        entries = [
            line
            for line in listing(tools, archive).splitlines()
            if (found := _ENTRY.match(line)) and found[1] in kinds
        ]
        if not entries:
            return frozenset()
        said = script_of(tools, archive, entries, work)
    except ToolFailed:
        return frozenset()
    named = [*_GRANTED.findall(said), *_OF.findall(said)]
    for some in _POLICY.findall(said):
        named += re.findall(_NAME, some[0])
    return frozenset(_plain(one) for one in named)


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
