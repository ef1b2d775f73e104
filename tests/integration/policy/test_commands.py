"""`cbctl freeze`, `unfreeze`, `audit` and saved plans as they are typed."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import msgspec
import pytest
from tests.integration.report.conftest import REPOSITORY, Cbctl
from tests.integration.report.conftest import cbctl as cbctl
from tests.integration.report.conftest import place as place
from tests.unit.report import place as stories
from tests.unit.report.place import Place

from cbctl.engine import policy
from cbctl.engine.saved_plan import Saved


def test_freeze_and_unfreeze(place: Place, cbctl: Cbctl) -> None:
    told = cbctl("freeze", "local", "--reason", "final of the cup", "--until", "24h")
    assert told.exit == 0
    assert "local: frozen until" in told.out and "final of the cup" in told.out
    assert "cbctl unfreeze local --reason" in told.out
    found = cbctl("status", "local", "-o", "json").json["frozen"]
    assert (found["reason"], found["until"] != "") == ("final of the cup", True)
    assert "final of the cup" in cbctl("status", "local").out

    told = cbctl("unfreeze", "local", "--reason", "it is over", "-o", "json")
    assert told.json["changed"] is True
    assert cbctl("status", "local", "-o", "json").json["frozen"] is None
    assert "nothing to do" in cbctl("unfreeze", "local", "--reason", "again").out


def test_the_same_freeze_again_changes_nothing(place: Place, cbctl: Cbctl) -> None:
    assert cbctl("freeze", "--reason", "cup", "-o", "json").json["changed"] is True
    assert cbctl("freeze", "--reason", "cup", "-o", "json").json["changed"] is False
    assert "already" in cbctl("freeze", "--reason", "cup").out
    told = cbctl("freeze", "--reason", "other", "--until", "1h")
    assert "takes the place of: without an end, by" in told.out
    assert ": cup\n" in told.out
    assert len(place.lines(policy.HISTORY)) == 2


def test_what_is_wrong_is_told_before_anything_is_laid_down(place: Place, cbctl: Cbctl) -> None:
    for arguments in (
        ("freeze", "local"),
        ("freeze", "local", "--reason", "  "),
        ("freeze", "local", "--reason", "x\nrelease: r9"),
        ("freeze", "local", "--reason", "x", "--until", "soon"),
        ("freeze", "local", "--reason", "x", "--until", "2020-01-01"),
        ("unfreeze", "local"),
        ("approve", "local"),
        ("approve", "12345678901g", "--yes"),
        ("deploy", "local", "--override", "frost", "--reason", "x"),
        ("deploy", "local", "--override", "freeze"),
        ("deploy", "local", "--override", "freeze", "--reason", " "),
        ("deploy", "local", "--reason", "x"),
        ("deploy", "local", "--plan-file", "p", "--plan"),
        ("deploy", "local", "--plan-file", "p", "--plan-out", "q"),
        ("deploy", "local", "--plan-file", "p", "--only", "api"),
        ("deploy", "local", "--plan-file", "/nowhere/p"),
        ("deploy", "local", "--plan-file", "/dev/zero"),
        ("diff", "./p.json", "r1"),
    ):
        told = cbctl(*arguments)
        assert told.exit == 64, (arguments, told)
        assert told.err
    assert not (place.folder / "policy").exists()


def test_the_audit_tells_who_laid_down_what(place: Place, cbctl: Cbctl) -> None:
    cbctl("freeze", "--reason", "cup", "--until", "24h")
    cbctl("unfreeze", "--reason", "over")
    entries = cbctl("audit", "list", "-o", "json").json
    assert [(e["kind"], e["reason"]) for e in entries] == [("freeze", "cup"), ("unfreeze", "over")]
    assert all(e["who"] and e["host"] for e in entries)

    stories.resumed(place)
    assert cbctl("audit", "verify").exit == 0
    place.write(policy.HISTORY, place.lines(policy.HISTORY)[:1])
    told = cbctl("audit", "verify")
    assert told.exit == 10
    assert f"the end of {policy.HISTORY} was cut off" in told.out


def test_a_damaged_history_is_told_and_hides_nothing_else(place: Place, cbctl: Cbctl) -> None:
    cbctl("freeze", "--reason", "cup")
    stories.succeeded(place)
    place.rewrite(policy.HISTORY, lambda record: record["data"].update(until="soon"))
    told = cbctl("status", "local")
    assert told.exit == 0 and "whether it is frozen cannot be said" in told.out, told
    assert cbctl("status", "local", "-o", "json").json["fault"]
    assert cbctl("unfreeze", "--reason", "x").exit == 10


def test_a_plan_is_kept_private_and_over_nothing_else(
    place: Place, cbctl: Cbctl, tmp_path: Path
) -> None:
    file = tmp_path / "plan.json"
    told = cbctl("deploy", "local", "--plan-out", file)
    assert told.exit == 2
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    saved = json.loads(file.read_text())
    assert saved["hash"] in told.out and f"kept in {file}" in told.out.replace("\n", "")
    assert cbctl("deploy", "local", "--plan-out", file, "-o", "json").json["plan"] == saved["hash"]
    file.write_text("a letter")
    told = cbctl("deploy", "local", "--plan-out", file)
    assert told.exit == 7 and "--force" not in told.err
    assert file.read_text() == "a letter"
    assert cbctl("deploy", "local", "--plan-file", file).exit == 64


def test_two_plans_compared(place: Place, cbctl: Cbctl, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole.json", tmp_path / "part.json"
    cbctl("deploy", "local", "--plan-out", whole)
    cbctl("deploy", "local", "--skip", "keys", "--skip", "program", "--plan-out", part)
    told = cbctl("diff", whole, part, "-o", "json").json
    assert told["same"] is False
    assert [d["what"] for d in told["made_from"]] == ["selection"]
    gone = {d["what"] for d in told["changes"] if d["after"] is None}
    assert "keys: keypair program" in gone
    text = cbctl("diff", whole, part).out
    assert "only in A  keys: keypair program" in text and "made from" in text
    same = cbctl("diff", whole, whole)
    assert "they are the same plan" in same.out
    assert cbctl("diff", whole, "r1").exit == 64


def test_a_plan_of_another_time_is_refused(place: Place, cbctl: Cbctl, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    cbctl("deploy", "local", "--plan-out", file)
    saved = json.loads(file.read_text())
    for at, words in (("2020-01-01T00:00:00.000Z", "two hours"), ("2099-01-01", "future")):
        moved = msgspec.convert({**saved, "at": at, "seal": ""}, Saved)
        sealed = msgspec.structs.replace(moved, seal=moved.own_seal)
        file.write_bytes(msgspec.json.encode(sealed))
        told = cbctl("deploy", "local", "--plan-file", file)
        assert told.exit == 7 and words in told.err, told
    assert place.runs == []


def test_the_lock_of_a_protected_environment_is_not_taken_with_a_yes(
    place: Place, cbctl: Cbctl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = (REPOSITORY / "cbctl.yaml").read_text()
    local = text.index("\n  local:")
    file = tmp_path / "cbctl.yaml"
    file.write_text(f"{text[:local]}\n  local:\n    protected: true{text[local + 9 :]}")
    monkeypatch.setenv("CBCTL_CONFIG", str(file))
    broken = ("lock", "break", "local", "--reason", "his laptop is gone", "--yes")
    for more, exit, said in (
        ((), 64, "--confirm local"),
        (("--confirm", "prod"), 8, "nothing was changed"),
        (("--confirm", "local"), 64, "nobody holds"),
    ):
        told = cbctl(*broken, *more)
        assert told.exit == exit and said in told.err, told
