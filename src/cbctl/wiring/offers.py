"""Files that hold an offer of the upgrade authority."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

from cbctl.errors import CbctlError, Exit
from cbctl.local.files import read_limited
from cbctl.steps.program.authority_offer import LIMIT, MARK, transaction_of


def is_offer(start: bytes) -> bool:
    """By the first bytes of a file."""
    return start.startswith(MARK)


def offered(file: str) -> str:
    """The transaction alone, base64: whatever else was named by mistake goes no further.

    file  `-` for standard input"""
    try:
        if file == "-":
            text = sys.stdin.buffer.read(LIMIT + 1).decode()
        else:
            text = read_limited(Path(file), LIMIT).decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise CbctlError(f"cannot be read: {why}", exit=Exit.USAGE, where=file) from None
    return base64.b64encode(transaction_of(text)).decode()
