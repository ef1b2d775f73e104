"""`cbctl audit`, `why` and `diff` as they are typed: exit codes, shapes, files."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from tests.integration.report.conftest import Cbctl
from tests.unit.engine.steps import Script
from tests.unit.report import place as stories
from tests.unit.report.place import Place

from cbctl.clients import webhook
from cbctl.engine import journal
from cbctl.engine.journal import RUNS


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


# -- audit ----------------------------------------------------------------------------------


def test_list(place: Place, cbctl: Cbctl) -> None:
    assert cbctl("audit", "list").out == "local: nothing was done\n"
    run = stories.resumed(place)
    told = cbctl("audit", "list")
    assert told.exit == 0
    rows = [line.split("  ") for line in told.out.splitlines()]
    assert rows[0][0] == "AT" and len(rows) == 3
    assert "anna" in told.out and "deploy resumed" in told.out and "succeeded, r1" in told.out

    (first, second) = cbctl("audit", "list", "--output", "json").json
    assert first == {
        "at": "2026-11-18T11:06:40.000Z",
        "who": "anna",
        "host": "anna-laptop",
        "environment": "local",
        "kind": "run",
        "what": "deploy",
        "run": run,
        "result": "interrupted",
        "release": "",
        "reason": "",
        "token": 1,
    }
    assert (second["kind"], second["who"], second["release"]) == ("resume", "ben", "r1")


def test_list_a_part(place: Place, cbctl: Cbctl) -> None:
    stories.resumed(place)

    def who(*arguments: str) -> list[str]:
        return [e["who"] for e in cbctl("audit", "list", "-o", "json", *arguments).json]

    assert who("--who", "ben") == ["ben"] and who("--who", "be") == []
    assert who("--since", "2026-11-18") == ["anna", "ben"]
    assert who("--since", "2026-11-18T11:30") == ["ben"]
    assert who("--since", "2026-11-18T13:30+02:00") == ["ben"]
    assert who("--since", "9999w") == ["anna", "ben"]
    told = cbctl("audit", "list", "--since", "2099-01-01")
    assert told.out == "local: nothing was done in that time\n"
    for wrong in ("yesterday", "2026-13-01", "5y", ""):
        assert cbctl("audit", "list", "--since", wrong).exit == 64


def test_verify(place: Place, cbctl: Cbctl) -> None:
    run = stories.succeeded(place)
    told = cbctl("audit", "verify")
    end = journal.head(place.store, RUNS + run)
    assert told.exit == 0
    assert told.out.startswith(
        "local: the journals hold\nchecked   1 run, 10 records, 1 link, 1 release, 0 heads\n"
    )
    assert f"keep      --head runs/{run}:{end.count}:{end.hash}\n" in told.out
    kept = [line.split()[-1] for line in told.out.splitlines() if "--head" in line]
    assert cbctl("audit", "verify", *[x for k in kept for x in ("--head", k)]).exit == 0

    data = cbctl("audit", "verify", "-o", "json").json
    assert data["holds"] is True and data["findings"] == []
    assert set(data) == {
        *("holds", "environment", "runs", "records", "links", "releases", "heads"),
        *("findings", "ends", "unheld"),
    }


def test_verify_names_the_place(place: Place, cbctl: Cbctl) -> None:
    run = stories.succeeded(place)
    lines = place.lines(RUNS + run)
    place.write(RUNS + run, [lines[0].replace(b"anna", b"eve!"), *lines[1:]])
    told = cbctl("audit", "verify")
    assert told.exit == 10
    assert told.out.startswith("local: 1 fault found\n")
    assert f"place     runs/{run} record 2\n" in told.out
    assert "means     record 1 was changed after it was written" in told.out
    data = cbctl("audit", "verify", "-o", "json")
    assert data.exit == 10 and data.json["holds"] is False
    assert set(data.json["findings"][0]) == {"kind", "where", "what", "means"}


def test_a_notification_finds_what_was_rewritten(
    place: Place, cbctl: Cbctl, tmp_path: Path
) -> None:
    run = stories.cancelled(place)  # it recorded no release: nothing else names its records
    end = journal.head(place.store, RUNS + run)
    ended: dict[str, webhook.Json] = {"run": run, "result": "cancelled", "exit": 8}
    told = webhook.message(ended, "local", "anna", {"count": end.count, "hash": end.hash})
    file = tmp_path / "notification.json"
    file.write_text(json.dumps(told))
    assert cbctl("audit", "verify", "--head-file", file).exit == 0

    place.rewrite(RUNS + run, lambda record: record["data"].update(who="mallory"))
    assert cbctl("audit", "verify").exit == 0
    told_now = cbctl("audit", "verify", "--head-file", file)
    assert told_now.exit == 10 and "was changed or rewritten afterwards" in told_now.out
    assert cbctl("audit", "verify", "--head", f"{end.count}:{end.hash}").exit == 10
    for wrong in ("--head", "12"), ("--head-file", tmp_path / "none"), ("--file", file):
        assert cbctl("audit", "verify", *wrong).exit == 64


def test_export(place: Place, cbctl: Cbctl, tmp_path: Path) -> None:
    stories.succeeded(place)
    file = tmp_path / "audit.ndjson"
    told = cbctl("audit", "export", file)
    assert (told.exit, told.out) == (0, f"{file}: 10 records of 2 journals\n")
    assert mode(file) == 0o600
    assert cbctl("audit", "export", file).exit == 0, "it is ours"
    told = cbctl("audit", "verify", "--file", file)
    assert told.exit == 0 and told.out.startswith(f"{file}: the journals hold")

    lines = [json.loads(line) for line in cbctl("audit", "export").out.splitlines()]
    assert lines[0]["is"] == "cbctl audit export" and lines[0]["environment"] == "local"
    assert lines[-1]["records"] == 10 == len(lines) - 2

    file.write_bytes(file.read_bytes().replace(b"anna", b"eve!", 1))
    assert cbctl("audit", "verify", "--file", file).exit == 10
    (tmp_path / "mine").write_text("mine")
    refused = cbctl("audit", "export", tmp_path / "mine")
    assert refused.exit == 7 and (tmp_path / "mine").read_text() == "mine"
    assert cbctl("audit", "export", tmp_path / "mine", "--force").exit == 0
    assert cbctl("audit", "export", tmp_path / "no" / "where").exit == 64


def test_journals_that_do_not_hold_are_exported_and_said_to_be_so(
    place: Place, cbctl: Cbctl, tmp_path: Path
) -> None:
    run = stories.succeeded(place)
    place.write(RUNS + run, place.lines(RUNS + run)[1:])
    told = cbctl("audit", "export", tmp_path / "a")
    assert told.exit == 10 and "cbctl audit verify --env local" in told.err
    assert cbctl("audit", "verify", "--file", tmp_path / "a").exit == 10


# -- why ------------------------------------------------------------------------------------


def test_why(place: Place, cbctl: Cbctl) -> None:
    assert cbctl("why", "last").exit == 64
    run = stories.failed(place)
    told = cbctl("why", "last")
    assert told.exit == 0 and told.out == cbctl("why", run).out
    assert told.out.startswith("deploy of local failed after 6.5 s; 2 changes made and not undone")
    assert told.out.endswith(f"then      cbctl resume {run} --env local\n")
    assert max(map(len, told.out.splitlines())) <= 80

    data = cbctl("why", run, "-o", "json").json
    assert {k: data[k] for k in ("run", "result", "exit", "environment", "release")} == {
        "run": run,
        "result": "not undone",
        "exit": 5,
        "environment": "local",
        "release": "",
    }
    assert set(data["cause"]) == {"kind", "step", "phase", "error", "fix", "evidence", "at"}
    assert [s["state"] for s in data["steps"]] == ["changed", "failed", "not reached"]
    assert data["head"]["hash"] == journal.head(place.store, RUNS + run).hash
    assert cbctl("why", "no-such-run").exit == 64


def test_why_as_a_page(place: Place, cbctl: Cbctl, tmp_path: Path) -> None:
    stories.deploy_hostile(place)
    file = tmp_path / "why.html"
    told = cbctl("why", "last", "--html", file)
    assert told.exit == 0 and str(file) in told.out
    assert mode(file) == 0o600
    page = file.read_text()
    assert "<script" not in page and "&lt;script&gt;" in page and "\x1b" not in page
    assert cbctl("why", "last", "--html", file, "-o", "json").json["result"] == "undone"

    other = tmp_path / "other.html"
    other.write_text("<!DOCTYPE html>\n<p>mine")
    other.chmod(0o644)
    refused = cbctl("why", "last", "--html", other)
    assert refused.exit == 7 and "--force" in refused.err and "mine" in other.read_text()
    assert cbctl("why", "last", "--html", other, "--force").exit == 0
    assert mode(other) == 0o600
    link = tmp_path / "link.html"
    link.symlink_to(other)
    for wrong in (link, tmp_path):
        assert cbctl("why", "last", "--html", wrong, "--force").exit == 7
    assert cbctl("why", "last", "--html", tmp_path / "no" / "x.html").exit == 64


def test_a_changed_journal_explains_nothing(place: Place, cbctl: Cbctl) -> None:
    run = stories.succeeded(place)
    place.write(RUNS + run, place.lines(RUNS + run)[1:])
    assert cbctl("why", "last").exit == 10


# -- diff -----------------------------------------------------------------------------------


def test_diff(place: Place, cbctl: Cbctl) -> None:
    assert cbctl("diff", "r1", "current").exit == 64
    stories.succeeded(place)
    place.later(60)
    place.deploy({"postgres": Script()}, release=["postgres"], value="x", identity="two")
    told = cbctl("diff", "r1", "current")
    assert told.exit == 0
    assert "parts     - api: new\n          ~ postgres: new → x\n" in told.out
    assert "going from r1 to r2 replaces postgres; does away with api" in told.out
    data = cbctl("diff", "r1", "r2", "-o", "json").json
    assert set(data) == {"a", "b", "same", "parts", "identity", "schema", "means"}
    assert data["b"]["current"] and data["identity"] == [
        {"what": "runbook", "before": "one", "after": "two"}
    ]
    assert cbctl("diff", "r1", "r1").exit == 0
    assert cbctl("diff", "r1", "r9").exit == 64


@pytest.mark.parametrize("command", ["audit list", "audit verify", "audit export", "why", "diff"])
def test_every_help_has_an_example(cbctl: Cbctl, command: str) -> None:
    told = cbctl(*command.split(), "--help")
    assert told.exit == 0 and f"Example: cbctl {command}" in told.out
