"""Written specs, their hash, and log files."""

from __future__ import annotations

import json
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from cbctl.errors import CbctlError, Exit
from cbctl.local import logs
from cbctl.local.seen import Seen
from cbctl.local.spec import (
    Order,
    Ready,
    ServiceSpec,
    order_file,
    read_order,
    service_names,
    write_order,
)
from cbctl.local.state import State


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State.open("plat", "local", root=tmp_path)


def spec(**changes: object) -> ServiceSpec:
    base = ServiceSpec(
        "api", ("/bin/x", "-p", "1"), "/", Ready("http", 1, "/h"), {"A": "1"}, "http://x", "r1"
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def test_what_makes_the_process_counts_in_the_hash() -> None:
    same = spec().hash
    assert spec(release="r2", url="other", stop_seconds=1.0, ready=None).hash == same
    changed = {
        spec(argv=("/bin/y",)).hash,
        spec(cwd="/tmp").hash,
        spec(environment={"A": "2"}).hash,
        spec(uses=("x",)).hash,
        spec(digests={"x": "1"}).hash,
        spec(name="other").hash,
        same,
    }
    assert len(changed) == 7


def test_an_order_survives_its_file(state: State) -> None:
    order = Order(spec(uses=("a",), pid_file="/x"), "running", 3)
    write_order(state, order)
    assert read_order(state, "api") == order
    assert service_names(state) == ["api"]
    assert stat.S_IMODE(order_file(state, "api").stat().st_mode) == 0o600
    assert read_order(state, "none") is None


@pytest.mark.parametrize(
    "text", ['{"spec": {}}', '{"spec": {"argv": [], "new": 1}}', '{"spec": 1}']
)
def test_an_order_of_another_cbctl_is_refused(state: State, text: str) -> None:
    order_file(state, "api").write_text(text)
    with pytest.raises(CbctlError, match="not written by this version") as error:
        read_order(state, "api")
    assert error.value.exit is Exit.REFUSED


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("desired",), "perhaps"),
        (("generation",), [1]),
        (("spec", "name"), "redis"),
        (("spec", "argv"), []),
        (("spec", "argv"), ["/bin/x", 1]),
        (("spec", "argv"), ["/bin/x\0"]),
        (("spec", "cwd"), None),
        (("spec", "environment"), ["A=1"]),
        (("spec", "environment"), {"A": 1}),
        (("spec", "stop_signal"), "SIGSTOP"),
        (("spec", "stop_seconds"), float("inf")),
        (("spec", "stop_seconds"), "long"),
        (("spec", "ready", "port"), 0),
        (("spec", "ready", "kind"), "smtp"),
        (("spec", "ready", "seconds"), float("nan")),
    ],
)
def test_an_order_with_a_value_of_another_type_is_refused(
    state: State, path: tuple[str, ...], value: object
) -> None:
    write_order(state, Order(spec(), "running", 1))
    file = order_file(state, "api")
    written = json.loads(file.read_text())
    inside = written
    for name in path[:-1]:
        inside = inside[name]
    inside[path[-1]] = value
    file.write_text(json.dumps(written))
    with pytest.raises(CbctlError, match="not written by this version") as error:
        read_order(state, "api")
    assert error.value.exit is Exit.REFUSED and str(file) in error.value.where


def test_what_a_supervisor_wrote_down_and_is_damaged_counts_as_not_told() -> None:
    whole = {
        "state": "failed",
        "process": {"boot": "b", "pid": 1, "start": 2},
        "tag": "ab.1",
        "restarts": 3,
        "since": 1.5,
        "detail": "it ended",
        "log": ["one", "two"],
    }
    seen = Seen.of_json(whole)
    assert (seen.state, seen.tag, seen.restarts, seen.since) == ("failed", "ab.1", 3, 1.5)
    assert seen.process is not None and seen.process.pid == 1 and seen.log == ("one", "two")
    strange: object
    for strange in (None, [], {}, "x", float("nan"), -1, True):
        Seen.of_json(dict.fromkeys(whole, strange))
        assert Seen.of_json(strange) == Seen()


def test_sealing_needs_the_secrets_and_never_writes_them(state: State) -> None:
    asked = spec(environment={"PASS": "${state:pw}"}, uses=("other",))
    with pytest.raises(CbctlError, match="no secret 'pw'"):
        asked.sealed(state)
    state.write_secret("other", "o")
    coming = asked.sealed(state, {"pw": "hunter2"})
    assert state.read_secret("pw") is None
    state.write_secret("pw", "hunter2")
    sealed = asked.sealed(state)
    assert sealed == coming
    assert "hunter2" not in json.dumps(sealed.as_json())
    state.write_secret("pw", "changed")
    assert asked.sealed(state).hash != sealed.hash


def test_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    assert logs.last_lines(log) == []
    log.write_bytes(b"one\ntwo\n\xff\xfe\nfour")
    assert logs.last_lines(log, 2) == ["��", "four"]
    assert logs.last_lines(log, 5, since=4) == ["two", "��", "four"]
    assert logs.last_lines(log, 1, since=10_000) == ["four"]  # it was emptied meanwhile
    assert logs.last_lines(log, 0) == []
    log.write_text("x" * 200_000 + "\nend\n")
    assert logs.last_lines(log, 1) == ["end"]


def test_rotation_keeps_three_files_while_the_writer_keeps_its_own(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    descriptor = logs.open_log(log)
    with open(descriptor, "wb", buffering=0) as writer:
        for round in range(5):
            writer.write(b"%d" % round * 100)
            assert not logs.rotate(log, limit=100)
            writer.write(b"\n")
            assert logs.rotate(log, limit=100)
            assert log.stat().st_size == 0
        writer.write(b"after\n")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.log", "x.log.1", "x.log.2"]
    assert log.read_text() == "after\n"
    assert (tmp_path / "x.log.1").read_text().startswith("4")
    assert (tmp_path / "x.log.2").read_text().startswith("3")
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_follow_goes_on_over_a_rotation(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("old\n")
    seen: list[str] = []
    enough = threading.Event()

    def read() -> None:
        for line in logs.follow(log, 5, stop=enough.is_set, pause=0.01):
            seen.append(line)
            if line == "new 1":
                logs.rotate(log, limit=1)
                log.write_text("new 2\n")
            if line == "new 2":
                enough.set()

    thread = threading.Thread(target=read)
    thread.start()
    while not seen:
        pass
    with log.open("a") as file:
        file.write("new 1\n")
    thread.join(10)
    assert seen == ["old", "new 1", "new 2"]
