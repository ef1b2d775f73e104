"""Which database schemas this code works with: `schema.json` is the one place that says so.

min  the oldest migration whose tables this code can do with
max  the newest migration that this code was tested with

The rule: `min` must have been applied. Migrations newer than `max` are accepted when all of them
ran in the phase `pre`, because those only add (they run before the code that needs them, while
this code still serves). A newer one of phase `post` takes something away: not accepted.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from cbapi.domain.readiness import CheckFailed


class SchemaRange(msgspec.Struct, frozen=True):
    min: int
    max: int


RANGE = msgspec.json.decode(
    (Path(__file__).parent.parent / "schema.json").read_bytes(), type=SchemaRange
)


def require(version: int | None, newest_post: int | None, accepted: SchemaRange = RANGE) -> None:
    """Raises CheckFailed when the live schema does not fit.

    version      newest migration applied, None when there is none
    newest_post  newest one that is not known to be of phase `pre`
    """
    known = {"schema": version, "min": accepted.min, "max": accepted.max}
    if version is None or version < accepted.min:
        raise CheckFailed("the schema is older than this version needs", **known)
    if newest_post is not None and newest_post > accepted.max:
        raise CheckFailed("the schema is newer than this version works with", **known)
