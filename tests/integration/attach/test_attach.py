"""Runs that lose their terminal, and commands that watch them: real processes and terminals."""

from __future__ import annotations

import os
import re
import signal
import subprocess

from tests.integration.attach.conftest import Toy, ended, screen, until_line
from tests.testbed.terminal import PATIENCE
from tests.testbed.waiting import wait_for

ATTACH = ("runs", "attach")


def words(told: str) -> list[str]:
    """Lines, without what depends on how busy the machine is."""
    lines = [line for line in told.splitlines() if "still waiting for" not in line]
    return [re.sub(r"^toy succeeded in .*?:", "toy succeeded:", line) for line in lines]


def test_a_run_whose_terminal_dies_is_seen_to_its_end_by_others(toy: Toy) -> None:
    first = toy.on_a_terminal(toy.session("deploy"))
    first.read("at the gate of a")
    toy.open_gate("a")
    first.read("at the gate of b")
    first.hang_up()

    plain = toy.start(toy.cbctl(*ATTACH))
    machine = toy.start(toy.cbctl(*ATTACH, "last", "--events", "ndjson"))
    live = toy.on_a_terminal(toy.cbctl(*ATTACH, toy.run))
    assert "a: done in " in until_line(plain, "b: at the gate of b 1/2")
    live.read("at the gate of b")
    toy.open_gate("b")
    until_line(plain, "c: at the gate of c 1/2")
    live.read("at the gate of c")
    toy.open_gate("c")

    said, told, seen = ended(plain), ended(machine), screen(live.read())
    assert (first.wait(), said.exit, told.exit, live.wait()) == (0, 0, 0, 0)
    assert [line[:10] for line in seen[:3]] == [" ✓ a  + fi", " ✓ b  + fi", " ✓ c  + fi"]
    assert any(line.startswith("toy succeeded in ") for line in seen)
    assert seen[-1] == f"run      {toy.run}"
    assert f"\nrun:     {toy.run}\n" in said.err and said.out == ""
    assert [e["type"] for e in told.events if e["type"].startswith("run.")] == [
        "run.started",
        "run.ended",
    ]
    assert told.events[-1]["data"]["exit"] == 0
    assert told.out == toy.logs.events(toy.run).read_text()

    lines = toy.lines()
    for step in ("a", "b", "c"):
        assert f" {step}: done in " in lines
    assert "\ntoy succeeded in " in lines and "\x1b" not in lines
    # long after the end it is told at once, in the same words, and with the same result
    again = ended(toy.start(toy.cbctl(*ATTACH)))
    assert again.exit == 0
    assert words(again.err) == words(lines)[1:]
    result = ended(toy.start(toy.cbctl(*ATTACH, "-o", "json")))
    assert result.exit == 0 and f'"run": "{toy.run}"' in result.out


def test_ctrl_c_leaves_and_the_run_goes_on(toy: Toy) -> None:
    run = toy.start(toy.session("deploy"))
    toy.at_gate("a")
    watching = toy.on_a_terminal(toy.cbctl(*ATTACH))
    watching.read("at the gate of a")
    watching.type("\x03")
    rest = screen(watching.read())
    assert watching.wait() == 8
    assert rest[-2] == f"detached; the run goes on: cbctl runs attach {toy.run} --env local"[:80]
    stop = f"to stop it at its next safe point: kill -INT {run.pid}"
    assert stop in rest
    assert run.poll() is None

    # whoever has it told to stop sees that from anywhere, and leaves with the run's exit code
    watching = toy.on_a_terminal(toy.cbctl(*ATTACH))
    watching.read("at the gate of a")
    os.kill(int(stop.split()[-1]), signal.SIGINT)
    rest = screen(watching.read())
    assert (watching.wait(), ended(run).exit) == (8, 8)
    assert any(line.startswith("toy was stopped after ") for line in rest)
    assert "stopping at the next safe point" in toy.lines()


def test_a_run_that_is_killed_is_resumed_in_the_same_log(toy: Toy) -> None:
    toy.open_gate("a")
    run = toy.start(toy.session("deploy"))
    toy.at_gate("b")
    watching = toy.start(toy.cbctl(*ATTACH))
    until_line(watching, "b: at the gate of b 1/2")
    run.kill()
    done = ended(watching)
    assert done.exit == 5
    assert "\ntoy was interrupted, last heard of after " in done.err
    assert "why:     b: its process was gone after step.intent of b" in done.err
    assert f"\nnext:    cbctl resume {toy.run} --env local\n" in done.err
    machine = ended(toy.start(toy.cbctl(*ATTACH, "--events", "ndjson")))
    assert (machine.exit, machine.events[-1]["data"]["result"]) == (5, "interrupted")

    run = toy.start(toy.session("resume"))
    wait_for(lambda: "toy goes on: run " in toy.lines(), PATIENCE, "the resume")
    watching = toy.start(toy.cbctl(*ATTACH))
    until_line(watching, "toy goes on: run ")
    for step in ("b", "c"):
        toy.open_gate(step)
    done = ended(watching)
    assert (done.exit, ended(run).exit) == (0, 0)
    lines = toy.lines()
    assert lines.count("(times are UTC)\n") == 2
    assert f"toy started: run {toy.run}\n" in lines and f"toy goes on: run {toy.run}\n" in lines
    events = ended(toy.start(toy.cbctl(*ATTACH, "--events", "ndjson"))).events
    assert [e["type"] for e in events].count("run.ended") == 1
    assert events[-1]["data"]["result"] == "succeeded"


def test_a_process_that_is_stopped_is_told(toy: Toy) -> None:
    run = toy.start(toy.session("deploy"))
    toy.at_gate("a")
    watching = toy.start(toy.cbctl(*ATTACH))
    until_line(watching, "a: at the gate of a 1/2")
    run.send_signal(signal.SIGSTOP)
    said = until_line(watching, f"kill -CONT {run.pid}")
    assert f"process {run.pid} on " in said and "is stopped or not to be seen from here" in said
    run.send_signal(signal.SIGCONT)
    until_line(watching, f"process {run.pid} works again")
    for step in ("a", "b", "c"):
        toy.open_gate(step)
    assert (ended(watching).exit, ended(run).exit) == (0, 0)


def test_whoever_reads_no_longer_ends_the_watching_but_not_the_run(toy: Toy) -> None:
    run = toy.start(toy.session("deploy", "ndjson"))
    toy.at_gate("a")
    watching = toy.start(toy.cbctl(*ATTACH, "--events", "ndjson"))
    assert watching.stdout and run.stdout and run.stderr
    assert '"plan.started"' in watching.stdout.readline()
    watching.stdout.close()
    assert watching.wait(PATIENCE) == 8

    run.stdout.close()
    run.stderr.close()
    for step in ("a", "b", "c"):
        toy.open_gate(step)
    assert run.wait(PATIENCE) == 0
    assert toy.records()[-1].data["result"] == "succeeded"
    assert "\ntoy succeeded in " in toy.lines()


def test_a_run_that_succeeds_does_so_also_when_nobody_reads_the_last_words(toy: Toy) -> None:
    run = toy.start(toy.session("deploy"))
    toy.at_gate("a")
    assert run.stdout and run.stderr
    run.stdout.close()
    run.stderr.close()
    for step in ("a", "b", "c"):
        toy.open_gate(step)
    assert run.wait(PATIENCE) == 0


def test_where_no_log_can_be_written_the_run_goes_on_and_its_journal_tells(toy: Toy) -> None:
    toy.logs.folder.write_text("no folder")
    run = toy.start(toy.session("deploy"))
    said = until_line(run, "a: at the gate of a")
    assert said.count("the log of this run cannot be written (File exists); the run goes on") == 1
    watching = toy.start(toy.cbctl(*ATTACH))
    until_line(watching, "a: started")
    for step in ("a", "b", "c"):
        toy.open_gate(step)
    said = ended(watching).err
    assert ended(run).exit == watching.returncode == 0
    assert "c: done" in said and "\ntoy succeeded in " in said


def test_what_others_say_of_a_run_that_goes_on(toy: Toy) -> None:
    run = toy.start(toy.session("deploy"))
    toy.at_gate("a")
    command = f"cbctl runs attach {toy.run} --env local"

    def told(*arguments: str) -> str:
        done = ended(toy.start(toy.cbctl(*arguments)))
        assert done.exit == 0
        return done.out

    assert f"watch it: {command}\n" in told("lock", "status")
    listed = told("runs", "list")
    assert "  running  " in listed and f"watch it: {command}\n" in listed
    shown = told("runs", "show", "last")
    assert f"it goes on: {command}\n" in shown
    assert f"in plain lines: {toy.logs.lines(toy.run)}\n" in shown
    assert command in " ".join(told("why", "last").split())
    assert f"run {toy.run} goes on: {command}\n" in told("status")
    refused = ended(toy.start(toy.cbctl("deploy")))
    assert refused.exit == 6 and f"watch that run to its end: {command}; or: " in refused.err
    refused = ended(toy.start(toy.cbctl("local", "restart")))
    assert refused.exit in (6, 7)

    for step in ("a", "b", "c"):
        toy.open_gate(step)
    assert ended(run).exit == 0
    assert command not in told("runs", "list") + told("runs", "show", "last") + told("status")


def test_a_command_that_runs_nothing_leaves_no_log(toy: Toy) -> None:
    for step in ("a", "b", "c"):
        (toy.folder / step).touch()
    assert "nothing to do" in ended(toy.start(toy.session("deploy"))).err
    assert not toy.logs.folder.exists()


def test_ids_are_completed_newest_first(toy: Toy) -> None:
    runs = toy.state.path / "runs"
    for id in ("20261122T193348-9f3a1c", "20261123T193348-aaaaaa", "20251123T193348-bbbbbb"):
        (runs / f"{id}.ndjson").touch()

    def completed(*words: str, **environ: str) -> list[str]:
        asked = {"_CBCTL_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(("cbctl", *words))}
        process = subprocess.run(
            toy.cbctl(),
            env={**toy.environ, **asked, "COMP_CWORD": str(len(words)), **environ},
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.stderr == ""
        return process.stdout.split()

    newest = ["20261123T193348-aaaaaa", "20261122T193348-9f3a1c"]
    for command in (("runs", "attach"), ("runs", "show"), ("why",), ("resume",)):
        assert completed(*command, "2026") == newest
    assert completed("runs", "attach", "--env", "local", "2026", CBCTL_ENV="") == newest
    assert completed("runs", "attach", "2026", CBCTL_ENV="") == []
    assert completed("runs", "attach", "2026", CBCTL_CONFIG="/nowhere") == []


def test_the_help_has_an_example(toy: Toy) -> None:
    done = ended(toy.start(toy.cbctl("runs", "attach", "--help")))
    assert done.exit == 0 and "Example: cbctl runs attach --env local" in done.out
