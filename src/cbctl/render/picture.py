"""Lines of the live view as text for a terminal, by rich. Imported only when there is one."""

from __future__ import annotations

import io
from collections.abc import Mapping

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from cbctl.render.clean import clean, cut
from cbctl.render.ending import Row, grouped
from cbctl.render.lines import where_it_is
from cbctl.render.story import State, StepStory
from cbctl.render.words import changed, count, duration

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_BAR = 16
_MARKS: dict[State, tuple[str, str, str]] = {
    # state: mark, the same in ASCII, style
    "waiting": ("·", ".", "dim"),
    "changed": ("✓", "*", "green"),
    "unchanged": ("=", "=", "dim"),
    "failed": ("✗", "x", "bold red"),
    "undone": ("↶", "<", "yellow"),
    "not undone": ("!", "!", "bold red"),
    "waits": ("…", "~", "bold yellow"),
}
_TONES = {"good": "bold green", "bad": "bold red", "stopped": "bold yellow"}
_FIRST: tuple[State, ...] = ("failed", "not undone", "undoing", "running", "undone", "waits")


class Painter:
    """Draws for one width. Every line fits it, so that a picture has as many rows as lines.

    names  columns that the ids of the steps need
    """

    def __init__(self, columns: int, environ: Mapping[str, str], unicode: bool) -> None:
        self.columns = columns
        self.names = 0
        self._width = max(10, columns - 1)
        self._unicode = unicode
        self._known: dict[tuple[object, ...], str] = {}
        self._console = Console(
            file=io.StringIO(),
            force_terminal=True,
            width=self._width,
            height=24,
            markup=False,
            highlight=False,
            emoji=False,
            legacy_windows=False,
            _environ=dict(environ),
        )

    def choose(self, steps: list[StepStory], room: int) -> list[StepStory]:
        """The steps that matter now, in the order of the plan."""
        if len(steps) <= room:
            return steps
        later: tuple[State, ...] = ("waiting", "changed", "unchanged")
        ranked = sorted(
            steps,
            key=lambda s: _FIRST.index(s.state) if s.state in _FIRST else 9 + later.index(s.state),
        )
        kept = {id(step) for step in ranked[: max(1, room - 1)]}
        return [step for step in steps if id(step) in kept]

    def step(self, step: StepStory, now: float, looking: bool) -> str:
        active = step.state in ("running", "undoing") or (looking and not step.verdict)
        if active:
            frames = _FRAMES if self._unicode else "|/-\\"
            mark, style = frames[int(now * 8) % len(frames)], "cyan"
        else:
            good, plain, style = _MARKS[step.state]
            mark = good if self._unicode else plain
        line = Text.assemble(" ", (mark, style), " ")
        line.append(set_cell_size(clean(step.id), self._names()) + "  ")
        told = self._told(step, now, looking)
        room = self._width - line.cell_len - (told[1].cell_len + 1 if told[1] else 0)
        left = told[0]
        left.truncate(max(4, room), overflow="ellipsis", pad=bool(told[1]))
        line.append_text(left)
        if told[1]:
            line.append(" ").append_text(told[1])
        return self._ansi(line)

    def holder(self, holder: str) -> str:
        return self._ansi(Text(f" waiting for the lock, held by {clean(holder)}", "yellow"))

    def faint(self, text: str) -> str:
        return self._ansi(Text(text, "dim"))

    def rows(self, rows: list[Row]) -> list[str]:
        """The last screen: labels on the left, long text wrapped beside them."""
        tone, title = rows[0]
        lines = self._wrapped(Text(), Text(title, _TONES.get(tone, "bold")))
        for label, text in grouped(rows[1:]):
            if label == "|":
                # about two rows each, or what happened is scrolled away by what explains it
                head = Text.assemble(" " * 9, ("| ", "dim"))
                lines += self._wrapped(head, Text(cut(text, 2 * (self._width - 12))), head)
            else:
                lines += self._wrapped(Text(f"{label:<9}", "bold"), Text(text))
        return lines

    def _names(self) -> int:
        return min(self.names, 24, self._width // 3)

    def _told(self, step: StepStory, now: float, looking: bool) -> tuple[Text, Text]:
        """What is said of a step on the left, and its bar and time on the right."""
        if looking:
            return self._looked(step), Text()
        took = Text(duration(step.seconds) if step.seconds is not None else "", "dim")
        match step.state:
            case "running" | "undoing":
                said = where_it_is(step) or clean(step.summary)
                if step.state == "undoing":
                    said = f"undoing: {said}"
                right = self._bar(step)
                right.append(duration(max(0.0, now - step.since)), "dim")
                return Text(said), right
            case "changed":
                more = f", and {len(step.changes) - 1} more" if len(step.changes) > 1 else ""
                room = self._width - self._names() - 6 - took.cell_len - len(more)
                first, *_ = changed(step.changes[:1], room) or ["changed"]
                return Text(first + more), took
            case "unchanged":
                return Text("already right", "dim"), took
            case "failed":
                return Text(clean(step.error), "red"), took
            case "not undone":
                return Text(f"not undone: {clean(step.cannot)}", "red"), took
            case "undone":
                return Text("undone", "yellow"), took
            case "waits":
                return Text(clean(step.error), "yellow"), took
        return Text("waiting", "dim"), took

    def _looked(self, step: StepStory) -> Text:
        match step.verdict:
            case "":
                return Text(where_it_is(step) or "looking", "dim")
            case "nothing":
                return Text("already right", "dim")
            case "changes":
                return Text(count(len(step.changes), "change") + " to make")
            case "blocked":
                return Text(f"blocked: {clean(step.because)}", "bold red")
            case _:
                return Text(f"decided {clean(step.because)}", "dim")

    def _bar(self, step: StepStory) -> Text:
        bar = Text()
        if step.done is not None and step.total:
            full = round(_BAR * min(1.0, max(0.0, step.done / step.total)))
            on, off = ("━", "┄") if self._unicode else ("#", "-")
            bar.append(on * full, "cyan").append(off * (_BAR - full), "dim").append(" ")
        return bar

    def _wrapped(self, head: Text, body: Text, again: Text | None = None) -> list[str]:
        """`body` beside `head`; further rows begin with `again`, or with room for it."""
        indent = cell_len(head.plain)
        again = again or Text(" " * indent)
        found: list[str] = []
        for line in body.wrap(self._console, max(10, self._width - indent)):
            line.rstrip()
            found.append(self._ansi(Text.assemble(again if found else head, line)))
        return found or [self._ansi(head)]

    def _ansi(self, line: Text) -> str:
        # most lines of a picture are those of the picture before
        key = (line.plain, str(line.style), tuple(line.spans))
        if key not in self._known:
            if len(self._known) > 500:
                self._known.clear()
            line.truncate(self._width, overflow="ellipsis")
            with self._console.capture() as captured:
                self._console.print(line, end="", soft_wrap=True)
            self._known[key] = captured.get()
        return self._known[key]
