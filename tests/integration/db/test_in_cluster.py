"""`db.migrate` as a Job does it, on a real Postgres; the Job is a call in this process here, and a
real one in tests/integration/kubernetes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.testbed.context import FakeContext
from tests.testbed.s3 import s3_client, s3_server

from cbctl.clients.backups.place import kept
from cbctl.clients.kubernetes import job
from cbctl.config.types import Reference
from cbctl.engine.lock import Held, acquire, break_lock
from cbctl.engine.step import Change, Changes, Nothing, Verified
from cbctl.engine.world import Stop
from cbctl.errors import CbctlError, Exit
from cbctl.local.state import State
from cbctl.machine import SystemClock, SystemRandom, owner, owner_state
from cbctl.steps.db import kill, safeguard
from cbctl.steps.db.migrate import STEP, Inputs
from cbctl.steps.in_cluster import task
from cbctl.steps.in_cluster.step import InCluster, Place
from cbctl.stores.files import FileStore
from cbctl.wiring import worker

URL = Reference(kind="secret", name="database-owner", key="database-url")
PLACE = Place(
    "context", "namespace", "", "cbctl@sha256:" + "0" * 64, "cbctl-job", 60, "1Gi", "keys"
)


class Jobs:
    """Runs a Job's call in this process. `store` has the lock; `sent` keeps what went there."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.store = FileStore(folder / "store", owner_state)
        (folder / "store").mkdir()
        self.sent: list[job.Wanted] = []
        self.removed: list[str] = []

    def lines(self, api: Any, wanted: job.Wanted, now: Any, go_on: Any) -> Generator[str]:
        self.sent.append(wanted)
        folder = self.folder / f"task-{len(self.sent)}"
        folder.mkdir()
        for name, data in wanted.files.items():
            (folder / name).write_bytes(data)
        told: list[bytes] = []
        environ = dict.fromkeys(wanted.secrets, self.url)
        worker.work(folder, lambda: self.store, told.append, Stop(), environ)
        yield from (line.decode() for line in told)

    def remove(self, api: Any, name: str) -> None:
        self.removed.append(name)

    def hold(self, run: str) -> Held:
        return acquire(self.store, SystemClock(), owner(), run, "test")


@pytest.fixture
def jobs(tmp_path: Path, one_database: Any, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    made = Jobs(tmp_path, one_database.url)
    monkeypatch.setattr(job, "lines", made.lines)
    monkeypatch.setattr(job, "remove", made.remove)

    @contextmanager
    def connected(*_: Any, **__: Any) -> Generator[None]:
        yield None

    monkeypatch.setattr(InCluster, "_connected", connected)
    return made


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_a.up.sql").write_text("create table a ();")
    (folder / "0002_b.up.sql").write_text("create table b ();")
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps({"min": 1, "max": 2}))
    return Inputs(
        url=URL,
        folder=folder,
        schema=schema,
        platform="testing",
        environment="production",
        create_marker=True,
        database_step="",
    )


def test_the_same_as_from_outside(jobs: Jobs, one_database: Any, inputs: Inputs) -> None:
    step = InCluster(STEP, "db.migrate", PLACE)
    held = jobs.hold("r7")
    ctx = FakeContext(run="r7", step="migrate", token=held.token)
    facts = step.observe(ctx, inputs).facts
    beside = Inputs(**{**vars(inputs), "url": Reference("state", "database-url")})
    outside = FakeContext({"database-url": one_database.url}, run="r7", token=held.token)
    assert facts == STEP.observe(outside, beside).facts
    verdict = step.plan(inputs, facts)
    assert isinstance(verdict, Changes)
    intent = step.identify(ctx, inputs, verdict.changes)
    outcome = step.apply(ctx, inputs, verdict.changes, intent)
    assert outcome.applied == ("0001_a", "0002_b")
    assert isinstance(step.verify(ctx, inputs), Verified)
    facts = step.observe(ctx, inputs).facts
    assert step.plan(inputs, facts) == Nothing("the schema is at 0002")
    assert step.outcome(ctx, inputs, facts) == STEP.outcome(outside, beside, facts)
    assert one_database.rows("select distinct applied_by from schema_migrations") == [
        ("owner in run r7",)
    ]
    assert any("0001_a" in said for said in ctx.said), "progress comes through"
    names = [wanted.name for wanted in jobs.sent]
    assert jobs.removed == names
    assert isinstance(intent, dict)
    assert intent["job"] in names, "a repeated try finds the Job by the name in the journal"
    for wanted in jobs.sent:
        assert one_database.url.encode() not in b"".join(wanted.files.values())
        assert list(wanted.secrets.values()) == [job.Key("database-owner", "database-url")]
        assert (wanted.room, wanted.variables_from) == (job.SMALL, ""), "for backups alone"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    with s3_server() as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        s3_client(variables).create_bucket(Bucket="kept")
        yield "s3://kept/testing"


def test_a_backup_before_migrations_and_nothing_of_this_machines_state_goes_there(
    jobs: Jobs, one_database: Any, inputs: Inputs, bucket: str, tmp_path: Path
) -> None:
    (inputs.folder / "0002_b.up.sql").rename(tmp_path / "later")
    held = jobs.hold("r7")
    ctx = FakeContext(run="r7", step="migrate", token=held.token)
    migrate = InCluster(STEP, "db.migrate", PLACE)
    verdict = migrate.plan(inputs, migrate.observe(ctx, inputs).facts)
    assert isinstance(verdict, Changes)
    changes = verdict.changes
    migrate.apply(ctx, inputs, changes, migrate.identify(ctx, inputs, changes))
    (tmp_path / "later").rename(inputs.folder / "0002_b.up.sql")
    migrated = len(jobs.sent)

    state = State.open("testing", "production", root=tmp_path / "state")
    state.write_secret("wallet", "canary-of-this-machine")
    before = sorted(state.path.rglob("*"))
    given = safeguard.Inputs(
        url=URL,
        platform="testing",
        environment="production",
        who="somebody",
        host="here",
        place=bucket,
        state=state.path,
        folder=inputs.folder,
        configured=True,
        proved={},
    )
    step = InCluster(safeguard.STEP, "db.safeguard", PLACE)
    verdict = step.plan(given, step.observe(ctx, given).facts)
    assert isinstance(verdict, Changes)
    intent = step.identify(ctx, given, verdict.changes)
    outcome = step.apply(ctx, given, verdict.changes, intent)
    assert isinstance(step.verify(ctx, given), Verified)
    (one,) = kept(given.open(), {outcome.backup: outcome.manifest})
    assert (one.id, one.proved) == (outcome.backup, True)

    assert sorted(state.path.rglob("*")) == before, "the pod has a folder of its own"
    for wanted in jobs.sent[migrated:]:
        assert str(state.path).encode() not in wanted.files["task.json"]
        with zipfile.ZipFile(io.BytesIO(wanted.files[task.FILES])) as sent:
            files = {name for name in sent.namelist() if not name.endswith("/")}
        assert files == {f"folder/migrations/000{n}.up.sql" for n in ("1_a", "2_b")}
        assert (wanted.room.disk, wanted.variables_from) == ("1Gi", "keys")


def test_nothing_is_changed_for_a_run_that_lost_its_lock(
    jobs: Jobs, one_database: Any, inputs: Inputs
) -> None:
    step = InCluster(STEP, "db.migrate", PLACE)
    held = jobs.hold("r7")
    ctx = FakeContext(run="r7", step="migrate", token=held.token)
    changes = (Change("owner of the database"), Change("migration 0001_a"))
    intent = step.identify(ctx, inputs, changes)
    break_lock(jobs.store, SystemClock(), SystemRandom(), owner(), "test")
    with pytest.raises(CbctlError) as raised:
        step.apply(ctx, inputs, changes, intent)
    assert raised.value.exit is Exit.LOCKED
    assert ctx.fenced, "who took the lock is said by the lock itself"
    assert one_database.rows("select count(*) from pg_tables where schemaname = 'public'") == [(0,)]


def test_a_resume_takes_the_lock_anew_and_its_job_goes_on(
    jobs: Jobs, one_database: Any, inputs: Inputs
) -> None:
    step = InCluster(STEP, "db.migrate", PLACE)
    held = jobs.hold("r7")
    ctx = FakeContext(run="r7", step="migrate", token=held.token)
    verdict = step.plan(inputs, step.observe(ctx, inputs).facts)
    assert isinstance(verdict, Changes)
    intent = step.identify(ctx, inputs, verdict.changes)
    held.release()
    assert jobs.hold("r7").token > held.token
    assert step.apply(ctx, inputs, verdict.changes, intent).applied == ("0001_a", "0002_b")


def test_a_failure_is_told_as_from_outside(jobs: Jobs, inputs: Inputs) -> None:
    (inputs.folder / "0002_b.up.sql").write_text("select 1 from nowhere;")
    step = InCluster(STEP, "db.migrate", PLACE)
    held = jobs.hold("r7")
    ctx = FakeContext(run="r7", step="migrate", token=held.token)
    verdict = step.plan(inputs, step.observe(ctx, inputs).facts)
    assert isinstance(verdict, Changes)
    intent = step.identify(ctx, inputs, verdict.changes)
    with pytest.raises(CbctlError, match="nowhere") as raised:
        step.apply(ctx, inputs, verdict.changes, intent)
    assert "0002_b" in str(raised.value)
    assert jobs.removed[-1] == intent["job"], "a repeated try asks anew"  # type: ignore[index, call-overload]


def test_values_that_only_this_machine_knows(jobs: Jobs, inputs: Inputs) -> None:
    step = InCluster(STEP, "db.migrate", PLACE)
    here = Inputs(**{**vars(inputs), "url": Reference("env", "DATABASE_URL")})
    with pytest.raises(CbctlError, match="known here alone") as raised:
        step.observe(FakeContext(), here)
    assert raised.value.exit is Exit.USAGE
    assert not jobs.sent


def test_an_image_of_another_version(
    jobs: Jobs, inputs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task, "__version__", "9.9.9")
    with pytest.raises(CbctlError, match=r"holds cbctl 9\.9\.9") as raised:
        InCluster(STEP, "db.migrate", PLACE).observe(FakeContext(), inputs)
    assert raised.value.exit is Exit.REFUSED


def test_a_session_is_ended_beside_the_holder_of_the_lock(jobs: Jobs, one_database: Any) -> None:
    """Nothing of it is done from outside, and no run has to hold the lock for it."""
    jobs.hold("another")
    other = one_database.connect()
    step = InCluster(kill.STEP, "db.kill", PLACE)
    inputs = kill.Inputs(
        url=URL, platform="testing", environment="production", pid=other.info.backend_pid
    )
    ctx = FakeContext(run="beside", step="kill", token=0)
    facts = step.observe(ctx, inputs).facts
    verdict = step.plan(inputs, facts)
    assert isinstance(verdict, Changes)
    intent = step.identify(ctx, inputs, verdict.changes)
    assert not step.needs_lock
    outcome = step.apply(ctx, inputs, verdict.changes, intent)
    assert outcome.sessions == {str(inputs.pid): "ended"}
    assert isinstance(step.verify(ctx, inputs), Verified)
    other.close()
