"""What the runner is asked to do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.compare import Choice, SchemaRange
from cbctl.clients.postgres.ledger import Marker
from cbctl.clients.postgres.migrations import Migration
from cbctl.clients.postgres.waiting import Patience


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Job:
    """What to run, on whose behalf.

    marker         whose database it must be
    token          fencing token of the run's lock
    by             run id, kept beside the database role in applied_by
    create_marker  an empty database without a marker may be taken
    agreed         titles of the migrations that were shown; others are refused; None: any
    out_of_order   a migration whose number is lower than that of an applied one may run
    fence          called right before each change; raises when the run has to stop
    """

    address: Address
    migrations: Sequence[Migration]
    works_with: SchemaRange
    marker: Marker
    token: int
    phase: Choice = "auto"
    by: str = ""
    create_marker: bool = False
    agreed: Collection[str] | None = None
    out_of_order: bool = False
    fence: Callable[[], None] = _nothing
    patience: Patience = field(default_factory=Patience)
