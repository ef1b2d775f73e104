"""The supervisor and what it runs, with real processes."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cbctl.errors import CbctlError, Exit
from cbctl.local import logs, probes, processes
from cbctl.local import supervisor as supervisor_module
from cbctl.local.files import read_json, write_json
from cbctl.local.ports import HOST, Ports
from cbctl.local.processes import Identity
from cbctl.local.services import Services
from cbctl.local.spec import Part, ServiceSpec
from cbctl.local.supervisor import Supervisor

Web = Callable[..., ServiceSpec]


def part(services: Services, name: str = "web") -> Part:
    found = services.part(name)
    assert found is not None
    return found


def pid(services: Services, name: str = "web") -> int:
    found = part(services, name).pid
    assert found is not None
    return found


def until(done: Callable[[], object], seconds: float = 10.0) -> None:
    limit = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.02)


def supervisor(services: Services) -> Identity:
    answer = read_json(services.state.path / "supervisor.json") or {}
    found = Identity.of_json(answer.get("process"))
    assert found is not None
    return found


def kill_supervisor(services: Services) -> None:
    found = supervisor(services)
    processes.kill_all([found])
    until(lambda: not processes.alive(found))


def supervisors(services: Services) -> list[int]:
    wanted, found = f"supervisor\0{services.state.path}\0".encode(), []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if wanted in path.read_bytes() and processes.identify(int(path.parent.name)):
                found.append(int(path.parent.name))
        except OSError:
            continue  # it ended meanwhile
    return found


def test_start_again_and_stop(services: Services, web: Web) -> None:
    assert services.part("web") is None
    assert services.ensure(web()) == "started"
    first = part(services)
    assert (first.state, first.restarts, first.url) == ("running", 0, web().url)
    assert abs(first.since - time.time()) < 60
    assert services.ensure(web()) == "unchanged"
    assert services.ensure(replace(web(), release="r2")) == "unchanged"
    assert pid(services) == first.pid
    assert part(services).release == "r2"
    assert services.stop("web")
    assert not services.stop("web")
    assert part(services).state == "stopped"
    assert processes.identify(first.pid or 0) is None
    assert services.ensure(web()) == "started"
    assert services.stop_all() == ["web"]
    assert not processes.alive(supervisor(services))


def test_children_outlive_the_supervisor_and_are_adopted(services: Services, web: Web) -> None:
    services.ensure(web())
    before = pid(services)
    kill_supervisor(services)
    assert part(services).state == "unsupervised"
    assert pid(services) == before
    assert services.ensure(web()) == "adopted"
    assert (pid(services), part(services).state) == (before, "running")
    # It is watched as if it had always been this supervisor's.
    os.kill(before, signal.SIGKILL)
    until(lambda: part(services).restarts == 1 and part(services).state == "running")
    assert pid(services) != before


def test_an_orphan_without_a_record_is_found_by_its_marker(services: Services, web: Web) -> None:
    services.ensure(web())
    before = pid(services)
    kill_supervisor(services)
    (services.state.path / "records" / "web.json").unlink()
    (services.state.path / "supervisor.json").unlink()
    assert Ports(services.state).reserve("web", preferred=web().ready.port) > 0  # type: ignore[union-attr]
    assert part(services).state == "unsupervised"
    assert services.ensure(web()) == "adopted"
    assert pid(services) == before


@pytest.mark.parametrize(
    "record", ['{"restarts": "many", "since": [], "tag": 7}', "[]", "{", "[" * 100_000, ""]
)
def test_a_damaged_record_is_none(services: Services, web: Web, record: str) -> None:
    services.ensure(web())
    before = pid(services)
    kill_supervisor(services)
    (services.state.path / "records" / "web.json").write_text(record)
    assert part(services).state == "unsupervised"
    assert services.ensure(web()) == "adopted"
    assert pid(services) == before


def test_what_stands_in_the_place_of_its_lock_is_told(services: Services, web: Web) -> None:
    lock = services.state.path / "supervisor.lock"
    lock.symlink_to(lock)
    with pytest.raises(CbctlError, match="supervisor of the local services did not start") as error:
        services.ensure(web())
    [line] = error.value.evidence["log"]
    assert line.startswith("supervisor: ") and str(lock) in line


def test_an_orphan_of_an_older_spec_is_replaced(services: Services, web: Web) -> None:
    services.ensure(web())
    before = pid(services)
    kill_supervisor(services)
    (services.state.path / "records" / "web.json").unlink()
    assert services.ensure(replace(web(), environment={"NEW": "1"})) == "restarted"
    assert processes.identify(before) is None
    assert len(processes.marked(services.state.marker("web"))) == 1


def test_a_killed_child_is_started_again(services: Services, web: Web) -> None:
    services.ensure(web())
    before = pid(services)
    os.kill(before, signal.SIGKILL)
    until(lambda: part(services).restarts == 1 and part(services).state == "running")
    assert services.ensure(web()) == "unchanged"
    assert pid(services) != before


def test_workers_that_survive_their_leader_do_not_keep_the_port(
    services: Services, web: Web
) -> None:
    spec = web("fork")
    services.ensure(spec)
    assert spec.ready is not None
    leader = pid(services)
    worker = int(probes.get(spec.ready.port, "/")[1].split()[0])
    assert worker != leader
    os.kill(leader, signal.SIGKILL)
    until(lambda: part(services).restarts == 1 and part(services).state == "running")
    assert processes.identify(worker) is None
    assert services.ensure(spec) == "unchanged"


def test_workers_of_an_orphan_whose_leader_died_are_replaced(services: Services, web: Web) -> None:
    spec = web("fork")
    services.ensure(spec)
    assert spec.ready is not None
    worker = int(probes.get(spec.ready.port, "/")[1].split()[0])
    leader = pid(services)
    kill_supervisor(services)
    os.kill(leader, signal.SIGKILL)
    until(lambda: processes.identify(leader) is None)
    (services.state.path / "records" / "web.json").unlink()
    Ports(services.state).check("web", spec.ready.port)  # the worker is ours
    assert services.ensure(spec) == "started"
    assert processes.identify(worker) is None


def test_there_is_never_a_second_supervisor(services: Services, web: Web) -> None:
    threads = [threading.Thread(target=services.adopt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    services.ensure(web())
    started = subprocess.run(
        [sys.executable, "-m", "cbctl.local.supervisor", str(services.state.path)],
        capture_output=True,
        check=False,
    )
    assert started.returncode == 75
    assert supervisors(services) == [supervisor(services).pid]


def test_one_that_speaks_another_protocol_is_replaced(services: Services, web: Web) -> None:
    services.ensure(web())
    before, old = pid(services), supervisor(services)
    answer = read_json(services.state.path / "supervisor.json") or {}
    write_json(services.state.path / "supervisor.json", {**answer, "protocol": 0})
    assert services.adopt()
    assert not processes.alive(old)
    assert pid(services) == before


def test_another_spec_restarts(services: Services, web: Web) -> None:
    services.ensure(web())
    before = pid(services)
    assert services.ensure(replace(web(), environment={"A": "1"})) == "restarted"
    assert pid(services) != before


def test_restart_runs_exactly_what_is_written(services: Services, web: Web) -> None:
    services.ensure(web())
    before = part(services)
    services.restart("web")
    after = part(services)
    assert after.pid != before.pid
    assert after.spec_hash == before.spec_hash
    assert list(services.logs("web", lines=10)) == ["says hello", "says hello"]
    services.stop("web")
    services.restart("web")
    assert part(services).running
    with pytest.raises(CbctlError, match="no local service 'nothing'") as error:
        services.restart("nothing")
    assert error.value.exit is Exit.USAGE
    assert error.value.fix == "services: web"


def test_one_that_cannot_live_is_given_up_with_its_last_words(services: Services, web: Web) -> None:
    with pytest.raises(CbctlError) as error:
        services.ensure(web("die"))
    assert error.value.exit is Exit.FAILED
    assert "exited with code 3; given up after 5 deaths" in error.value.what
    assert "cannot go on: no luck" in error.value.evidence["log"]
    found = part(services)
    assert (found.state, found.pid) == ("failed", None)
    assert found.log[-1] == "cannot go on: no luck"
    # Asked for again it is tried again, which this time goes well.
    script = services.state.path / "web.py"
    script.write_text(script.read_text().replace("sys.exit(3)", "pass"))
    assert services.ensure(web("die")) == "started"


def test_a_program_that_is_not_there_fails_at_once(services: Services, web: Web) -> None:
    with pytest.raises(CbctlError, match="No such file"):
        services.ensure(replace(web(), argv=("/nowhere/program",)))
    assert part(services).state == "failed"


def test_one_that_ignores_the_signal_is_killed(services: Services, web: Web) -> None:
    services.ensure(replace(web("deaf"), stop_seconds=0.3))
    before = pid(services)
    assert services.stop("web")
    assert processes.identify(before) is None


def test_a_time_limit_tells_what_was_waited_for(services: Services, web: Web) -> None:
    spec = web(seconds=0.5)
    assert spec.ready is not None
    with pytest.raises(CbctlError) as error:
        services.ensure(replace(spec, ready=replace(spec.ready, path="/", kind="rpc")))
    assert error.value.exit is Exit.TIMEOUT
    assert "waited 0.5 s for web (rpc on 127.0.0.1" in error.value.what
    assert "says hello" in error.value.evidence["log"]


def test_a_stranger_on_the_port_is_not_taken_for_the_service(services: Services, web: Web) -> None:
    with socket.socket() as stranger:
        stranger.bind((HOST, 0))
        stranger.listen()
        spec = web("deaf", port=Ports(services.state).reserve("web"), seconds=1.0)
        taken = replace(spec, ready=replace(spec.ready, kind="tcp", port=stranger.getsockname()[1]))  # type: ignore[type-var]
        with pytest.raises(CbctlError, match="is answered by another process"):
            services.ensure(taken)


def test_after_a_reboot_everything_recorded_is_dead(services: Services, web: Web) -> None:
    services.ensure(web())
    services.stop_all()
    # The same pid is somebody else's now: this process'.
    me = processes.identify(os.getpid())
    assert me is not None
    for record in (replace(me, boot="another"), replace(me, start=me.start - 1)):
        told = {"process": record.as_json(), "tag": "x.1", "restarts": 0, "since": 1.0}
        write_json(services.state.path / "records" / "web.json", told)
        answer = {"protocol": 1, "process": record.as_json(), "parts": {"web": told}}
        write_json(services.state.path / "supervisor.json", answer)
        assert part(services).state == "stopped"
        assert not processes.alive(record)
        assert processes.session_members(record) == []
        assert not processes.signal_group(record, signal.SIGTERM)
        assert services.ensure(web()) == "started"
        services.stop_all()


def test_secrets_travel_only_from_their_file_to_the_process(services: Services, web: Web) -> None:
    state, canary = services.state, "canary-7f3a9c"
    state.write_secret("token", canary)
    spec = replace(web(), environment={"TOKEN": "${state:token}"})
    services.ensure(spec)
    assert spec.ready is not None
    seen = probes.get(spec.ready.port, "/")[1].decode().split()[1]
    assert seen == hashlib.sha256(canary.encode()).hexdigest()
    for file in state.path.rglob("*"):
        mode = stat.S_IMODE(file.stat().st_mode)
        if file.name != "web.py":
            assert mode == (0o700 if file.is_dir() else 0o600), file
        if file.is_file() and file != state.secret_file("token"):
            assert canary.encode() not in file.read_bytes(), file
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert canary.encode() not in cmdline.read_bytes()
        except OSError:
            continue  # it ended meanwhile
    assert services.ensure(spec) == "unchanged"
    state.write_secret("token", "changed")
    assert services.ensure(spec) == "restarted"
    state.secret_file("token").unlink()
    with pytest.raises(CbctlError, match="no secret 'token'"):
        services.ensure(spec)


def test_the_environment_is_not_the_shell_s(
    services: Services, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere")
    services.ensure(web())
    variables = Path(f"/proc/{pid(services)}/environ").read_bytes().split(b"\0")
    names = {v.partition(b"=")[0].decode() for v in variables if v}
    assert names == {"PATH", "HOME", "LANG", processes.MARKER, processes.SPEC}
    other = Path(f"/proc/{supervisor(services).pid}/environ").read_bytes()
    assert b"DATABASE_URL" not in other


def test_services_end_with_their_folder(services: Services, web: Web) -> None:
    services.ensure(web())
    before, watcher = pid(services), supervisor(services)
    away = services.state.path.with_name("away")
    shutil.copytree(services.state.path, away)
    shutil.rmtree(services.state.path)
    until(lambda: not processes.alive(watcher))
    until(lambda: processes.identify(before) is None)
    away.rename(services.state.path)


def test_who_exchanges_the_folder_gives_no_orders(services: Services, web: Web) -> None:
    services.ensure(web())
    watcher, path = supervisor(services), services.state.path
    copy, sign = path.with_name("copy"), path.parent / "sign"
    shutil.copytree(path, copy)
    order = copy / "services" / "web.json"
    content = read_json(order) or {}
    content["spec"]["argv"] = ["/bin/sh", "-c", f"touch {sign}; sleep 60"]
    write_json(order, content)
    write_json(copy / "services" / "other.json", content)
    path.rename(path.with_name("away"))
    copy.rename(path)
    processes.signal_one(watcher, signal.SIGHUP)
    until(lambda: not processes.alive(watcher))
    assert not sign.exists()


def test_what_a_service_writes_is_private_and_it_leaves_no_core(
    services: Services, web: Web
) -> None:
    """A core dump would hold its secrets."""
    services.ensure(web())
    leader = pid(services)
    limits = Path(f"/proc/{leader}/limits").read_text()
    [core] = [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core")]
    assert core == ["0", "0"]
    status = Path(f"/proc/{leader}/status").read_text()
    assert "Umask:\t0077" in status


def test_a_full_disk_ends_neither_the_supervisor_nor_its_word(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    lives_on = False
    with pytest.raises(OSError, match="No space left"), open("/dev/full", "w") as full:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", full)
            logs.say("nobody hears this")
        lives_on = True
    assert lives_on, "it was not the end of the file that raised"
    watcher = Supervisor(services.state, lock=-1)

    def refused(path: Path, value: object, *, sync: bool = True) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(supervisor_module, "write_json", refused)
        watcher._publish()
    watcher._publish()
    answer = services.state.path / "supervisor.json"
    assert supervisor(services).pid == os.getpid()
    answer.unlink()  # what is named there is ended with the test


def test_the_supervisor_is_small(services: Services, web: Web) -> None:
    services.ensure(web())
    rollup = Path(f"/proc/{supervisor(services).pid}/smaps_rollup").read_text()
    pss = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    assert pss < 15 * 1024, f"{pss} KiB"
