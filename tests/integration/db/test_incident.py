"""`cbctl db sessions` and `kill` as an operator runs them while something hangs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.integration.db.incident import Incident
from tests.testbed.forked import Forked

SEE, END = "pg_read_all_stats", "pg_signal_backend"


@pytest.fixture
def incident(tmp_path: Path, forked: Forked, one_database: Any) -> Incident:
    made = Incident(tmp_path, forked, one_database)
    made.set_up()
    return made


def test_an_owner_who_may_not_see_is_told_so(incident: Incident) -> None:
    with incident.holding() as holder:
        pid = holder.info.backend_pid
        calm = incident.db("sessions")
        assert "nobody holds anybody up" in calm.out
        assert "no transaction is long" not in calm.out
        with incident.waiting():
            shown = incident.db("sessions")
            assert f"1 wait for {pid}: cbctl db kill {pid}" in shown.out
            assert "hidden" in shown.out
            assert f"GRANT {SEE}, {END} TO {incident.owner}" in shown.err
            rows = {row["pid"]: row for row in incident.db("sessions", "-o", "json").json}
            assert (rows[pid]["state"], rows[pid]["started"]) == ("hidden", "")
            assert rows[pid]["holds_up"] == 1
            for words in ((str(pid),), ("--user", incident.app)):
                refused = incident.db("kill", *words, "--yes", exit=3)
                assert "gone" not in refused.out
                assert f"GRANT {SEE}, {END} TO {incident.owner}" in refused.err
                assert "database.admin" in refused.err
            assert incident.lives(pid)
            holder.rollback()
        planned = incident.db("migrate", "--plan", exit=2)
        assert "locks" not in planned.out
        holder.execute("select from shop")
        noted = " ".join(incident.db("migrate", "--plan", exit=2).out.split())
        assert f"is hidden from {incident.owner}: {pid} ({incident.app}) on shop" in noted


def test_an_owner_who_may_see_but_not_end(incident: Incident) -> None:
    incident.grant(SEE)
    with incident.holding() as holder:
        pid = holder.info.backend_pid
        assert "idle in transaction" in incident.db("sessions").out
        refused = incident.db("kill", str(pid), "--yes", exit=3)
        assert f"{incident.owner} may not end session {pid} of {incident.app}" in refused.err
        assert incident.lives(pid)


@pytest.mark.parametrize("way", ["rights", "admin"])
def test_who_may_see_and_end(incident: Incident, way: str) -> None:
    if way == "admin":
        incident.has_admin = True
        incident.configure()
    else:
        incident.grant(SEE, END)
    with incident.holding() as holder:
        pid = holder.info.backend_pid
        planned = incident.db("kill", str(pid), "--plan", exit=2).out
        (line,) = [one for one in planned.splitlines() if f"~ session {pid} (" in one]
        assert len(line) <= 80 and f": {incident.app} at 1 table " in line and line.endswith(" end")
        assert "locks on shop" in " ".join(planned.split())
        done = incident.db("kill", str(pid), "--yes", "-o", "json").json
        assert done["outcome"]["sessions"] == {str(pid): "ended"}
        assert not incident.lives(pid)
        again = incident.db("kill", str(pid), "--yes", "-o", "json").json
        assert again["outcome"]["sessions"] == {str(pid): "gone"}


def test_what_is_not_the_owners_to_end(incident: Incident) -> None:
    incident.grant(SEE, END)
    with psycopg.connect(incident.database.url) as superuser:
        pid = superuser.info.backend_pid
        refused = incident.db("kill", str(pid), "--yes", exit=3)
        assert "only superusers may end it" in refused.err
        assert "pg_signal_backend" not in refused.err
    with psycopg.connect(incident.database.server.url("postgres")) as elsewhere:
        pid = elsewhere.info.backend_pid
        refused = incident.db("kill", str(pid), "--yes", exit=7)
        assert f"process {pid} is no session of this database" in refused.err
        assert "of the database postgres" in refused.err
    (checkpointer,) = incident.database.rows(
        "select pid from pg_stat_activity where backend_type = 'checkpointer'"
    )
    assert "a checkpointer" in incident.db("kill", str(checkpointer[0]), "--yes", exit=7).err


def test_beside_a_migration_that_hangs(incident: Incident) -> None:
    incident.grant(SEE, END)
    with incident.holding() as holder, incident.migrating() as migration:
        pid = holder.info.backend_pid
        refused = incident.db("migrate", "--yes", exit=6)
        assert "the lock is held" in refused.err
        assert f"session {pid}" in incident.db("kill", "--blocking", "--plan", exit=2).out
        done = incident.db("kill", "--blocking", "--yes", "-o", "json").json
        assert (done["result"], done["outcome"]["sessions"]) == ("succeeded", {str(pid): "ended"})
        _, said = migration.communicate(timeout=120)
        assert migration.returncode == 0, said
    assert incident.states() == [(1, "applied")]
    listed = incident.forked.run(
        ("audit", "list", "--env", "dev", "-o", "json"),
        cwd=incident.folder,
        env=incident.environment,
        limit=100,
    )
    told = {entry["what"]: entry["result"] for entry in json.loads(listed.out)}
    assert told == {"db migrate": "succeeded", "db kill": "succeeded"}
    checked = incident.forked.run(
        ("audit", "verify", "--env", "dev"),
        cwd=incident.folder,
        env=incident.environment,
        limit=100,
    )
    assert checked.exit == 0, checked.out


def test_an_interrupted_migration_goes_on_after_a_kill(incident: Incident) -> None:
    incident.grant(SEE, END)
    with incident.holding() as holder:
        with incident.migrating() as migration:
            migration.kill()
        incident.db("kill", str(holder.info.backend_pid), "--yes")
    resumed = incident.forked.run(
        ("resume", "--env", "dev", "--yes"),
        cwd=incident.folder,
        env=incident.environment,
        limit=200,
    )
    assert resumed.exit == 0, resumed
    assert incident.states() == [(1, "applied")]


def test_a_protected_environment_wants_its_name(incident: Incident) -> None:
    incident.grant(SEE, END)
    incident.configure(protected=True)
    with incident.holding() as holder:
        pid = holder.info.backend_pid
        assert "--confirm dev" in incident.db("kill", str(pid), "--yes", exit=64).err
        assert incident.lives(pid)
        incident.db("kill", str(pid), "--confirm", "dev")
        assert not incident.lives(pid)


def test_a_leaked_password(incident: Incident) -> None:
    incident.has_admin = True
    incident.configure()
    incident.db("migrate", "--yes")
    incident.db("roles", "--yes")
    incident.database.server.execute("postgres", f"alter role {incident.app} password 'leaked'")
    thief = psycopg.connect(
        incident.url(incident.app).replace(incident.database.server.password, "leaked"),
        application_name="cbctl",
    )
    command = f"cbctl db kill --user {incident.app} --env dev"
    planned = " ".join(incident.db("roles", "--plan", exit=2).out.split())
    assert f"1 session stays logged in as {incident.app}" in planned and command in planned
    done = incident.db("roles", "--yes", "-o", "json").json
    assert command in done["outcome"]["logged_in"][0]
    pid = thief.info.backend_pid
    assert incident.lives(pid)
    ended = incident.db("kill", "--user", incident.app, "--yes", "-o", "json").json
    assert ended["outcome"]["sessions"] == {str(pid): "ended"}, "whatever it calls itself"
    thief.close()
    nobody = incident.db("kill", "--user", incident.app, "--yes", "-o", "json").json
    assert nobody["result"] == "unchanged"
    unknown = incident.db("kill", "--user", "nobody_at_all", "--yes", exit=64)
    assert "there is no role nobody_at_all" in unknown.err


def test_runs_of_cbctl_stay_when_their_role_goes(incident: Incident) -> None:
    with incident.holding() as holder, incident.migrating() as migration:
        other = psycopg.connect(incident.url(incident.owner))
        planned = incident.db("kill", "--user", incident.owner, "--plan", exit=2)
        assert "is a run of cbctl and stays" in " ".join(planned.out.split())
        incident.db("kill", "--user", incident.owner, "--yes")
        assert not incident.lives(other.info.backend_pid)
        holder.rollback()
        _, said = migration.communicate(timeout=120)
        assert migration.returncode == 0, said
        other.close()


def test_one_of_the_three_ways_to_say_whose(incident: Incident) -> None:
    for words in ((), ("1", "--blocking"), ("--blocking", "--user", "x"), ("1", "--user", "x")):
        assert "--user ROLE" in incident.db("kill", *words, exit=64).err
