"""Who the server is, is proved before anything is said to it; each wrong one is named."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.integration.db.conftest import Database, Server, new_database
from tests.testbed.beds import need
from tests.testbed.postgres import ANY

from cbctl.clients.postgres.connect import RDS, ping
from cbctl.errors import CbctlError, Exit


@dataclass(frozen=True)
class Authority:
    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.crt"

    def sign(self, name: str, *, days: int = 1) -> tuple[Path, Path]:
        """Certificate and key of a server of that name."""
        key, request = self.folder / f"{name}.key", self.folder / f"{name}.csr"
        made = self.folder / f"{name}.crt"
        _openssl(
            "req", "-new", *_EC, "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request)
        )
        names = self.folder / f"{name}.ext"
        names.write_text(f"subjectAltName=DNS:{name}\n")
        signer = ("-CA", str(self.certificate), "-CAkey", str(self.folder / "ca.key"))
        _openssl(
            *("x509", "-req", "-in", str(request), *signer, "-CAcreateserial"),
            *("-days", str(days), "-extfile", str(names), "-out", str(made)),
        )
        return made, key


_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def authority(folder: Path) -> Authority:
    folder.mkdir()
    key, certificate = str(folder / "ca.key"), str(folder / "ca.crt")
    _openssl(
        "req", "-x509", *_EC, "-days", "1", "-subj", "/CN=ours", "-keyout", key, "-out", certificate
    )
    return Authority(folder)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    need("openssl", "" if shutil.which("openssl") else "openssl is not on PATH")
    return authority(tmp_path_factory.mktemp("ours") / "ca")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("stranger") / "ca")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own, whose certificate the tests change."""
    made = Server(tmp_path_factory.mktemp("tls"), user="owner", password="canary-tls", kind=ANY)
    made.start()
    yield made
    made.stop()


def shows(server: Server, certificate: tuple[Path, Path] | None) -> None:
    """From now on, to who connects; None: it has no TLS."""
    if certificate is None:
        server.execute("postgres", "ALTER SYSTEM SET ssl = off", "SELECT pg_reload_conf()")
    else:
        for path, name in zip(certificate, ("server.crt", "server.key"), strict=True):
            target = server.data / name
            target.unlink(missing_ok=True)
            shutil.copy(path, target)
            target.chmod(0o600)
        server.execute("postgres", "ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
    wanted = "off" if certificate is None else "on"
    for _ in range(200):
        with server.connect("postgres") as connection:
            if connection.execute("show ssl").fetchone() == (wanted,):
                return
    raise AssertionError("the server did not take it over")


def test_variables_of_the_shell_choose_no_authority(
    house: Server, ours: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    database = new_database(house)
    shows(house, ours.sign("localhost"))
    there = replace(database.address, host="localhost", options=(("sslmode", "verify-full"),))
    service = tmp_path / "service"
    service.write_text(f"[theirs]\nsslrootcert={ours.certificate}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PGSSLROOTCERT", str(ours.certificate))
    monkeypatch.setenv("PGSERVICE", "theirs")
    monkeypatch.setenv("PGSERVICEFILE", str(service))
    with pytest.raises(CbctlError, match="there is no file"):
        ping(there)


def asked(database: Database, host: str, ca: Path) -> str:
    options = (("sslmode", "verify-full"), ("sslrootcert", str(ca)))
    return ping(replace(database.address, host=host, options=options))


def refused(database: Database, host: str, ca: Path) -> CbctlError:
    with pytest.raises(CbctlError) as caught:
        asked(database, host, ca)
    error = caught.value
    assert "canary-tls" not in str(error) + error.where + error.fix
    assert database.name in error.where and host in error.where and "owner" in error.where
    assert error.exit is Exit.REFUSED and error.fix
    assert "no password was sent" in error.what
    return error


def test_only_the_one_that_is_meant(house: Server, ours: Authority, stranger: Authority) -> None:
    database = new_database(house)
    shows(house, ours.sign("localhost"))
    assert int(asked(database, "localhost", ours.certificate).split(".")[0]) >= 15

    wrong_name = refused(database, "127.0.0.1", ours.certificate)
    assert "its certificate is for localhost, not for 127.0.0.1" in wrong_name.what
    unknown = refused(database, "localhost", stranger.certificate)
    assert "of another authority" in unknown.what
    missing = refused(database, "localhost", stranger.folder / "none.crt")
    assert "none.crt" in missing.what

    shows(house, stranger.sign("localhost"))
    assert "of another authority" in refused(database, "localhost", ours.certificate).what
    shows(house, ours.sign("localhost", days=-1))
    assert "or over" in refused(database, "localhost", ours.certificate).what
    shows(house, None)
    plain = refused(database, "localhost", ours.certificate)
    assert "does not speak TLS" in plain.what


def test_of_rds_the_authorities_are_known(house: Server, stranger: Authority) -> None:
    """No file has to be fetched first; and whoever answers in its place is refused by them."""
    database = new_database(house)
    host = f"prod.abc.eu-west-1{RDS}"
    shows(house, stranger.sign(host))
    there = replace(database.address, host=host, options=(("hostaddr", "127.0.0.1"),))
    with pytest.raises(CbctlError) as caught:
        ping(there)
    assert caught.value.exit is Exit.REFUSED and "of another authority" in caught.value.what
    shouted = replace(there, host=f"{host.upper()}.")
    with pytest.raises(CbctlError, match="of another authority"):
        ping(shouted)
    own = (*there.options, ("sslrootcert", str(stranger.certificate)))
    assert ping(replace(there, options=own))
