"""A release that the schema has outgrown comes back with its schema."""

from __future__ import annotations

import json

from tests.e2e.support import Platform


def test_code_and_schema_go_back_together(deployed: Platform) -> None:
    migrations = deployed.migrations
    (migrations / "0002_no_slot.up.sql").write_text(
        "-- cbctl: phase=post\nALTER TABLE program_config_cache RENAME COLUMN slot TO slot_number;"
    )
    (migrations / "0002_no_slot.down.sql").write_text(
        "ALTER TABLE program_config_cache RENAME COLUMN slot_number TO slot;"
    )
    before = deployed.schema()
    (deployed.source / "schema.json").write_text(json.dumps({"min": 1, "max": 2}))
    assert deployed.deploy()["release"] == "r2"
    deployed.run("db", "migrate", "--phase", "post", "--env", "local").ended(0)
    assert deployed.schema() != before

    deployed.run("rollback", "local").refused(7, "has taken away what it needs")
    asked = ("rollback", "local", "--with-database")
    deployed.run(*asked).refused(64, "--database crypto_bet")
    deployed.run(*asked, "--plan").refused(64, "--plan")
    assert deployed.schema() != before
    done = deployed.run(*asked, "--database", "crypto_bet", "--output", "json").ended(0)
    assert "runs 0002_no_slot.down.sql" in done.err
    assert done.json["release"] == "r3" and deployed.schema() == before
    deployed.run("health", "local").ended(0)
    deployed.check_journals()
