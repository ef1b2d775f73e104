"""`cbctl program build` and `test` run what cbctl.yaml says, and look at what came of it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from tests.integration.program.commands import House
from tests.integration.program.support import ELF, SMALL_ELF, Localnet
from tests.testbed.forked import Forked


@pytest.fixture
def house(tmp_path: Path, net: Localnet, forked: Forked) -> House:
    return House.make(tmp_path, net, forked)


def commands(house: House, build: str, test: str = '["true"]') -> None:
    """What the file names from now on."""
    config = house.folder / "cbctl.yaml"
    text = re.sub(r"^    source: {.*\n", "", config.read_text(), flags=re.M)
    source = f"    source: {{ build: {build}, test: {test} }}\n"
    config.write_text(text.replace("    initialize:", source + "    initialize:", 1))


def test_build(house: House) -> None:
    house.run("build").refused(64, "no command is given", "program.source.build")
    script = house.folder / "compile"
    script.write_text('#!/bin/sh\necho compiling in "$PWD"\ncp "$1" program.so\n')
    script.chmod(0o755)
    commands(house, f"[./compile, {SMALL_ELF}]")
    built = house.run("build", "--output", "json").ended()
    assert f"compiling in {house.folder}" in built.err
    told = built.json
    assert told["sha256"] == hashlib.sha256(SMALL_ELF.read_bytes()).hexdigest()
    assert (told["bytes"], told["sbpf"], told["same"]) == (SMALL_ELF.stat().st_size, 3, False)
    assert told["before"] == hashlib.sha256(ELF.read_bytes().rstrip(b"\0")).hexdigest()
    assert "the same as before" in house.run("build").ended().out

    broken = house.folder / "broken.so"
    code = bytearray(SMALL_ELF.read_bytes())
    code[120:400] = bytes(280)
    broken.write_bytes(code)
    commands(house, f"[./compile, {broken}]")
    house.run("build").refused(7, "could not be deployed", "program.so")
    commands(house, "[./compile, none.so]")
    house.run("build").refused(1, "failed with exit code 1", "program.source.build")
    commands(house, "[./nothing]")
    house.run("build").refused(64, "program.source.build cannot be run", "No such file")


def test_what_it_was_built_by_is_recorded(house: House) -> None:
    """A stand-in for cargo: the words of the real one, and a file that is there already."""
    tools = house.folder / "tools"
    tools.mkdir()
    cargo = tools / "cargo"
    cargo.write_text(
        f"#!/bin/sh\n[ $1 = build-sbf ] || exit 9\n"
        'if [ "$2" = --version ]; then\n'
        "  printf 'solana-cargo-build-sbf 4.0.0\\nplatform-tools v1.52\\nrustc 1.89.0\\n'\n"
        f"else cp {SMALL_ELF} program.so; fi\n"
    )
    cargo.chmod(0o755)
    path = f"{tools}:{os.environ['PATH']}"
    commands(house, "[cargo, build-sbf, --arch, v3]")
    built = house.run("build", "--output", "json", PATH=path).ended().json
    record = json.loads((house.folder / "program.so.build.json").read_text())
    assert built["record"] == str(house.folder / "program.so.build.json")
    assert record["sha256"] == built["sha256"]
    assert (record["tool"], record["version"]) == ("cargo build-sbf", "4.0.0")
    assert record["versions"]["platform-tools"] == "v1.52"
    assert record["command"] == ["cargo", "build-sbf", "--arch", "v3"]
    assert record["source"] == {}  # the folder is in no repository

    git = ("git", "-c", "user.name=x", "-c", "user.email=x@example.com")
    for words in (("init", "-q"), ("add", "program.json"), ("commit", "-qm", "first")):
        subprocess.run([*git, *words], cwd=house.folder, check=True)
    house.run("build", PATH=path).ended()
    source = json.loads((house.folder / "program.so.build.json").read_text())["source"]
    assert re.fullmatch("[0-9a-f]{40}", source["commit"]) and source["unchanged"] is False

    cargo.write_text(cargo.read_text().replace("solana-cargo-build-sbf 4.0.0", "nonsense"))
    house.run("build", PATH=path).refused(1, "does not tell its version")


def test_test(house: House) -> None:
    commands(house, "[make]", "[sh, -c, 'echo trying; exit 3']")
    house.run("test").refused(1, "trying", "failed with exit code 3")
    commands(house, "[make]", "[sh, -c, 'exit 0']")
    assert "passed" in house.run("test").ended().out
