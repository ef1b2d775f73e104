"""Events of a made-up run, and a small terminal that shows what a person would see."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from cbctl.engine.event import Event

RUN = "20261122T193348-9f3a1c"
AT = "2026-11-22T19:33:48.123Z"
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
CHANGES: list[dict[str, Any]] = [
    {"what": "program bytes", "before": "3f9a" * 16, "after": "77b0" * 16},
    {"what": "authority", "before": None, "after": "9xQeWvG816bUx9EPjHmaT23yvVM2ZWbr"},
]
NASTY = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x1b[0m\r\nnext\x9b31m\u202e"


def event(type: str, run: str = RUN, **data: Any) -> Event:
    return Event(type, AT, run, data)


def planning() -> list[Event]:
    return [
        event("plan.started", "", steps=["postgres", "program", "api"]),
        _observed("postgres", "nothing"),
        _observed("program", "changes", changes=CHANGES, summary="Uploads the program"),
        _observed("api", "after", because="after program", summary="Starts the API"),
        event("plan.ready", "", hash="ab" * 32, changes=2),
    ]


def success() -> list[Event]:
    return [
        *planning(),
        event("run.started", kind="deploy", resumed=False),
        event("step.done", step="postgres", changed=False, changes=[], outcome=None, seconds=0.2),
        *_program(),
        _started("api", "Starts the API"),
        event(
            "step.done",
            step="api",
            changed=True,
            changes=[{"what": "process", "before": None, "after": "cbapi"}],
            outcome=None,
            seconds=65.0,
        ),
        event(
            "run.ended",
            run=RUN,
            result="succeeded",
            exit=0,
            changes=[
                *({"step": "program", **c} for c in CHANGES),
                {"step": "api", "what": "process", "before": None, "after": "cbapi"},
            ],
            release="7",
            error=None,
        ),
    ]


def failure(text: str = "the API did not answer within 120 s") -> list[Event]:
    return [
        *planning(),
        event("run.started", kind="deploy", resumed=False),
        event("step.done", step="postgres", changed=False, changes=[], outcome=None, seconds=0.2),
        *_program(),
        _started("api", "Starts the API"),
        event(
            "step.failed",
            step="api",
            phase="verify",
            error=text,
            where="api",
            fix="cbctl logs api",
            evidence={"status": "exited 1", "log": ["\x1b[31mpanic: no table\x1b[0m", NASTY]},
        ),
        event("step.undone", step="program", cannot="the old bytes are gone"),
        event(
            "run.ended",
            run=RUN,
            result="not undone",
            exit=5,
            changes=[{"step": "program", **c} for c in CHANGES],
            release=None,
            error={
                "what": text,
                "where": "api",
                "fix": f"cbctl logs api; cbctl resume {RUN} goes on from there",
            },
        ),
    ]


def waiting(text: str = "waiting for 2 signatures") -> list[Event]:
    return [
        *planning(),
        event("run.started", kind="deploy", resumed=False),
        event("step.done", step="postgres", changed=False, changes=[], outcome=None, seconds=0.2),
        _started("program", "Uploads the program"),
        event("step.waiting", step="program", what=text, fix="sign it", evidence={"base58": "3x"}),
        event(
            "run.ended",
            run=RUN,
            result="waiting",
            exit=5,
            changes=[{"step": "program", **c} for c in CHANGES],
            release=None,
            error={
                "what": text,
                "where": "program",
                "fix": f"sign it; cbctl resume {RUN} goes on from there",
            },
        ),
    ]


def _observed(step: str, verdict: str, **data: Any) -> Event:
    plain: dict[str, Any] = {"because": "", "changes": [], "summary": "", "evidence": {}}
    return event("step.observed", "", step=step, verdict=verdict, **{**plain, **data})


def _started(step: str, summary: str) -> Event:
    return event("step.started", step=step, phase="apply", summary=summary, changes=[])


def _program() -> list[Event]:
    return [
        _started("program", "Uploads the program"),
        event("step.progress", step="program", message="writing", done=300, total=1000),
        event("step.progress", step="program", message="writing", done=900, total=1000),
        event(
            "step.done", step="program", changed=True, changes=CHANGES, outcome=None, seconds=12.4
        ),
    ]


@dataclass
class Clock:
    at: float = 1000.0

    def now(self) -> float:
        return self.at

    def wall(self) -> float:
        return self.at + 1_795_000_000.0


@dataclass
class Tty:
    """Just enough of a terminal: text, CR, LF, cursor up, erase to the end of line or screen.

    Anything else that steers a terminal is a failure, except colours when they are allowed.
    """

    columns: int = 80
    rows: int = 24
    colours: bool = True
    scrolled: list[str] = field(default_factory=list)
    screen: list[str] = field(default_factory=lambda: [""])
    row: int = 0
    column: int = 0

    def feed(self, text: str) -> None:
        for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b|[\r\n]|[^\x1b\r\n]+", text):
            match part:
                case "\r":
                    self.column = 0
                case "\n":
                    self._down()
                case _ if part.startswith("\x1b"):
                    self._steer(part)
                case _:
                    self._put(part)

    @property
    def seen(self) -> list[str]:
        """Scrollback and screen, as a person would read it by scrolling up."""
        lines = [line.rstrip() for line in [*self.scrolled, *self.screen]]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def _put(self, text: str) -> None:
        assert not CONTROL.search(text), f"control byte in {text!r}"
        while text:
            if self.column == self.columns:  # wraps, as terminals do
                self.column = 0
                self._down()
            part, text = text[: self.columns - self.column], text[self.columns - self.column :]
            line = self.screen[self.row].ljust(self.column)
            end = self.column + len(part)
            self.screen[self.row] = line[: self.column] + part + line[end:]
            self.column = end

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.screen):
            self.screen.append("")
        while len(self.screen) > self.rows:
            self.scrolled.append(self.screen.pop(0))
            self.row -= 1

    def _steer(self, code: str) -> None:
        match code[2:-1], code[-1:]:
            case number, "A":
                self.row = max(0, self.row - int(number or 1))
            case "", "K":
                self.screen[self.row] = self.screen[self.row][: self.column]
            case "", "J":
                del self.screen[self.row + 1 :]
                self.screen[self.row] = self.screen[self.row][: self.column]
            case number, "m":
                # colours are the 30s and 90s; bold and faint are none
                coloured = any(n[:1] in "39" and len(n) == 2 for n in number.split(";"))
                assert self.colours or not coloured, code
            case _:
                raise AssertionError(f"unexpected control sequence {code!r}")
