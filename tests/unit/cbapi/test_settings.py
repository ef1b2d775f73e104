from __future__ import annotations

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

import cbctl
from cbapi import __version__
from cbapi.settings import InvalidSettings, load
from cbapi.storage.cache import Cache
from cbapi.storage.postgres import conninfo
from cbapi.urls import PostgresUrl, RedisUrl, RpcUrl, Unreadable

CANARY = "cAnary-5x"
GOOD = {
    "DATABASE_URL": "postgresql://app:p%40ss@db.example:6543/bets",
    "REDIS_URL": "rediss://:secret@cache.example",
    "SOLANA_RPC_URL": "https://rpc.example/v2/key?x=1",
    "PROGRAM_ID": "Vote111111111111111111111111111111111111111",
}


def test_version_is_the_project_s() -> None:
    assert cbctl.__version__ == __version__


def test_defaults() -> None:
    settings = load(GOOD)
    assert (settings.host, settings.port, settings.log_level) == ("127.0.0.1", 3000, "info")
    assert (settings.version, settings.drain_seconds) == (__version__, 0.0)
    assert settings.database.password == "p@ss"
    assert (settings.redis.port, settings.redis.tls) == (6379, True)
    assert settings.rpc == RpcUrl("rpc.example", 443, True, "/v2/key?x=1")
    for secret in ("p@ss", "secret", "key"):
        assert secret not in repr(settings)
    # An empty variable is an unset one: that is what an unfilled template gives.
    assert load(GOOD | {"PORT": "", "HOST_FILE": ""}) == settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", ""),
        ("DATABASE_URL", f"mysql://a:{CANARY}@h/d"),
        ("DATABASE_URL", f"postgres://a:{CANARY}@h:{CANARY}/d"),
        ("DATABASE_URL", f"postgres://a:{CANARY}#@h/d"),
        ("DATABASE_URL", f"postgres://a:{CANARY}/x@h/d"),
        ("DATABASE_URL", f"postgres://a:{CANARY}@[h/d"),
        ("DATABASE_URL", f"postgres://a:{CANARY}@h/d?{CANARY}"),
        ("DATABASE_URL", f"postgres://a:{CANARY}@h/d?sslmode=prefer"),
        ("DATABASE_URL", f"postgres://a:{CANARY}@h/d?sslmode=disable&sslmode=require"),
        ("DATABASE_URL", f"postgres://a:{CANARY}@h/d?require_auth={CANARY}"),
        ("DATABASE_URL", f"postgres://a:{CANARY}@h,i/d"),
        ("DATABASE_URL", f"postgres://a:{CANARY}@h/"),
        ("DATABASE_URL", f"postgres://h/{CANARY}"),
        ("DATABASE_URL", f"postgres://a:{CANARY}@h/d\npostgres://b"),
        ("REDIS_URL", f"redis://:{CANARY}@h/x"),
        ("REDIS_URL", f"unix://{CANARY}"),
        ("REDIS_URL", f"unix://:{CANARY}@host/socket"),
        ("REDIS_URL", f"unix://:{CANARY}/@/socket"),
        ("REDIS_URL", f"unix://:{CANARY}@/socket?db={CANARY}"),
        ("REDIS_URL", f"unix://:{CANARY}@/socket?ssl=1"),
        ("REDIS_URL", f"rediss://:{CANARY}@h/0?ssl_cert_reqs=none"),
        ("SOLANA_RPC_URL", f"wss://h/{CANARY}"),
        ("SOLANA_RPC_URL", f"https://u:{CANARY}@h/"),
        ("SOLANA_RPC_URL", f"https:///{CANARY}"),
        ("PROGRAM_ID", CANARY),
        ("PROGRAM_ID", "1" * 44),
        ("HOST", f"{CANARY}/"),
        ("HOST", "localhost"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", CANARY),
        ("LOG_LEVEL", CANARY),
        ("CBAPI_VERSION", f"{CANARY}\n"),
        ("DRAIN_SECONDS", "-1"),
        ("DRAIN_SECONDS", "301"),
    ],
)
def test_wrong_values_are_named_not_quoted(name: str, value: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load(GOOD | {name: value})
    text = str(caught.value)
    assert len(caught.value.problems) == 1
    assert f"{name}: " in text
    assert "expected " in text
    assert CANARY not in text
    assert "\n" not in text


def test_every_problem_at_once() -> None:
    with pytest.raises(InvalidSettings) as caught:
        load({"PORT": "x"})
    assert len(caught.value.problems) == 5


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "url"
    path.write_text(GOOD["DATABASE_URL"] + "\r\n")
    rest = {name: value for name, value in GOOD.items() if name != "DATABASE_URL"}
    assert load(rest | {"DATABASE_URL_FILE": str(path)}).database.host == "db.example"
    for environ, expected in (
        (GOOD | {"DATABASE_URL_FILE": str(path)}, "both DATABASE_URL and DATABASE_URL_FILE"),
        (rest | {"DATABASE_URL_FILE": str(tmp_path / "none")}, "DATABASE_URL_FILE: cannot be read"),
        (rest | {"DATABASE_URL_FILE": str(tmp_path)}, "DATABASE_URL_FILE: cannot be read"),
    ):
        with pytest.raises(InvalidSettings, match=expected):
            load(environ)
    path.write_text("\n")
    with pytest.raises(InvalidSettings, match="the file is empty"):
        load(rest | {"DATABASE_URL_FILE": str(path)})


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_tls_of_postgres_is_always_verified(mode: str) -> None:
    text = conninfo(PostgresUrl.parse(f"postgresql://a:b@h/d?sslmode={mode}"))
    assert "sslmode=verify-full" in text
    assert "sslrootcert=" in text
    own = f"postgresql://a:b@h/d?sslmode={mode}&sslrootcert=/own/ca.pem"
    assert "sslrootcert=/own/ca.pem" in conninfo(PostgresUrl.parse(own))


def test_of_rds_the_image_has_the_authorities() -> None:
    url = "postgresql://a:b@db.abc.eu-west-1.rds.amazonaws.com/d?sslmode=verify-full"
    assert "sslrootcert=/etc/ssl/rds.pem" in conninfo(PostgresUrl.parse(url))
    assert "sslrootcert=/own/ca.pem" in conninfo(
        PostgresUrl.parse(f"{url}&sslrootcert=/own/ca.pem")
    )
    image = (Path(__file__).parents[3] / "images/cbapi/Containerfile").read_text()
    assert "rds.pem /etc/ssl/rds.pem" in image


def test_without_tls_nothing_is_negotiated() -> None:
    assert "sslmode=disable" in conninfo(PostgresUrl.parse("postgresql://a:b@h/d"))


@pytest.mark.parametrize(
    ("url", "required"),
    [
        ("postgresql://a:b@h/d", "scram-sha-256"),
        ("postgresql://a:b@127.0.0.1/d", "scram-sha-256"),
        ("postgresql://a:b@h/d?require_auth=md5,scram-sha-256", "md5,scram-sha-256"),
        ("postgresql://a:b@h/d?sslmode=verify-full", ""),
        ("postgresql://a@h/d", ""),
    ],
)
def test_a_server_that_is_not_verified_must_use_scram(url: str, required: str) -> None:
    found = conninfo_to_dict(conninfo(PostgresUrl.parse(url)))
    assert found.get("require_auth", "") == required


def test_conninfo_quotes_odd_passwords() -> None:
    url = PostgresUrl.parse("postgresql://a:%27%20%5C%20host%3Devil@h/d")
    assert url.password == "' \\ host=evil"
    assert r"password='\' \\ host=evil'" in conninfo(url)


def test_tls_of_redis_is_always_verified() -> None:
    values = Cache(RedisUrl.parse("rediss://:x@h/3"))._redis.connection_pool.connection_kwargs
    assert values["ssl_cert_reqs"] == "required"
    assert values["ssl_check_hostname"] is True
    assert values["ssl_ca_certs"]
    assert values["db"] == 3


def test_redis_at_a_socket() -> None:
    url = RedisUrl.parse("unix://me:a%2Fb@/run/my%20redis/s?db=3")
    assert (url.socket, url.user, url.password) == ("/run/my redis/s", "me", "a/b")
    values = Cache(url)._redis.connection_pool.connection_kwargs
    assert (values["path"], values["db"], values["password"]) == ("/run/my redis/s", 3, "a/b")
    assert RedisUrl.parse("unix:///s").number == 0


def test_messages_of_urls_hold_nothing_of_them() -> None:
    with pytest.raises(Unreadable) as caught:
        PostgresUrl.parse(f"postgres://{CANARY}:{CANARY}@{CANARY}:{CANARY}/{CANARY}?{CANARY}")
    assert CANARY not in f"{caught.value!r} {caught.value.__cause__} {caught.value.expected}"
