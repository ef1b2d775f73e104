"""Wrong input: one clear message, the right exit code, nothing done."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.support import Platform, free_ports, stranger, wait_until

Change = Callable[[Platform], object]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """Never deployed; each test puts back what it changes."""
    return Platform.make(tmp_path_factory.mktemp("bare"))


@pytest.fixture
def untouched(bare: Platform) -> Platform:
    bare.config.write_text(bare.shipped)
    bare.variables.clear()
    (bare.folder / ".env.local").unlink(missing_ok=True)
    return bare


def nothing_was_done(platform: Platform) -> None:
    assert platform.processes() == []
    for name in ("secrets", "services", "runs", "releases", "artifacts"):
        folder = platform.state / name
        assert not folder.exists() or not list(folder.iterdir()), name


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("deploy locla", ("there is no environment `locla`", "did you mean `local`")),
        ("status nowhere", ("there is no environment `nowhere`", "local, development")),
        ("deploy", ("which environment?", "local")),
        ("deploy local --only postgress", ("'postgress'", "did you mean 'postgres'")),
        ("deploy local --skip nothing", ("'nothing'", "migrate")),
        ("deploy local --only api --skip api", ("leave no step",)),
        ("deplo local", ("No such command 'deplo'", "deploy")),
        ("local rest", ("No such command 'rest'", "reset")),
        ("deploy local --plam", ("No such option: --plam", "--plan")),
        ("deploy local --output xml", ("xml", "json")),
        ("deploy local --events ndjson --output json", ("both write to stdout",)),
        ("deploy local --config nowhere.yaml", ("nowhere.yaml",)),
        ("lock break local", ("--reason",)),
    ],
)
def test_usage(untouched: Platform, command: str, words: tuple[str, ...]) -> None:
    untouched.run(*command.split()).refused(64, *words)
    nothing_was_done(untouched)


@pytest.mark.parametrize(
    "command", ["status local", "health local", "releases local", "runs list --env local"]
)
def test_nothing_to_look_at(platform: Platform, command: str) -> None:
    platform.run(*command.split()).refused(7, "there is no local state", "cbctl deploy local")
    assert not platform.root.exists()


def replaced(before: str, now: str) -> Change:
    return lambda platform: platform.edit(before, now)


def deleted(path: str) -> Change:
    return lambda platform: (platform.folder / path).unlink()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            replaced("    chain:\n      on: local", "    chain: [\n      on: local"),
            ("this is not YAML", "cbctl.yaml:"),
        ),
        (replaced("slot_ms: 400", "slot_millis: 400"), ("slot_millis", "slot_ms", "cbctl.yaml:")),
        (replaced("platform: crypto-bet", "platfrom: crypto-bet"), ("platfrom", "platform")),
        (replaced("slot_ms: 400", "slot_ms: soon"), ("slot_ms", "soon", "cbctl.yaml:")),
        (replaced("slot_ms: 400", "slot_ms: 400\n      slot_ms: 4"), ("slot_ms", "cbctl.yaml:")),
        (replaced('min_cbctl: "0.1.0"', 'min_cbctl: "99.0.0"'), ("99.0.0",)),
        (replaced("resolver: ${key:resolver}", "resolver: ${env:RESOLVER}"), ("RESOLVER",)),
        (replaced("dispute_window: 60", "dispute_windows: 60"), ("dispute_windows",)),
        (replaced("fee_bps: 250", "fee_bps: 70000"), ("fee_bps", "u16: 0 to 65535")),
        (replaced("module: cbapi", "module: cbapi\n    sauce: x"), ("sauce", "source")),
        (replaced("elf: programs/crypto_bet/artifacts", "elf: nowhere"), ("nowhere",)),
        (replaced("folder: src/cbapi/migrations", "folder: src/none"), ("src/none",)),
        (
            replaced("instruction: initialize_program", "instruction: init_program"),
            ("init_program",),
        ),
    ],
)
def test_configuration(untouched: Platform, change: Change, words: tuple[str, ...]) -> None:
    change(untouched)
    untouched.run("deploy", "local").refused(64, *words)
    nothing_was_done(untouched)


@pytest.mark.parametrize(
    ("line", "exit", "words"),
    [
        ("DATABASE_URL=postgresql//wrong", 64, ("database.url",)),
        ("DATABASE_URL=mysql://user:geheim@127.0.0.1:1/x", 64, ("postgresql",)),
        ("DATABASE_URL=postgresql://user:geheim@127.0.0.1:99999/x", 64, ("port",)),
        ("DATABASE_URL=postgresql://user:geheim@127.0.0.1:9/x", 7, ("127.0.0.1:9",)),
        ("DATABASE_URL=postgresql://user:geheim@10.1.2.3/x", 7, ("10.1.2.3", "allow_remote")),
        ("REDIS_URL=redis://:geheim@127.0.0.1:9/0", 7, ("127.0.0.1:9",)),
        ("REDIS_URL=redis://:geheim@10.1.2.3:6379/0", 7, ("10.1.2.3", "allow_remote")),
        ("this is no line", 64, (".env.local:1",)),
    ],
)
def test_env_local(untouched: Platform, line: str, exit: int, words: tuple[str, ...]) -> None:
    path = untouched.folder / ".env.local"
    path.write_text(line + "\n")
    path.chmod(0o600)
    done = untouched.run("deploy", "local").refused(exit, *words)
    assert "geheim" not in done.out + done.err
    nothing_was_done(untouched)


def test_env_local_that_others_can_read(untouched: Platform) -> None:
    path = untouched.folder / ".env.local"
    path.write_text("REDIS_URL=redis://127.0.0.1:9/0\n")
    path.chmod(0o644)
    untouched.run("deploy", "local").refused(64, ".env.local", "chmod 600")
    nothing_was_done(untouched)


def test_the_shell_s_variables_are_not_asked(untouched: Platform) -> None:
    untouched.variables["DATABASE_URL"] = "postgresql://user:geheim@10.1.2.3/x"
    untouched.variables["REDIS_URL"] = "redis://10.1.2.3/0"
    untouched.variables["PGHOST"] = "10.1.2.3"
    plan = untouched.run("deploy", "local", "--plan").ended(2)
    assert "10.1.2.3" not in plan.out + plan.err
    assert "database files" in plan.out


@pytest.mark.parametrize("service", ["api", "localnet", "websocket"])
def test_a_stranger_has_the_port(untouched: Platform, service: str) -> None:
    port = {
        "api": untouched.api_port,
        "localnet": untouched.chain_port,
        "websocket": untouched.chain_port + 1,
    }[service]
    with stranger(port) as process:
        for command in (("deploy", "local"), ("deploy", "local", "--plan")):
            done = untouched.run(*command)
            assert done.exit == 7, done
            told = done.out + done.err
            assert f"port {port} is taken by" in told, done
            assert f"(pid {process.pid})" in told, done
    nothing_was_done(untouched)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: p.elf.write_bytes(b"\x7fELF"),
        lambda p: p.elf.write_bytes(p.elf.read_bytes()[: p.elf.stat().st_size // 2]),
        lambda p: p.elf.write_bytes(_with_broken_code(p.elf.read_bytes())),
        lambda p: p.elf.unlink(),
        lambda p: p.idl.unlink(),
        lambda p: p.idl.write_text("{}"),
        lambda p: p.idl.write_text("no JSON"),
        lambda p: (p.migrations / "second.up.sql").write_text("SELECT 1;"),
        lambda p: (p.migrations / "0001_again.up.sql").write_text("SELECT 1;"),
        lambda p: (p.migrations / "0002_x.up.sql").write_text("-- cbctl: phase=later\nSELECT 1;"),
        lambda p: (p.migrations / "0002_x.up.sql").write_bytes(b"SELECT '\xff';"),
        lambda p: (p.source / "schema.json").write_text("{}"),
        lambda p: (p.source / "schema.json").unlink(),
    ],
    ids=(  # noqa: SIM905
        "elf-header elf-cut elf-code elf-missing idl-missing idl-empty idl-text migration-name "
        "migration-twice migration-phase migration-bytes schema-empty schema-missing"
    ).split(),
)
def test_spoiled_files(platform: Platform, spoil: Change) -> None:
    spoil(platform)
    done = platform.run("deploy", "local")
    assert done.exit in (7, 64), done
    done.ended(done.exit)
    assert "next:" in done.err or "fix:" in done.err or "where:" in done.err, done
    nothing_was_done(platform)


def _with_broken_code(elf: bytes) -> bytes:
    """The first instructions of the text replaced by what no loader knows."""
    import struct

    entry, phoff = struct.unpack_from("<QQ", elf, 24)
    phsize, phnum = struct.unpack_from("<HH", elf, 54)
    for index in range(phnum):
        kind, flags, offset, address, _, size, _, _ = struct.unpack_from(
            "<IIQQQQQQ", elf, phoff + index * phsize
        )
        if kind == 1 and flags & 1 and address <= entry < address + size:
            at = offset + entry - address
            return elf[:at] + b"\xff" * 64 + elf[at + 64 :]
    raise AssertionError("there is no code in this file")


@pytest.mark.nightly
def test_what_only_the_program_can_tell_is_told_with_what_stays(platform: Platform) -> None:
    platform.edit("dispute_window: 60 #", "dispute_window: -1 #")
    done = platform.run("deploy", "local").refused(5, "InvalidParameters", "cbctl resume")
    assert platform.releases() == []
    assert "not undone" in done.err
    platform.config.write_text(platform.shipped)
    platform.run("resume", "--env", "local").refused(7, "planned from something else")
    assert platform.deploy()["release"] == "r1"


def test_an_api_that_does_not_start_gives_way_to_the_former(deployed: Platform) -> None:
    path = deployed.source / "__main__.py"
    whole = path.read_text()
    path.write_text("raise SystemExit('no luck today')\n")
    done = deployed.run("deploy", "local").refused(4, "no luck today")
    assert "undone" in done.err
    assert deployed.get("/health")[0] == 200
    assert [r["id"] for r in deployed.releases()] == ["r1"]
    path.write_text(whole)
    assert deployed.deploy()["changes"] == []
    deployed.check_journals()


def test_state_of_another_user_or_version(platform: Platform) -> None:
    platform.run("deploy", "local", "--plan").ended(2)
    version = platform.state / "version"
    for content, told in (
        (b"99\n", "version 99"),
        (b"0\n", "version 0"),
        (b"\xff\xfe", "no version that can be read"),
    ):
        version.write_bytes(content)
        for command in (("deploy", "local"), ("status", "local"), ("local", "reset", "--yes")):
            platform.run(*command).refused(7, told, "version 1", str(version), "use the cbctl that")
    version.write_text("1\n")
    platform.state.chmod(0o777)
    platform.run("deploy", "local").refused(7, "other users can write", "chmod 700")
    platform.state.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(platform.state, 65534, 65534)
        platform.run("deploy", "local").refused(7, "the state folder belongs to")
        os.chown(platform.state, 0, 0)
    platform.run("deploy", "local", "--plan").ended(2)
    nothing_was_done(platform)


def test_no_terminal_to_answer_a_question(shared: Platform) -> None:
    pids = shared.pids()
    shared.run("local", "reset").refused(64, "cannot ask without a terminal", "--yes")
    shared.run("lock", "break", "local", "--reason", "x").refused(64, "--yes")
    shared.run("lock", "break", "local", "--reason", "x", "--yes").refused(64, "nobody holds")
    assert shared.pids() == pids
    shared.run("health", "local").ended(0)


def test_names_that_are_not_there(shared: Platform) -> None:
    local, pids = ("--env", "local"), shared.pids()
    shared.run("resume", *local).refused(64, "no interrupted run")
    shared.run("resume", "nothing", *local).refused(64, "there is no run nothing")
    shared.run("resume", "../../x", *local).refused(64)
    shared.run("runs", "show", "nothing", *local).refused(64, "there is no run 'nothing'")
    shared.run("runs", "show", "../lock", *local).refused(64)
    shared.run("local", "logs", "apii").refused(64, "'apii'", "localnet")
    shared.run("local", "restart", "apii").refused(64, "'apii'", "localnet")
    shared.run("status", "staging").refused(64, "kubeconfig")
    shared.run("deploy", "production").refused(64, "SOLANA_RPC_URL")
    assert shared.pids() == pids


def test_another_configuration_than_the_one_on_chain(shared: Platform) -> None:
    pids, journals = shared.pids(), len(list((shared.state / "runs").iterdir()))
    try:
        shared.edit("fee_bps: 250", "fee_bps: 300")
        shared.edit("dispute_window: 60 #", "dispute_window: 90 #")
        done = shared.run("deploy", "local").refused(7, "fee_bps", "250", "300")
        assert "dispute_window" in done.err
        assert "60" in done.err
        assert "90" in done.err
        assert "max_market_duration" not in done.err
        plan = shared.run("deploy", "local", "--plan").ended(7)
        assert "fee_bps" in plan.out
    finally:
        shared.config.write_text(shared.shipped)
    assert shared.pids() == pids
    assert len(list((shared.state / "runs").iterdir())) == journals
    assert shared.deploy()["changes"] == []


@pytest.mark.nightly
def test_another_port_moves_the_service(deployed: Platform) -> None:
    """The port of a running service is no obstacle to itself, and may be changed."""
    api, _ = free_ports()
    deployed.edit(f"port: {deployed.api_port}", f"port: {api}")
    deployed.shipped = deployed.config.read_text()
    result = deployed.deploy()
    assert {c["step"] for c in result["changes"]} == {"api"}
    deployed.api_port = api
    assert deployed.get("/health")[0] == 200
    # A stranger on the port of a service that went down.
    deployed.run("local", "down").ended(0)
    with stranger(deployed.chain_port) as process:
        deployed.run("deploy", "local").refused(7, f"(pid {process.pid})")
        assert deployed.processes() == []
    deployed.deploy()


def test_an_orphan_of_ours_has_the_port(deployed: Platform) -> None:
    """The supervisor and all it wrote down about its processes are gone; one lives on."""
    import psutil

    pids = deployed.pids()
    left = {"localnet", "api"}
    for process in deployed.processes():
        if process.pid not in {pids[name] for name in left}:
            process.kill()
    for path in (deployed.state / "records").iterdir():
        path.unlink()
    (deployed.state / "supervisor.json").unlink()
    wait_until(lambda: len(deployed.processes()) <= len(left) + 2, "the rest to be gone")
    result = deployed.deploy()
    assert result["release"] == "r1"
    assert {c["step"] for c in result["changes"]} >= {"postgres", "redis"}
    assert deployed.deploy()["changes"] == []
    deployed.run("health", "local").ended(0)
    assert deployed.pids()["localnet"] == pids["localnet"]
    assert psutil.pid_exists(pids["localnet"])


def test_a_second_deploy_meanwhile(platform: Platform) -> None:
    first = platform.start("deploy", "local")
    wait_until(lambda: len(platform.journal()) > 1, "the first one to begin")
    second = platform.run("deploy", "local").refused(6, "the lock is held by", str(first.pid))
    assert platform.journal()[0]["data"]["reason"] in second.err
    told = platform.run("deploy", "local", "--output", "json").ended(6).json
    assert (told["result"], told["exit"]) == ("refused", 6)
    status = platform.run("lock", "status", "local", "-o", "json").ended(0).json
    if status["held"]:
        assert status["holder"]["pid"] == first.pid
    first.end().ended(0)
    assert platform.deploy()["changes"] == []


@pytest.mark.nightly
def test_deploys_at_once_leave_one_release(platform: Platform) -> None:
    several = [platform.start("deploy", "local") for _ in range(3)]
    ended = [running.end() for running in several]
    assert sorted(done.exit for done in ended)[0] == 0, ended
    assert {done.exit for done in ended} <= {0, 6, 7}, "\n".join(map(str, ended))
    assert all("Traceback" not in done.err for done in ended)
    assert [r["id"] for r in platform.releases()] == ["r1"]
    assert platform.deploy()["changes"] == []


def test_a_folder_that_cannot_be_written(platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    done = platform.run("deploy", "local", env={"CBCTL_STATE_DIR": str(file / "x")})
    done.refused(64, str(file), "the state folder cannot be made", "CBCTL_STATE_DIR")
