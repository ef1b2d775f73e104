"""A runbook file: every mistake is told with its line, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from cbctl.config.problem import ConfigError
from cbctl.errors import CbctlError, Exit
from cbctl.runbook import document

GOOD = """\
version: 1
name: own
summary: one line
inputs: {count: 3, tag: null}
requires:
  - that: env.api.on == local
    else: only local
steps:
  - id: keys
    step: local.keys
    with: {platform: "${env.platform}", number: 5, on: true, word: yes}
  - id: elf
    step: local.artifact
    when: env.chain.on in [local, external] and env.name != production
    needs: [keys]
    with: {file: "${steps.keys.path}", tag: "${inputs.tag}", from: "${env:NAME}"}
release:
  elf: ${steps.elf.sha256}
"""


def read(folder: Path, text: str | bytes) -> document.Runbook:
    path = folder / "own.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return document.read(path)


def test_a_good_one(tmp_path: Path) -> None:
    book = read(tmp_path, GOOD)
    assert (book.name, book.summary, book.inputs) == ("own", "one line", {"count": 3, "tag": None})
    assert [(s.id, s.step, s.line, s.needs) for s in book.steps] == [
        ("keys", "local.keys", 9, ()),
        ("elf", "local.artifact", 12, ("keys",)),
    ]
    assert book.steps[0].inputs == {
        "platform": "${env.platform}",
        "number": 5,
        "on": True,
        "word": "yes",  # only true and false are booleans
    }
    assert (book.requires[0].that, book.requires[0].line) == ("env.api.on == local", 6)
    assert read(tmp_path, GOOD).sha256 == book.sha256
    assert read(tmp_path, GOOD + "# x\n").sha256 != book.sha256


MISTAKES = [
    ("version: 1", "version: 2", 1, "version: must be 1"),
    ("version: 1", 'version: "1"', 1, "version: must be 1"),
    ("version: 1\n", "", 1, "version: must be 1"),
    ("summary: one", "sumary: one", 3, "unknown key `sumary`; did you mean `summary`?"),
    ("inputs: {count: 3, tag: null}", "inputs: [a]", 4, "inputs: must be a mapping"),
    ("that: env.api.on == local", "that: env.api.on = local", 6, "a condition is"),
    ("that: env.api.on == local", "that: api.on == local", 6, "'api.on' is no path"),
    ("    else: only local\n", "", 6, "wants `that:` and `else:`"),
    ("id: keys", "id: Keys", 9, "wants lower case letters"),
    ("id: elf", "id: keys", 12, "this id is used twice"),
    ("step: local.keys", "step: local.key", 10, "did you mean `local.keys`?"),
    ("step: local.keys", "step: what", 10, "there are api.build"),
    ("in [local, external]", "in local", 14, "`in` wants a list"),
    ("env.name != production", "steps.keys.x == y", 14, "no step has run"),
    ("env.name != production", "env.name != a b", 14, "neither a path nor a word"),
    ("needs: [keys]", "needs: [kesy]", 12, "no step 'kesy' stands before it; did you mean `keys`?"),
    ("needs: [keys]", "needs: [elf]", 12, "no step 'elf' stands before it"),
    ("needs: [keys]", "needs: keys", 15, "must be a list of step ids"),
    ("needs: [keys]", "need: [keys]", 15, "unknown key `need`"),
    ("${steps.keys.path}", "${steps.elf.path}", 12, "steps.elf.path: no such step stands before"),
    ("${steps.keys.path}", "x${steps.keys.path}", 12, "a reference is the whole value"),
    ("${steps.keys.path}", "${steps.keys.path", 12, "a reference is the whole value"),
    ("${steps.keys.path}", "${step.keys.path}", 12, "a reference is the whole value"),
    ("${inputs.tag}", "${inputs.tags}", 12, "the runbook has no such input"),
    ("  elf: ${steps.elf.sha256}", "  elf: ${steps.api.x}", 1, "there is no such step"),
    ("release:\n  elf: ${steps.elf.sha256}", "release: [a]", 17, "release: must be a mapping"),
    ("summary: one line", "summary: [one]", 3, "summary: must be text"),
    ("name: own", "name: own\nname: own", 3, "name"),
    ("with: {platform:", "with: {<<: {}, platform:", 11, "merge keys"),
]


@pytest.mark.parametrize(("old", "new", "line", "message"), MISTAKES, ids=lambda v: str(v)[:30])
def test_each_mistake_has_its_line(
    tmp_path: Path, old: str, new: str, line: int, message: str
) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, GOOD.replace(old, new, 1))
    found = [(p.line, p.what) for p in caught.value.problems]
    assert any(at == line and message in what for at, what in found), found
    assert caught.value.exit is Exit.USAGE


def test_all_mistakes_are_told_together(tmp_path: Path) -> None:
    text = GOOD
    for old, new, _, _ in MISTAKES[:1] + MISTAKES[8:11]:
        text = text.replace(old, new, 1)
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert len(caught.value.problems) >= 3


@pytest.mark.parametrize("text", ["", "# only\n", "5", "[]", "a: [", "\t", "--- 1\n--- 2\n"])
def test_what_is_no_runbook_at_all(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        read(tmp_path, text)


def test_no_steps(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="steps: is missing"):
        read(tmp_path, "version: 1\n")


def test_a_team_s_own_folder_comes_first(tmp_path: Path) -> None:
    assert document.find("deploy", tmp_path) == document.shipped() / "deploy.yaml"
    (tmp_path / "deploy.yaml").write_text(GOOD)
    assert document.find("deploy", tmp_path) == tmp_path / "deploy.yaml"
    assert document.find("deploy", tmp_path / "none").parent == document.shipped()


def test_an_unknown_runbook_is_named_with_the_known(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(GOOD)
    with pytest.raises(CbctlError, match="did you mean `deploy`") as caught:
        document.find("deplay", tmp_path)
    assert caught.value.fix == "there are: deploy, own, rollback"
