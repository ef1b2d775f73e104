"""`key-backup.json` in the state folder: the last backup of the keypairs that was proved.

No secret: addresses, whom the backup is encrypted for, and the hash of its file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from cbctl.errors import CbctlError, Exit
from cbctl.local.files import write_atomic

_FILE = "key-backup.json"


@dataclass(frozen=True)
class KeyBackup:
    """
    addresses  by setting: whose keys are in it
    recipient  whom it is encrypted for
    sha256     of the encrypted file
    proved     when it was read again and opened, in seconds since the epoch
    """

    addresses: Mapping[str, str]
    recipient: str
    sha256: str
    proved: float

    @property
    def when(self) -> str:
        """UTC, for people."""
        return datetime.fromtimestamp(self.proved, UTC).strftime("%Y-%m-%d %H:%M UTC")


def write(state: Path, backup: KeyBackup) -> None:
    write_atomic(state / _FILE, f"{json.dumps(asdict(backup), indent=2)}\n".encode())


def read(state: Path) -> KeyBackup | None:
    """None where there is none. Errors: CbctlError (7) for one that is damaged."""
    path = state / _FILE
    try:
        found = json.loads(path.read_bytes())
        addresses = {str(name): str(text) for name, text in found["addresses"].items()}
        return KeyBackup(
            addresses, str(found["recipient"]), str(found["sha256"]), float(found["proved"])
        )
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise CbctlError(
            "the record of the backup of the keys is damaged",
            exit=Exit.REFUSED,
            where=str(path),
            fix="make another backup: cbctl program keys backup",
        ) from None
