"""`db.clone`: restores a backup without what roles may do by it: another environment's data, or
one's own where the roles are others."""

from __future__ import annotations

from cbctl.steps.db.restore import Restore


class Clone(Restore):
    summary = "Restores data of another environment, its people made other people"
    grants = False
    command = "cbctl db clone --from BACKUP"


STEP = Clone()
