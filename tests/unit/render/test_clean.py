from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.render.support import CONTROL, NASTY

from cbctl.render.clean import clean, evidence_lines, rows


def test_colours_go_and_other_controls_become_visible() -> None:
    assert clean("\x1b[1;31mred\x1b[0m") == "red"
    assert clean("\x1b]0;title\x07") == "\\x1b]0;title\\x07"
    assert clean("a\x9b2Jb") == "a\\x9b2Jb"
    assert clean("evil\u202etxt") == "evil\\u202etxt"
    assert clean("a\tb\nc") == "a b c"
    assert clean("\udc80") == "\\udc80"
    assert clean("größer → 日本") == "größer → 日本"


def test_no_command_to_the_github_runner_in_the_middle_of_a_line() -> None:
    assert "##[" not in clean("x ##[error]y")


@given(st.text())
def test_nothing_steers_a_terminal(text: str) -> None:
    line = clean(text)
    assert not CONTROL.search(line) and "\n" not in line
    line.encode()
    for one in rows(text):
        assert not CONTROL.search(one)


def test_evidence_keeps_its_shape() -> None:
    found = evidence_lines(
        {"status": "exited 1", "ready": False, "log": ["one", "two\nthree"], "pod": {"name": "a"}}
    )
    assert found == [
        "status: exited 1",
        "ready: false",
        "log:",
        "  one",
        "  two",
        "  three",
        "pod: name: a",
    ]


def test_of_too_much_evidence_the_newest_lines_stay() -> None:
    found = evidence_lines({"log": [f"line {n}" for n in range(1000)]})
    assert len(found) == 41
    assert found[-1] == "  line 999"
    assert "… 961 lines left out …" in found
    assert len(evidence_lines("x" * 10_000)[0]) == 500


def test_a_hostile_log_line() -> None:
    assert evidence_lines({"log": NASTY}) == [
        "log:",
        "  \\x1b]0;owned\\x07\\x1b[2Jred",
        "  next\\x9b31m\\u202e",
    ]
