"""Takes every secret that is known here out of whatever is about to be shown or journalled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from cbctl.config.types import Secret

_SHORTEST = 6
"""Shorter values (a port, "yes") are no secrets, and taking them out would garble every text."""


class Scrubber:
    """Knows what was revealed in this process, and what the local state keeps: a service gets
    those without cbctl revealing them, and may print them when it fails.

    state  the folder of the local state; None: there is none
    Safe between threads: each set is replaced as a whole.
    """

    def __init__(self, state: Path | None = None) -> None:
        self._folder = None if state is None else state / "secrets"
        self._seen = 0
        self._kept: frozenset[str] = frozenset()
        self._revealed: frozenset[str] = frozenset()

    def remember(self, secret: Secret) -> Secret:
        self._revealed |= frozenset(_pieces(secret.reveal()))
        return secret

    def scrub(self, text: str) -> str:
        self._look()
        for value in sorted(self._revealed | self._kept, key=len, reverse=True):
            text = text.replace(value, "***")
        return text

    def _look(self) -> None:
        """Reads the state's secrets again when one was added or replaced."""
        if self._folder is None:
            return
        try:
            changed = self._folder.stat().st_mtime_ns
            if changed == self._seen:
                return
            self._kept = frozenset(p for t in _contents(self._folder) for p in _pieces(t))
            self._seen = changed
        except FileNotFoundError:
            return  # no state yet, or a file that was replaced this moment: the next look sees it


def _contents(folder: Path) -> Iterator[str]:
    for file in folder.iterdir():
        if not file.name.startswith("."):
            yield file.read_text(errors="replace")


def _pieces(value: str) -> Iterator[str]:
    """The forms in which a secret may turn up in a text."""
    value = value.strip()
    forms = {value, quote(value, safe="")}
    if "://" in value:
        try:
            parts = urlsplit(value)
            password = parts.password or ""
            # an address without anything that could be a key is no secret
            bare = not (parts.username or password or parts.query or parts.path.strip("/"))
        except ValueError:
            password, bare = "", False
        if bare:
            return
        forms |= {password, unquote(password)}
    elif value.startswith("["):
        forms.add(value.replace(" ", ""))
        forms.add(", ".join(part.strip() for part in value.split(",")))
    yield from (f for f in forms if len(f) >= _SHORTEST)
