"""A command that could not be carried out here: somewhere else, or with its reason."""

from __future__ import annotations

import sys

from cbctl.errors import CbctlError
from cbctl.render.failure import show
from cbctl.wiring.inside import OnlyInside, relay


def ended(error: CbctlError) -> int:
    """The exit code: of the command inside the cluster where only that reaches what it is about,
    else of the error, which is shown."""
    if isinstance(error, OnlyInside):
        try:
            return relay(error.work, sys.argv[1:])
        except CbctlError as other:
            error = other
    show(error, sys.stderr)
    return int(error.exit)
