from __future__ import annotations

import io
import os
from pathlib import Path

from tests.unit.render.support import CONTROL, NASTY

from cbctl.errors import CbctlError
from cbctl.render.failure import show, text


def test_the_whole_text() -> None:
    error = CbctlError(
        "the database does not answer",
        where="localhost:5432",
        fix="cbctl up local",
        evidence={"log": ["FATAL: no space left", "shutting down"], "tries": 3},
    )
    assert text(error) == (
        "error: the database does not answer\n"
        "where: localhost:5432\n"
        "fix: cbctl up local\n"
        "  | log:\n"
        "  |   FATAL: no space left\n"
        "  |   shutting down\n"
        "  | tries: 3\n"
    )


def test_only_what_is_known_is_written() -> None:
    assert text(CbctlError("no environment")) == "error: no environment\n"


def test_text_from_outside_steers_no_terminal_and_no_ci() -> None:
    shown = text(
        CbctlError("a\n::error::b" + NASTY, where=NASTY, fix=NASTY, evidence={NASTY: NASTY})
    )
    assert not CONTROL.search(shown)
    assert not any(line.lstrip().startswith("::") for line in shown.splitlines())


def test_it_is_written_and_a_broken_pipe_is_no_second_failure() -> None:
    stream = io.StringIO()
    show(CbctlError("x"), stream)
    assert stream.getvalue() == "error: x\n"
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as broken:
        show(CbctlError("x"), broken)


def test_a_stream_that_cannot_carry_unicode(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w", encoding="ascii") as stream:
        show(CbctlError("a → b… 日本"), stream)
    assert (tmp_path / "out").read_text() == "error: a -> b... ??\n"
