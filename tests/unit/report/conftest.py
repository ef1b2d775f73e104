from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.unit.report.place import Place


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """No power is cut here, so nothing has to wait for the disk."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return Place(folder)
