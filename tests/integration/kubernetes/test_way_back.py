"""Where a rollback of a whole platform goes, and what it does when parts are gone."""

from __future__ import annotations

import subprocess

import pytest
from tests.integration.kubernetes.line import Line
from tests.integration.kubernetes.shop import PASSWORD, Shop
from tests.testbed.s3 import s3_client, s3_server

EMERGENCY = "rollback --emergency --confirm testing"


def deployed(shop: Shop, *greetings: str) -> list[str]:
    """Their releases."""
    found = []
    for greeting in greetings:
        shop.greets(greeting)
        found.append(str(shop.deploy()["release"]))
    return found


def states(shop: Shop) -> dict[str, str]:
    return {one["id"]: one["state"] for one in shop.releases()}


def paused(shop: Shop) -> bool:
    return shop.process("program pause --plan").returncode == 0


@pytest.mark.nightly
def test_never_back_to_a_bad_one(shop: Shop) -> None:
    """Two bad in a row; what a rollback brought back and was left again is bad as well."""
    shop.record()
    _, second, third = deployed(shop, "one", "two", "three")
    shop.run("rollback --yes")
    assert (shop.greeting(), states(shop)[third]) == ("two", "bad")
    shop.run("rollback --yes")
    assert shop.greeting() == "one"
    said = shop.run("rollback --yes", exit=7)
    assert f"{third}: it is bad" in said and f"{second}: " in said and "bad" in said
    assert shop.greeting() == "one"
    assert f"cannot go back to {third}" in shop.run(f"rollback --to {third} --yes", exit=7)
    shop.run(f"releases mark testing {third} healthy --reason tested")
    shop.run(f"rollback --to {third} --yes")
    assert shop.greeting() == "three", "the way back of a way back, because somebody said so"


@pytest.mark.nightly
def test_what_was_undone_is_nothing_to_go_back_to(shop: Shop) -> None:
    shop.record()
    (first,) = deployed(shop, "one")
    shop.overlay.app["command"] = ["no-such-program"]
    shop.overlay.write()
    shop.deploy(exit=4)
    said = shop.run("rollback --yes", exit=7)
    assert f"{first} is the only release" in said
    assert shop.greeting() == "one"


@pytest.mark.nightly
def test_a_soak_that_nobody_watched_to_its_end(shop: Shop) -> None:
    shop.record()
    deployed(shop, "one")
    shop.soak["seconds"] = 120
    shop.whole()
    shop.greets("two")
    going = shop.started(f"deploy --image {shop.image} --yes --events ndjson")
    assert going.stdout is not None
    for line in going.stdout:
        if "step.started" in line and "soak" in line:
            break
    going.kill()
    going.stdout.close()
    going.wait()
    assert list(states(shop).values()) == ["healthy", "provisional"]
    shop.run("rollback --yes")
    assert shop.greeting() == "one"
    assert list(states(shop).values())[:2] == ["healthy", "bad"]


@pytest.mark.nightly
def test_a_migration_that_the_old_one_cannot_live_with(shop: Shop) -> None:
    shop.record()
    deployed(shop, "one")
    shop.migration(2, "alter table users drop column id;", phase="post")
    deployed(shop, "two")
    said = shop.run("db migrate --phase post --plan", exit=2)
    assert "no way back to r1" in " ".join(said.split()), said
    assert "0002" in shop.run("db migrate --phase post --yes")
    said = shop.run("rollback --yes", exit=7)
    assert "migration 2 has taken away what it needs" in said
    assert shop.greeting() == "two"
    shop.parts.postgres.stop()
    said = shop.run(EMERGENCY, exit=7)
    assert "because the database does not answer" in said
    assert shop.greeting() == "two"


@pytest.mark.nightly
def test_the_program_goes_back_too(shop: Shop) -> None:
    shop.record()
    deployed(shop, "one")
    before = shop.releases()[-1]["parts"]["program_hash"]
    elf = shop.folder / "program.so"
    elf.write_bytes(elf.read_bytes() + b"\1")
    deployed(shop, "two")
    assert shop.releases()[-1]["parts"]["program_hash"] != before
    shop.run("rollback --yes")
    assert shop.greeting() == "one"
    assert shop.releases()[-1]["parts"]["program_hash"] == before
    shown = shop.json("program show")
    assert before in str(shown)


@pytest.mark.parametrize(
    ("down", "exit"),
    [
        pytest.param("postgres", 10, marks=pytest.mark.nightly),
        pytest.param("redis", 10, marks=pytest.mark.nightly),
        pytest.param("chain", 10, marks=pytest.mark.nightly),
        ("all", 10),
    ],
)
def test_in_an_emergency_without(shop: Shop, down: str, exit: int) -> None:
    """The service is back; what could not be seen is named."""
    shop.record()
    deployed(shop, "one", "two")
    if down in ("postgres", "all"):
        shop.parts.postgres.stop()
    if down in ("redis", "all"):
        shop.parts.redis.stop()
    if down in ("chain", "all"):
        shop.parts.localnet.stop()
    told = shop.process(EMERGENCY)
    print(told.stderr)
    assert told.returncode == exit, told.stderr
    assert shop.greeting() == "one"
    assert "back, but not seen" in told.stderr or "NOT back" in told.stderr


@pytest.mark.nightly
def test_the_program_is_paused_first(shop: Shop) -> None:
    shop.record()
    deployed(shop, "one", "two")
    told = shop.process(f"{EMERGENCY} --pause-program")
    assert told.returncode == 0, told.stderr
    assert "program: back, and seen (paused)" in told.stderr
    assert shop.greeting() == "one"
    assert paused(shop)


@pytest.mark.nightly
def test_without_the_cluster(shop: Shop) -> None:
    """From the copy on this machine: the program is paused, the rest is listed."""
    line = Line(shop)
    shop.record()
    first, _ = deployed(shop, "one", "two")
    line.cut()
    told = shop.process(f"{EMERGENCY} --pause-program")
    assert told.returncode == 5, told.stderr
    assert "program: back, and seen (paused)" in told.stderr
    assert "service: NOT back" in told.stderr
    assert f"--to {first} --print" in told.stderr
    assert "kubectl" in shop.run("rollback --print")
    assert first in shop.process("releases").stdout
    line.mend()
    assert paused(shop)
    told = shop.process(EMERGENCY)
    assert told.returncode == 0, told.stderr
    assert shop.greeting() == "one"


@pytest.mark.nightly
def test_without_the_cluster_from_another_machine(shop: Shop) -> None:
    """The history is in a bucket too, encrypted there, and holds no secret."""
    line = Line(shop)
    with s3_server() as variables:
        s3 = s3_client(variables)
        shop.variables |= variables
        shop.history = {"to": "s3://histories/all"}
        shop.record()
        shop.greets("one")
        told = shop.process(f"deploy --image {shop.image} --yes")
        assert told.returncode == 0, told.stderr
        assert "the history was not copied to s3://histories/all" in told.stderr, "told, not fatal"
        s3.create_bucket(Bucket="histories")
        deployed(shop, "two")
        listed = s3.list_objects_v2(Bucket="histories")["Contents"]
        names = [one["Key"].removeprefix("all/toys/testing/") for one in listed]
        assert "releases/history.ndjson" in names
        assert any(name.startswith("runs/") for name in names)
        for one in listed:
            found = s3.get_object(Bucket="histories", Key=one["Key"])
            assert found["ServerSideEncryption"] == "AES256"
            assert PASSWORD.encode() not in found["Body"].read()
        line.cut()
        shop.variables["CBCTL_STATE_DIR"] = str(shop.folder / "another-machine")
        told = shop.process(EMERGENCY)
        assert told.returncode == 5, told.stderr
        assert "the history comes from s3://histories/all" in told.stderr
        assert "--to r1 --print" in told.stderr
        assert "kubectl" in shop.run("rollback --print")


@pytest.mark.nightly
def test_the_cluster_is_lost_on_the_way_back(shop: Shop) -> None:
    line = Line(shop)
    shop.record()
    deployed(shop, "one", "two")
    command, said = shop.command(EMERGENCY), ""
    with subprocess.Popen(
        command, cwd=shop.folder, env=shop.environment(), stderr=subprocess.PIPE, text=True
    ) as going:
        assert going.stderr is not None
        for text in going.stderr:
            said += text
            if "deploys are frozen" in text:
                line.cut()
    assert going.returncode == 5, said
    assert "NOT back" in said and "Traceback" not in said
    line.mend()
    assert shop.process(EMERGENCY).returncode == 0
    assert shop.greeting() == "one"
