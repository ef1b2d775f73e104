"""One JSON object per line on stderr: `ts`, `level`, `event`, then the event's own fields.

Our own events are logged as `log.info("name", extra=fields(key=value))`. What libraries say comes
as event `library` with their text. Every known secret is blanked in whatever is printed.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

log = logging.getLogger("cbapi")


def fields(**values: object) -> dict[str, object]:
    return {"fields": values}


def configure(level: str, secrets: Iterable[str] = ()) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries log connection details and growth of pools at info: theirs only from warnings up.
    root.setLevel(logging.WARNING)
    log.setLevel(level.upper())


class JsonFormatter(logging.Formatter):
    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        # The longest first: a URL before the password that is part of it.
        self._secrets = sorted(set(secrets) - {""}, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
        }
        message = record.getMessage()
        if record.name == log.name:
            line["event"] = message
            line |= getattr(record, "fields", {})
        else:
            line |= {"event": "library", "logger": record.name, "message": message}
        if record.exc_info:
            line["stack"] = self.formatException(record.exc_info)
        return msgspec.json.encode(self._blank(line), enc_hook=repr).decode()

    def _blank(self, value: Any) -> Any:
        if isinstance(value, str):
            for secret in self._secrets:
                value = value.replace(secret, "***")
            return value
        if isinstance(value, dict):
            return {key: self._blank(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._blank(item) for item in value]
        if value is None or isinstance(value, (bool, int, float)):
            return value
        return self._blank(repr(value))
