"""Databases and caches that a person gave to a local environment: only this machine's, and their
URLs are never quoted."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from tests.testbed.context import FakeContext

from cbctl.config.types import Reference
from cbctl.errors import CbctlError, Exit
from cbctl.local.state import State
from cbctl.steps.local import postgres, redis

PASSWORD = "s3cr3t-p4ss"
DATABASE = "environments.local.database.url"
CACHE = "environments.local.cache.url"


@pytest.fixture(autouse=True)
def state(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> State:
    monkeypatch.setenv("CBCTL_STATE_DIR", str(tmp_path))
    return State.open("plat", "local")


def observe(module: Any, url: str, setting: str, *, allow_remote: bool = False) -> Any:
    reference = Reference("env", "URL", optional=True, setting=setting)
    inputs = module.Inputs("plat", "local", url=reference, allow_remote=allow_remote)
    return module.STEP.observe(FakeContext({"URL": url}), inputs).facts


def quoted(error: CbctlError) -> bool:
    return PASSWORD in "".join(traceback.format_exception(error)) + error.fix


@pytest.mark.parametrize(
    "host", ["db.example.com", "10.0.0.1", "localhost.example.com", "[2001:db8::1]", "0.0.0.0"]
)
@pytest.mark.parametrize(
    ("module", "url", "setting"),
    [
        (postgres, "postgresql://u:{password}@{host}/x?sslmode=disable", DATABASE),
        (redis, "redis://:{password}@{host}/0", CACHE),
        (redis, "rediss://u:{password}@{host}:6380", CACHE),
    ],
)
def test_another_machine_is_refused_and_the_setting_named(
    module: Any, url: str, setting: str, host: str
) -> None:
    with pytest.raises(CbctlError, match="another machine") as caught:
        observe(module, url.format(password=PASSWORD, host=host), setting)
    assert caught.value.exit is Exit.REFUSED
    assert caught.value.where == setting
    assert "allow_remote" in caught.value.fix
    assert not quoted(caught.value)


def test_another_machine_is_asked_where_that_is_allowed() -> None:
    url = f"postgresql://u:{PASSWORD}@no-such-host.invalid/x"
    facts = observe(postgres, url, DATABASE, allow_remote=True)
    assert facts.blocked.startswith("the database at postgresql://no-such-host.invalid:5432 cannot")
    assert PASSWORD not in repr(facts)
    url = f"redis://:{PASSWORD}@no-such-host.invalid"
    facts = observe(redis, url, CACHE, allow_remote=True)
    assert facts.blocked.startswith("the cache at redis://no-such-host.invalid:6379 cannot be used")
    assert PASSWORD not in repr(facts)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://u:{}@127.0.0.1", "names no database"),
        ("postgresql://u:{}@127.0.0.1/", "names no database"),
        ("postgresql://u:{}@/x", "names no host"),
        ("postgresql:///x?host=/run/postgresql&password={}", "Unix socket cannot be used"),
        ("postgresql://u:{}@%2Frun%2Fpostgresql/x", "Unix socket cannot be used"),
        ("postgresql://u:{}@127.0.0.1,10.0.0.1/x", "more than one host"),
        ("postgresql://u:{}@127.0.0.1:5432,127.0.0.1:5433/x", "more than one host"),
        ("postgresql://127.0.0.1,10.0.0.1/{}", "more than one host"),
        ("postgresql://u:{}@127.0.0.1/x?host=10.0.0.1", "gives host after the"),
        ("postgresql://u:{}@127.0.0.1/x?hostaddr=10.0.0.1", "gives hostaddr after the"),
        ("postgresql://u:{}@127.0.0.1/x?HostAddr=10.0.0.1", "option after"),
        ("postgresql://u:{}@127.0.0.1/x?service=prod", "gives service after the"),
        ("postgresql://127.0.0.1/{}", "names no user"),
        ("mysql://u:{}@127.0.0.1/x", "does not begin with postgresql://"),
        ("postgresql://u:{}@127.0.0.1:port/x", "port"),
        ("postgresql://u:{}@127.0.0.1:99999/x", "port"),
        ("postgresql://u:{}@[::1/x", "without its ]"),
        ("{}", "does not begin with postgresql://"),
    ],
)
def test_a_database_url_that_cannot_be_used(url: str, told: str) -> None:
    for allow_remote in (False, True):
        with pytest.raises(CbctlError) as caught:
            observe(postgres, url.format(PASSWORD), DATABASE, allow_remote=allow_remote)
        assert told in caught.value.what
        assert caught.value.exit is Exit.USAGE
        assert caught.value.where == DATABASE
        assert not quoted(caught.value)
        assert caught.value.__cause__ is None


def test_a_url_in_the_file_itself_is_named_too() -> None:
    inputs = postgres.Inputs("plat", "local", url=f"postgresql://u:{PASSWORD}@10.0.0.1/x")
    with pytest.raises(CbctlError, match="the database's url: it leads to another machine"):
        postgres.STEP.observe(FakeContext(), inputs)
