"""Our SQL: one statement or script per file in `sql/`, loaded by name."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "sql"


@cache
def query(name: str, schema: str = "") -> bytes:
    """The text of `sql/<name>.sql`, with `{schema}` replaced by the quoted schema name.

    Migrations may change search_path, so our tables are always named with their schema.
    """
    text = (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    return text.replace("{schema}", quoted(schema).replace("%", "%%")).encode()


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
