"""Takes every secret that is known here out of whatever is about to be shown or journalled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cbctl.config.types import Secret
from cbctl.secrets.forms import PART, SHORTEST, parts, whole

HIDDEN = "***"


class Scrubber:
    """Knows what was revealed in this process, and what the local state keeps: a service gets
    those without cbctl revealing them, and may print them when it fails.

    state  the folder of the local state; None: there is none
    Safe between threads: what is known is replaced as a whole.
    """

    def __init__(self, state: Path | None = None) -> None:
        self._folder = None if state is None else state / "secrets"
        self._seen = 0
        self._kept: frozenset[str] = frozenset()
        self._revealed: frozenset[str] = frozenset()
        self._known = _Known.of(frozenset())

    def remember(self, secret: Secret) -> Secret:
        self._revealed |= {secret.reveal().strip()}
        return secret

    def scrub(self, text: str) -> str:
        if len(text) < SHORTEST:
            return text  # nor can a secret be in it
        self._look()
        values = self._kept | self._revealed
        if values != self._known.values:
            self._known = _Known.of(values)
        return self._known.taken_out(text)

    def _look(self) -> None:
        """Reads the state's secrets again when one was added or replaced."""
        if self._folder is None:
            return
        try:
            changed = self._folder.stat().st_mtime_ns
            if changed == self._seen:
                return
            self._kept = frozenset(text.strip() for text in _contents(self._folder))
            self._seen = changed
        except OSError:
            return  # no state yet, or one that is being removed


def _contents(folder: Path) -> Iterator[str]:
    for file in folder.iterdir():
        if not file.name.startswith("."):
            with suppress(OSError):  # what cannot be read, no service has been given
                yield file.read_text(errors="replace")


@dataclass
class _Known:
    """begins  forms of the values by their first PART characters, the longest first: one look at
               each place of a text tells whether any begins there
    short      forms that are shorter than that
    pieces     all that a place of a text may begin with: in most texts none does
    """

    values: frozenset[str]
    begins: dict[str, list[str]] = field(default_factory=dict)
    short: set[str] = field(default_factory=set)
    parts: set[str] = field(default_factory=set)
    pieces: frozenset[str] = frozenset()

    @classmethod
    def of(cls, values: frozenset[str]) -> _Known:
        known = cls(values)
        for value in values:
            for form in whole(value):
                if len(form) >= PART:
                    known.begins.setdefault(form[:PART], []).append(form)
                elif len(form) >= SHORTEST:
                    known.short.add(form)
            known.parts.update(parts(value))
        for forms in known.begins.values():
            forms.sort(key=len, reverse=True)
        known.pieces = frozenset(known.parts.union(known.begins))
        return known

    def taken_out(self, text: str) -> str:
        if not self.pieces.isdisjoint(text[at : at + PART] for at in range(len(text) - PART + 1)):
            text = self._long_taken_out(text)
        for form in self.short:
            text = text.replace(form, HIDDEN)
        return text

    def _long_taken_out(self, text: str) -> str:
        kept: list[str] = []
        at = begin = 0
        while at <= len(text) - PART:
            end = self._end(text, at)
            if end == at:
                at += 1
                continue
            kept += [text[begin:at], HIDDEN]
            at = begin = end
        return "".join((*kept, text[begin:]))

    def _end(self, text: str, at: int) -> int:
        """Where a secret that begins here ends; `at` where none does."""
        piece = text[at : at + PART]
        for form in self.begins.get(piece, ()):
            if text.startswith(form, at):
                return at + len(form)
        end = at
        while piece in self.parts:
            end = at + PART
            at += 1
            piece = text[at : at + PART]
        return end
