from __future__ import annotations

import io
import json
import os

from tests.unit.render.support import AT, NASTY, RUN, event, failure

from cbctl.render.ndjson import Ndjson


def test_every_event_is_one_line_and_the_last_is_the_result() -> None:
    stream = io.StringIO()
    face = Ndjson(stream)
    for one in [event("step.progress", step="a", message=NASTY + "\u2028é"), *failure()]:
        face(one)
    text = stream.getvalue()
    assert text.isascii() and text.isprintable() is False and text.endswith("\n")
    found = [json.loads(line) for line in text.splitlines()]
    assert len(found) == len(failure()) + 1
    assert found[0]["data"]["message"] == NASTY + "\u2028é"
    assert found[-1]["type"] == "run.ended" and found[-1]["data"]["exit"] == 5
    assert list(found[-1]) == ["type", "at", "run", "data"]
    assert (found[-1]["at"], found[-1]["run"]) == (AT, RUN)
    assert not set(map(ord, text)) & ({*range(32), 127} - {10})


def test_each_line_is_there_at_once() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream, os.fdopen(reading) as reader:
        face = Ndjson(stream)
        for one in failure():
            face(one)
            assert json.loads(reader.readline())["type"] == one.type


def test_a_reader_that_went_away_does_not_stop_the_run() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as broken:
        face = Ndjson(broken)
        for one in failure():
            face(one)
