"""SQL by name: `query("latest_program_config")` is the text of `sql/latest_program_config.sql`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "sql"


@cache
def query(name: str) -> bytes:
    """Bytes: psycopg takes as text only what is a literal in the source."""
    return (_FOLDER / f"{name}.sql").read_bytes()
