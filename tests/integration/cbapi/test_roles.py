"""The service as the role that `cbctl db roles` makes for it: all that it needs, and no more."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.cbapi.conftest import MakeService
from tests.integration.cbapi.support import ROOT, PostgresServer, wait_for
from tests.integration.db.roles_house import RolesHouse

from cbctl.config.load import environment, load

MIGRATIONS = ROOT / "src/cbapi/migrations"


@pytest.fixture
def house(postgres: PostgresServer, tmp_path: Path) -> RolesHouse:
    name = "roles" + secrets.token_hex(4)
    postgres.execute("postgres", f"create database {name}")
    made = RolesHouse(postgres, name, MIGRATIONS)
    made.migrate()
    shipped = environment(load(ROOT / "cbctl.yaml"), "production").database.roles
    made.inputs = replace(made.inputs, app_may=shipped.app_may)
    made.put_right()
    return made


def test_it_works_and_may_no_more(house: RolesHouse, make_service: MakeService) -> None:
    service = make_service(DATABASE_URL=house.context.secrets["app-url"]).start()
    wait_for(lambda: service.ready()[0] == 200, 30, "the service to be ready")
    assert service.http.get("/v1/program").status_code == 200

    def kept() -> bool:
        return house.as_(house.readonly, "select count(*) from program_config_cache") == [(1,)]

    wait_for(kept, 30, "what it keeps")
    assert "permission denied" not in service.log_text()
    house.refused(
        house.app,
        "delete from program_config_cache",
        "drop table program_config_cache",
        "alter table program_config_cache add column made int",
        "create table made (id int)",
        "update schema_migrations set phase = 'post'",
    )
    house.refused(house.readonly, "update program_config_cache set slot = 0")
