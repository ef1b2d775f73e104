"""A canary in every secret setting is seen nowhere, whatever is run and however it ends."""

from __future__ import annotations

import json
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
    "releases": ("local",),
    "diff": ("r1 current --env local", "saved.plan saved.plan"),
    "freeze": ("local --reason why --until 1h",),
    "unfreeze": ("local --reason why",),
    "approve": ("PLAN --env local --yes",),
    "runs list": ("--env local",),
    "runs show": ("last --env local",),
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
    "config validate": ("", "local", "production"),
    "config show": ("local", "production"),
    "config schema": ("",),
    "completion": ("bash", "zsh"),
}
"""What follows each command of the table. `local reset` only asks here."""

FAILING = (
    *("deploy local", "deploy local --events ndjson", "deploy local --plan --output json"),
    *("rollback local", "rollback local --output json", "resume --env local"),
    *("status local", "health local", "health local --output json", "config validate local"),
)
"""What works with that which was spoilt."""


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
            for line in forms(command, arguments.replace("PLAN", plan)):
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


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    with given(tmp_path_factory.mktemp("given"), 1) as made:
        yield made


def test_all_commands_with_what_is_given(there: Planted) -> None:
    plan = two_releases(there)
    assert there.hook.got, "nobody was told of the runs"
    all_commands(there, plan)
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
        for line in FAILING:
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
        secrets = {path.name for path in (there.platform.state / "secrets").iterdir()}
        assert secrets == {*GENERATED, *MADE_OF_OTHERS, *NO_SECRETS}, (
            "what a deploy generates is not what tests/e2e/planted.py puts a canary in"
        )
        all_commands(there, plan)
        nothing_seen(there)
        there.done("local reset --yes")
