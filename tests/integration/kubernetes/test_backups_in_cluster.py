"""Backups of a database that only the cluster reaches: made, restored and removed by Jobs there,
kept in a bucket that this machine reaches too."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pyrage
import pytest
from msgspec.structs import replace
from tests.integration.kubernetes.inside import PASSWORD, Inside, cbctl_image, inside, postgres
from tests.integration.kubernetes.shop import Shop
from tests.integration.kubernetes.toys import Toys
from tests.testbed.kubenode.cluster import Cluster
from tests.testbed.kubenode.node import ADDRESS
from tests.testbed.postgres import PostgresServer
from tests.testbed.s3 import s3_client, s3_server
from tests.testbed.waiting import wait_for

from cbctl.clients.backups import manifest as manifests

KEYS = "bucket-keys"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with postgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    with s3_server() as variables:
        yield variables


@pytest.fixture
def house(
    cluster: Cluster, tmp_path: Path, server: PostgresServer, s3: dict[str, str]
) -> Iterator[Inside]:
    with inside(cluster, tmp_path, server) as made:
        furnish(made, s3)
        yield made


def furnish(house: Inside, s3: dict[str, str]) -> None:
    """A database with something in it, and a bucket for its backups."""
    house.database["backups"] = {"to": bucket_for(house, s3)}
    house.write()
    house.migration(1, "create table users (id int); insert into users values (1), (2);")
    house.json("db migrate --new-database --yes")


def bucket_for(house: Toys, s3: dict[str, str]) -> str:
    """A new one, which this machine and Jobs reach."""
    s3_client(s3).create_bucket(Bucket=house.own)
    port = house.cluster.node.port_out(int(s3["AWS_ENDPOINT_URL"].rpartition(":")[2]))
    house.secret(KEYS, {**s3, "AWS_ENDPOINT_URL": f"http://{ADDRESS}:{port}"})
    house.variables = s3
    house.jobs |= {"image": cbctl_image(house.cluster), "variables_from": KEYS}
    return f"s3://{house.own}/kept"


def users(house: Inside, name: str = "") -> list[Any]:
    with house.server.connect(name or house.name) as connection:
        return [row[0] for row in connection.execute("select id from users order by id")]


def backups(house: Inside) -> list[Any]:
    found: list[Any] = house.json("db backups")
    return found


def nothing_left(house: Inside) -> None:
    assert house.get("jobs")["items"] == []
    assert house.get("configmaps", "-l", "app.kubernetes.io/name=cbctl")["items"] == []


@contextmanager
def held_up(house: Inside) -> Iterator[subprocess.Popen[str]]:
    """A backup whose dump waits for a lock until the end of this, or for a minute."""
    with house.server.connect(house.name) as other, house.server.connect("postgres") as watcher:
        other.execute("begin; lock table users in access exclusive mode")
        with house.started("db backup --yes") as process:
            try:
                wait_for(lambda: _waits(watcher, house.name), 120, "the dump")
                yield process
            finally:
                other.execute("rollback")


def _waits(watcher: Any, name: str) -> bool:
    found = watcher.execute(
        "select from pg_stat_activity where datname = %s and wait_event_type = 'Lock'", (name,)
    )
    return found.fetchone() is not None


def job_of(house: Inside) -> tuple[str, str]:
    """Names of the only Job and its pod."""
    (job,) = house.get("jobs")["items"]
    (pod,) = house.get("pods", "-l", f"batch.kubernetes.io/job-name={job['metadata']['name']}")[
        "items"
    ]
    return job["metadata"]["name"], pod["metadata"]["name"]


def token(house: Inside) -> int:
    """Of the lock: whoever takes it has another one."""
    return int(house.get("lease", "cbctl-lock")["spec"]["leaseTransitions"])


def test_made_proved_restored_and_taken_back(house: Inside) -> None:
    made = house.json("db backup --yes")["outcome"]
    assert made["schema_version"] == 1
    (row,) = backups(house)
    assert row["backup"] == made["backup"] and not row["verified"]
    house.run("db verify-backup")
    assert backups(house)[0]["verified"]
    house.server.execute(house.name, "delete from users")
    assert f"--replace {house.name}" in house.run("db restore --plan", exit=7)
    house.json(f"db restore --replace {house.name} --yes")
    assert users(house) == [1, 2]
    house.json(f"db restore --undo --replace {house.name} --yes")
    assert users(house) == []
    nothing_left(house)
    said = house.run("audit list") + house.run("why last")
    assert PASSWORD not in said + json.dumps(house.get("configmaps"))


@pytest.mark.nightly
def test_what_is_old_goes(house: Inside) -> None:
    """Backups, and databases that a restore put aside."""
    client = s3_client(house.variables)
    for _ in range(2):
        house.json("db backup --yes")
    old, _ = (row["backup"] for row in backups(house))
    house.json(f"db restore {old} --replace {house.name} --yes")
    (aside,) = databases(house, f"{house.name}_replaced_%")
    older = f"{house.name}_replaced_20200101t000000000"
    house.server.execute("postgres", f"alter database {aside} rename to {older}")
    assert house.json("db prune --yes")["outcome"]["removed"] == [f"database {older}"]
    assert not databases(house, f"{house.name}_replaced_%")
    manifest = f"kept/toys/testing/{old}/manifest.json"
    made = manifests.read(client.get_object(Bucket=house.own, Key=manifest)["Body"].read(), "")
    aged = replace(made, made_at="2020-01-01T00:00:00.000Z")
    house.run("db verify-backup")
    client.put_object(Bucket=house.own, Key=manifest, Body=manifests.to_bytes(aged))
    assert house.json("db prune --yes")["outcome"]["removed"] == [f"backup {old}"]
    assert len(backups(house)) == 1
    nothing_left(house)


def databases(house: Inside, like: str) -> list[str]:
    with house.server.connect("postgres") as connection:
        rows = connection.execute("select datname from pg_database where datname like %s", (like,))
        return [str(row[0]) for row in rows]


@pytest.mark.nightly
def test_a_schema_that_is_there_is_taken_over(house: Inside) -> None:
    """What the migrations build is built on a server of the pod's own."""
    house.server.execute(house.name, "drop table schema_migrations")
    house.migration(2, "alter table users add name text", "name")
    told = house.run("db baseline --to 2 --yes", exit=7)
    assert "not what the migrations up to 0002 build" in told
    assert house.json("db baseline --to 1 --yes")["outcome"]["recorded"] == ["0001_users"]


@pytest.mark.nightly
def test_killed_while_dumping_a_resume_waits_for_the_same_job(house: Inside) -> None:
    with held_up(house) as going:
        going.kill()
        job, pod = job_of(house)
        first = token(house)
        resumed = house.started("resume --yes")
        wait_for(lambda: token(house) > first, 60, "the resume")
    resumed.communicate(timeout=200)
    assert resumed.returncode == 0
    (row,) = backups(house)
    created = [one["message"] for one in house.get("events")["items"] if job in str(one)]
    assert [said for said in created if said.startswith("Created")] == [f"Created pod: {pod}"]
    house.run(f"db verify-backup {row['backup']}")
    nothing_left(house)


@pytest.mark.nightly
def test_killed_while_dumping_another_run_is_not_disturbed(house: Inside) -> None:
    """The Job of the killed one finds the lock taken, and keeps nothing."""
    with held_up(house) as going:
        going.kill()
        _, pod = job_of(house)
        first = token(house)
        other = house.started("db backup --yes")
        wait_for(lambda: token(house) > first, 60, "the other one")
    other.communicate(timeout=200)
    assert other.returncode == 0
    wait_for(lambda: "failure" in house.kubectl("logs", pod), 60, "the end of the first")
    assert "the lock was taken by" in house.kubectl("logs", pod)
    assert len(backups(house)) == 1
    house.run("db verify-backup")


@pytest.mark.nightly
@pytest.mark.parametrize("how", ["", "--force --grace-period=0"])
def test_a_pod_that_is_lost_while_dumping(house: Inside, how: str) -> None:
    with held_up(house) as going:
        _, pod = job_of(house)
        house.kubectl("delete", "pod", pod, "--wait=false", *how.split())
        assert going.wait(120) == 5
    assert backups(house) == []
    house.run("resume --yes")
    (row,) = backups(house)
    house.run(f"db verify-backup {row['backup']}")
    nothing_left(house)


def fill(house: Inside, megabytes: int) -> None:
    """What does not compress, so that a file of the dump has several parts."""
    house.server.execute(
        house.name,
        "create table noise (data bytea); alter table noise alter data set storage external",
        "insert into noise select string_agg(sha256((n || '/' || m)::text::bytea), '') from "
        f"generate_series(1, {megabytes}) n, generate_series(1, 32768) m group by n",
    )


@contextmanager
def paused_bucket() -> Iterator[Callable[[], None]]:
    """From the call on nothing is answered, until the end of this."""
    (process,) = [one for one in psutil.Process().children() if "moto.server" in one.cmdline()]
    try:
        yield process.suspend
    finally:
        process.resume()


@pytest.mark.nightly
def test_a_pod_that_is_lost_while_uploading(house: Inside) -> None:
    """What it had uploaded counts for nothing, and the next try goes on with it."""
    fill(house, 64)
    client = s3_client(house.variables)

    def begun() -> bool:
        found = client.list_multipart_uploads(Bucket=house.own).get("Uploads", ())
        return any(
            client.list_parts(Bucket=house.own, Key=one["Key"], UploadId=one["UploadId"])["Parts"]
            for one in found
        )

    with paused_bucket() as pause:
        going = house.started("db backup --yes")
        wait_for(begun, 120, "a part of the upload", passing=(KeyError,))
        pause()
        _, pod = job_of(house)
        house.kubectl("delete", "pod", pod, "--wait=false", "--force", "--grace-period=0")
        going.communicate(timeout=120)
    assert going.returncode == 5
    assert backups(house) == [] and begun()
    house.run("resume --yes")
    (row,) = backups(house)
    assert not client.list_multipart_uploads(Bucket=house.own).get("Uploads")
    house.run(f"db verify-backup {row['backup']}")


@pytest.mark.nightly
def test_ctrl_c_ends_the_job(house: Inside) -> None:
    with held_up(house) as going:
        going.send_signal(signal.SIGINT)
        assert going.wait(120) == 8
        nothing_left(house)
    assert backups(house) == []


@pytest.mark.nightly
def test_more_than_its_disk_may_hold(house: Inside) -> None:
    fill(house, 20)
    house.jobs["disk"] = "1Mi"
    house.write()
    with paused_bucket() as pause:
        with held_up(house) as going:
            pause()  # so that the dump stays on the disk, which a node measures rarely
        assert going.wait(300) == 5
    told = house.run("why last")
    assert "exceeds the limit" in told and "`jobs.disk`" in told
    assert backups(house) == []


@pytest.mark.nightly
def test_a_bucket_that_cannot_be_used(house: Inside) -> None:
    port = house.cluster.node.port_out(int(house.variables["AWS_ENDPOINT_URL"].rpartition(":")[2]))
    there = {"AWS_ENDPOINT_URL": f"http://{ADDRESS}:{port}", "AWS_DEFAULT_REGION": "us-east-1"}
    house.secret("no-keys", there)
    house.secret("unreachable", house.variables | {"AWS_ENDPOINT_URL": f"http://{ADDRESS}:9"})
    for secret, why in (
        ("absent", 'secret "absent" not found'),
        ("no-keys", "Unable to locate credentials"),
        ("unreachable", "Could not connect to the endpoint URL"),
    ):
        house.jobs["variables_from"] = secret
        house.write()
        told = house.run("db backup --yes", exit=1 if secret == "absent" else 5)
        assert why in told
    with refusing(house.variables):
        house.jobs["variables_from"] = KEYS
        house.write()
        assert "InvalidAccessKeyId" in house.run("db backup --yes", exit=5)
    house.run("db backup --yes")
    assert len(backups(house)) == 1


@contextmanager
def refusing(s3: dict[str, str]) -> Iterator[None]:
    """The bucket's server knows nobody."""

    def allowed(actions: str) -> None:
        url = f"{s3['AWS_ENDPOINT_URL']}/moto-api/reset-auth"
        httpx.post(url, content=actions, headers={"Content-Type": "text/plain"}).raise_for_status()

    allowed("0")
    try:
        yield
    finally:
        allowed("inf")


@pytest.mark.nightly
def test_an_encrypted_one_is_opened_by_a_secret_of_the_cluster(house: Inside) -> None:
    identity = pyrage.x25519.Identity.generate()
    file = house.folder / "age.txt"
    file.touch(mode=0o600)
    file.write_text(f"{identity}\n")
    house.secret("age", {"identity": str(identity)})
    house.database["backups"]["recipient"] = str(identity.to_public())
    house.write()
    house.run("db backup --yes")
    assert "the backup is encrypted" in house.run("db restore --into other --yes", exit=7)
    told = house.run(f"db restore --into other --yes --identity {file}", exit=64)
    assert "keep it in a Secret" in told and house.get("jobs")["items"] == []
    name = f"{house.name}_other"
    house.run(f"db restore --into {name} --yes --identity secret:age#identity")
    assert users(house, name) == [1, 2]
    house.run(f"db verify-backup --identity {file}")
    assert str(identity) not in house.run("why last") + json.dumps(house.get("configmaps"))


@pytest.mark.nightly
def test_a_folder_is_no_place_for_them(house: Inside) -> None:
    house.database["backups"] = {}
    house.write()
    for line in ("backup", "restore", "prune", "backup --to kept"):
        assert "which would go with the pod" in house.run(f"db {line} --yes", exit=7)
    assert "nothing there knows the releases" in house.run(
        "rollback testing --with-database --yes", exit=7
    )


@pytest.mark.nightly
def test_a_deploy_takes_and_proves_one_before_migrations(shop: Shop, s3: dict[str, str]) -> None:
    shop.record()
    url = shop.parts.postgres.url(shop.name)
    port = shop.cluster.node.port_out(shop.parts.postgres.port)
    inner = url.replace(f"127.0.0.1:{shop.parts.postgres.port}", f"{ADDRESS}:{port}")
    shop.secret("owner", {"url": f"{inner}?sslmode=disable"})
    shop.database = {"on": "external", "access": "in-cluster", "url": "${secret:owner#url}"}
    shop.backups = {"to": bucket_for(shop, s3)}
    shop.whole()
    shop.deploy()
    assert shop.json("db backups") == []
    shop.migration(2, "create table bets (id bigint);")
    assert "last proved backup" in shop.run(f"deploy --image {shop.image} --plan", exit=2)
    shop.deploy()
    (backup,) = shop.json("db backups")
    assert backup["verified"] and backup["schema"] == 1, "before the migration"
    shop.backups = {}
    shop.whole()
    shop.migration(3, "create table odds (id bigint);")
    told = json.dumps(shop.json(f"deploy --image {shop.image} --plan", exit=2))
    assert "database.backups.to does not say where it would be kept" in told
