"""JSON that is nested without end is told as a file that cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cbctl.cli.plan_file import read_plan
from cbctl.clients.postgres.schema_range import read_range
from cbctl.clients.solana import keypair
from cbctl.clients.solana.idl.parse import parse as parse_idl
from cbctl.config import idl
from cbctl.errors import CbctlError, Exit
from cbctl.local.files import read_json
from cbctl.report.audit_copy import read_copy, read_heads
from cbctl.stores.files import FileStore

DEEP = "[" * 100_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "lock.json"
    made.write_text(DEEP)
    return made


@pytest.mark.parametrize(
    "read",
    [
        read_plan,
        read_heads,
        read_copy,
        lambda file: read_range(file, ()),
        lambda file: keypair.parse(file.read_text(), str(file)),
        lambda file: FileStore(file.parent, lambda owner: "dead").read_lock(),
        lambda file: parse_idl(file.read_text()),
    ],
)
def test_it_is_an_error_of_the_file(file: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises(CbctlError) as caught:
        read(file)
    assert caught.value.exit in (Exit.USAGE, Exit.REFUSED, Exit.CREDENTIALS)


def test_it_is_no_idl(file: Path) -> None:
    with pytest.raises(idl.NotAnIdl):
        idl.read(file)


def test_what_cbctl_writes_for_itself_counts_as_absent(file: Path) -> None:
    assert read_json(file) is None
