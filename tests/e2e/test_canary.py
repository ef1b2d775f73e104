"""A canary in every secret setting is seen nowhere, whatever is run and however it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.canary_scenes import SAMPLE, SCENES
from tests.e2e.planted import (
    GENERATED,
    MADE_OF_OTHERS,
    NO_SECRETS,
    PLACED,
    PUBLIC,
    Planted,
    given,
    own,
    planted,
    secret_settings,
)
from tests.e2e.support import wait_until
from tests.testbed.commands import Command, table

HERE = "tests/e2e/test_canary.py"

COMMANDS: dict[str, tuple[str, ...]] = {
    "deploy": ("local --plan", "local", "local --only keys", "local --plan-file saved.plan"),
    "rollback": ("local --plan", "local --to r1 --plan"),
    "resume": ("--env local",),
    "status": ("local",),
    "health": ("local",),
    "releases list": ("local",),
    "releases mark": ("local r1 healthy --reason x",),
    "diff": ("r1 current --env local", "saved.plan saved.plan"),
    "freeze": ("local --reason why --until 1h",),
    "unfreeze": ("local --reason why",),
    "approve": ("PLAN --env local --yes",),
    "runs list": ("--env local",),
    "runs show": ("last --env local",),
    "runs attach": ("last --env local",),
    "why": ("last --env local", "last --env local --html why.html --force"),
    "audit list": ("--env local",),
    "audit verify": ("--env local", "--file audit.ndjson --env local"),
    "audit export": ("--env local", "audit.ndjson --env local --force"),
    "lock status": ("local",),
    "lock break": ("local --reason why --yes",),
    "local logs": ("--lines 1000", "api --lines 10"),
    "local restart": ("api",),
    "local down": ("",),
    "local reset": ("",),
    "localnet run": ("--host :::", "--slot-ms 0"),
    "localnet status": ("--env local",),
    "localnet snapshot": ("saved.snapshot --env local --force",),
    "localnet restore": ("saved.snapshot --env local", "saved.plan --env local"),
    "localnet reset": ("--env local",),
    "localnet clock advance": ("1m --env local",),
    "localnet clock set": ("2020-01-01 --env local",),
    "program build": ("--env local",),
    "program test": ("--env local",),
    "program show": ("--env local", "--cluster http://127.0.0.1:9/KEY"),
    "program verify": ("--env local",),
    "program estimate": ("--env local",),
    "program dump": ("dumped.so --env local --force",),
    "program deploy": ("--env local", "--env local --plan"),
    "program upgrade": ("--env local",),
    "program rollback": ("--env local --plan",),
    "program init": ("--env local",),
    "program pause": ("--env local",),
    "program unpause": ("--env local",),
    "program extend": ("--env local --capacity 100000",),
    "program close": ("--env local",),
    "program airdrop": ("1 --env local", "1 --env local --wallet usb://ledger"),
    "program authority show": ("--env local",),
    "program authority set": ("--env local --to none",),
    "program authority offer": (
        "offer.json --env local --to 4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU",
    ),
    "program authority accept": ("offer.json --env local", "keys/wallet.json --env local"),
    "program buffers list": ("--env local",),
    "program buffers close": ("--env local",),
    "program keys new": ("made.json",),
    "program keys show": ("--env local",),
    "program keys backup": (
        "backup.age --env local --identity keys/age.txt",
        "backup.age --env local --identity keys/wallet.json",
    ),
    "program idl publish": ("--env local",),
    "program idl fetch": ("--env local",),
    "program idl diff": ("--env local",),
    "secrets status": ("--env local", "--env production"),
    "secrets write": ("--env local --yes", "--env production --yes"),
    "secrets handover": ("--env local --yes", "--env production --yes"),
    "db sessions": ("--env local", "--all --env local --output json"),
    "db kill": ("1 --env local --yes", "--blocking --env local --yes"),
    "db maintain": ("--env local --yes", "--env local --plan --output json"),
    "db analyze": ("--env local --yes",),
    "db roles": ("--env local --yes", "--env local --plan --output json"),
    "db shell": ("--env local -- --version", "--env local -- -c \\conninfo"),
    "api build": ("--env local", "--env production --yes"),
    "api push": ("--env local", "--env production --yes"),
    "api rollout": ("--image x@sha256:0 --env local", "--image x@sha256:0 --env production --yes"),
    "api undo": ("--env local", "--env production --yes"),
    "api finish": ("--env production --yes",),
    "api scale": ("2 --env production --yes",),
    "api restart": ("--env production --yes",),
    "api status": ("--env local", "--env production"),
    "api history": ("--env production",),
    "api logs": ("--env production",),
    "env record": ("local --yes", "production --yes"),
    "db create": ("Not-A-Name",),
    "db baseline": ("--to 1 --env local --plan",),
    "db backup": ("--env local", "--env local --to kept --plan"),
    "db backups": ("--env local", "--env local --in kept"),
    "db clone": ("--from last --anonymize --env local --plan",),
    "db prune": ("--env local --plan",),
    "db repair": ("--env local --plan",),
    "db restore": (
        "--env local",
        "--env local --into beside --yes",
        "--env local --undo --plan",
    ),
    "db seed": ("local --profile synthetic",),
    "db status": ("--env local",),
    "db lint": ("",),
    "db trace": ("--env local",),
    "db verify": ("--env local",),
    "db verify-backup": ("--env local", "--env local --identity keys/wallet.json"),
    "db plan": ("--env local",),
    "db migrate": ("--env local", "--env local --plan"),
    "db rollback": ("--to 0 --env local --plan",),
    "config validate": ("", "local", "production"),
    "config show": ("local", "production"),
    "config schema": ("",),
    "completion": ("bash", "zsh"),
}
"""What follows each command of the table. `reset`, `program close`, `program authority set` and
`offer` only ask here; `localnet run`, which goes on until it is stopped, is refused: the one that
deploys run is looked at."""

FAILING = (
    *("deploy local", "deploy local --events ndjson", "deploy local --plan --output json"),
    *("rollback local", "rollback local --output json", "resume --env local"),
    *("status local", "health local", "health local --output json", "config validate local"),
)
"""What works with that which was spoilt."""
CRASHING = ("deploy local --events ndjson", "status local", "why last --env local")
"""The same for a service that ends: each deploy waits for it."""


ELSEWHERE = (
    *("config validate production", "config show production", "config show staging -o json"),
    *("status production -o json", "deploy production --plan", "rollback --confirm production"),
    "deploy production --confirm production --events ndjson",
    *("rollback --emergency --confirm production", "rollback production --print"),
)
"""For an environment that is not local the process environment counts too."""


def forms(command: Command, arguments: str) -> Iterator[str]:
    """As text, and as scripts read it."""
    line = f"{command.name} {arguments}".strip()
    yield line
    if command.has("--output"):
        yield f"{line} --output json"
    if command.has("--events") and "--plan" not in arguments.split():
        yield f"{line} --events ndjson"


def all_commands(there: Planted, plan: str) -> None:
    for command in table():
        assert command.name in COMMANDS, (
            f"`cbctl {command.name}` is not looked through for secrets: say in COMMANDS of {HERE} "
            "what it is to be called with"
        )
        for arguments in COMMANDS[command.name]:
            for line in forms(
                command,
                arguments.replace("PLAN", plan).replace(
                    "KEY", there.canaries.text("a URL of the command line")
                ),
            ):
                there.run(line)
        if command.name == "local down":
            there.done("deploy local")


def two_releases(there: Planted) -> str:
    """The hash of a plan that was saved in saved.plan before the second."""
    there.platform.deploy()
    page = there.platform.source / "routes" / "operations.py"
    page.write_text(page.read_text() + "\n# another release\n")
    assert there.run("deploy local --plan-out saved.plan").exit == 2
    plan = str(json.loads((there.platform.folder / "saved.plan").read_text())["hash"])
    there.done(f"approve {plan} --env local --yes")
    assert there.platform.deploy()["release"] == "r2"
    there.done("audit export audit.ndjson --env local")
    return plan


def nothing_seen(there: Planted) -> None:
    there.look_everywhere()
    assert not there.seen, "\n".join(sorted(set(there.seen)))
    assert there.watch is not None and there.watch.looks > 10 and there.watch.processes > 100


def test_every_secret_setting_is_covered() -> None:
    known = {*PLACED, *PUBLIC}
    assert secret_settings() == known, (
        f"{sorted(secret_settings() ^ known)}: settings that may be references, and are in neither "
        "PLACED nor PUBLIC of tests/e2e/planted.py (or are no longer there)"
    )


def test_the_canaries_sing(tmp_path: Path) -> None:
    """What is not hidden is seen: in processes, temporary files, notifications, files, output."""
    with planted(tmp_path, 3) as there:
        assert there.watch is not None
        watch = there.watch
        canary = there.canaries.text("canary")
        wallet = there.canaries.keypair("wallet")
        program = "import sys; print(flush=True); sys.stdin.read()"
        for env, argument in (({"TOKEN": canary}, ""), ({}, canary)):
            with subprocess.Popen(
                [sys.executable, "-c", program, argument],
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            ) as process:
                assert process.stdout is not None
                process.stdout.readline()
                seen = f" of {process.pid}: "
                wait_until(lambda: any(seen in s for s in watch.seen), "it to be seen")  # noqa: B023
                process.communicate()
        (there.temporary / "x").write_text(canary[4:])
        (there.temporary / "y").write_text(canary)
        wait_until(lambda: any("/y, mode 644" in s for s in watch.seen), "the file")
        log = there.platform.folder / "some.log"
        log.write_text(f"read {wallet[:50]}")
        there.platform.transcript.append(canary[-8:])
        there.hook.got.append(("/", {}, json.dumps({"error": canary}).encode()))
        there.look_everywhere()
        for where in ("command line of", "environment of", "temporary file", "some.log", "tmp/x"):
            assert any(where in s for s in there.seen), where
        for where in ("canary in output of a process", "canary in notification 0"):
            assert where in there.seen


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    with given(tmp_path_factory.mktemp("given"), 1) as made:
        yield made


def test_all_commands_with_what_is_given(there: Planted) -> None:
    plan = two_releases(there)
    assert there.hook.got, "nobody was told of the runs"
    all_commands(there, plan)
    key = there.canaries.text("process environment")
    for line in ELSEWHERE:
        there.run(line, SOLANA_RPC_URL=f"https://rpc.example/v2/{key}", PROGRAM_ID=key)
    there.done("rollback local --output json")
    nothing_seen(there)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n in SAMPLE else pytest.mark.nightly) for n in SCENES],
)
def test_failures(name: str, there: Planted) -> None:
    if not there.platform.state.exists():  # this test alone
        two_releases(there)
    with SCENES[name](there):
        for line in CRASHING if name.startswith("service") else FAILING:
            there.run(line)
    nothing_seen(there)


def test_all_commands_with_what_is_generated(tmp_path: Path) -> None:
    with own(tmp_path, 2) as there:
        killed = there.platform.start("deploy", "local")
        wait_until(lambda: len(there.platform.journal()) > 6, "the first steps to begin")
        killed.kill()
        for line in ("runs show last --env local", "why last --env local", "status local"):
            there.run(line)
        there.done("resume --env local --events ndjson")
        plan = two_releases(there)
        names = {path.name for path in (there.platform.state / "secrets").iterdir()}
        secrets = {name for name in names if not name.startswith(".")}  # what the kill left behind
        assert secrets == {*GENERATED, *MADE_OF_OTHERS, *NO_SECRETS}, (
            "what a deploy generates is not what tests/e2e/planted.py puts a canary in"
        )
        all_commands(there, plan)
        nothing_seen(there)
        there.done("local reset --yes")
