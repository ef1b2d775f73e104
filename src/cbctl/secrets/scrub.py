"""Takes every value that was revealed out of whatever is about to be shown or journalled."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit

from cbctl.config.types import Secret

_SHORTEST = 6
"""Shorter values (a port, "yes") are no secrets, and taking them out would garble every text."""


class Scrubber:
    """Remembers what was revealed in this process. Safe between threads: it only grows."""

    def __init__(self) -> None:
        self._values: set[str] = set()

    def remember(self, secret: Secret) -> Secret:
        value = secret.reveal()
        pieces = {value, value.strip(), quote(value, safe="")}
        if "://" in value:
            try:
                password = urlsplit(value).password or ""
            except ValueError:
                password = ""
            pieces |= {password, unquote(password)}
        self._values |= {p for p in pieces if len(p) >= _SHORTEST}
        return secret

    def scrub(self, text: str) -> str:
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, "***")
        return text
