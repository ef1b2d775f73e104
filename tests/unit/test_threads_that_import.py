"""Threads that import what imports each other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RACES = 30
RACE = f"""
import sys, threading, time
if sys.argv[1] == "alone":
    from cbctl.imports import one_at_a_time
    one_at_a_time()
failed = 0
def enter(line, wrong):
    try:
        exec(line, {{}})
    except BaseException as error:
        wrong.append(error)
for i in range({RACES}):
    wrong = []
    doors = [f"from pkg{{i}} import x", f"from pkg{{i}}.sub import x"]
    threads = [threading.Thread(target=enter, args=(door, wrong)) for door in doors]
    for thread in threads:
        thread.start()
        time.sleep(0.002)
    for thread in threads:
        thread.join()
    failed += bool(wrong)
print(failed)
"""


@pytest.mark.parametrize("how", ["alone", "as Python does"])
def test_a_package_is_entered_by_two_doors(tmp_path: Path, how: str) -> None:
    for number in range(RACES):
        package = tmp_path / f"pkg{number}"
        package.mkdir()
        init = f"import time\ny = 1\ntime.sleep(0.01)\nfrom pkg{number}.sub import x\n"
        (package / "__init__.py").write_text(init)
        (package / "sub.py").write_text(f"from pkg{number} import y\nx = y\n")
    race = [sys.executable, "-c", RACE, how]
    done = subprocess.run(race, cwd=tmp_path, capture_output=True, text=True, check=True)
    failed = int(done.stdout)
    # Without it some must fail, else this test could not.
    assert (failed == 0) if how == "alone" else failed
