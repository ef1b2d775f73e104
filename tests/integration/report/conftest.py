"""The command, run in this process on a state folder whose journals the engine wrote."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.unit.report.place import Place

from cbctl.__main__ import main
from cbctl.local.state import State

REPOSITORY = Path(__file__).parents[3]


@dataclass(frozen=True)
class Done:
    exit: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cbctl = Callable[..., Done]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    root = tmp_path / "root"
    monkeypatch.setenv("CBCTL_STATE_DIR", str(root))
    monkeypatch.setenv("CBCTL_CONFIG", str(REPOSITORY / "cbctl.yaml"))
    monkeypatch.setenv("CBCTL_ENV", "local")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    return Place(State.open("crypto-bet", "local", root=root).path)


@pytest.fixture
def cbctl(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Cbctl:
    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["cbctl", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        told = capsys.readouterr()
        assert "Traceback" not in told.err and "defect of cbctl" not in told.err, told.err
        assert "\x1b" not in told.out + told.err
        return Done(int(left.value.code or 0), told.out, told.err)

    return run
