"""The file that says which versions of the schema the code works with."""

from __future__ import annotations

import json
from pathlib import Path

from cbctl.clients.postgres.compare import SchemaRange
from cbctl.clients.postgres.migrations import Entry
from cbctl.errors import CbctlError, Exit


def read_range(path: Path | None, folder: tuple[Entry, ...]) -> SchemaRange:
    """{"min": n, "max": n} from a JSON file. Raises CbctlError (64) that names the file."""
    if path is None:
        return SchemaRange(0, max((entry.version for entry in folder), default=0))
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _bad_range(path, f"cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise _bad_range(path, f"is not JSON: {error}") from None
    if not isinstance(content, dict) or set(content) != {"min", "max"}:
        raise _bad_range(path, "does not have exactly the keys min and max")
    low, high = content["min"], content["max"]
    if not all(type(value) is int for value in (low, high)) or not 0 <= low <= high:
        raise _bad_range(path, "needs whole numbers with 0 <= min <= max")
    return SchemaRange(low, high)


def _bad_range(path: Path, what: str) -> CbctlError:
    return CbctlError(
        f"the schema range {what}",
        where=str(path),
        exit=Exit.USAGE,
        fix='write {"min": 1, "max": 7}: the schema versions that the code works with',
    )
