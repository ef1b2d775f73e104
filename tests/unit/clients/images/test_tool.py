"""What docker is told, by a stand-in that keeps what it saw of its configuration."""

from __future__ import annotations

import base64
import json
import shlex
from pathlib import Path

import pytest
from psutil import Process, pid_exists
from tests.testbed.waiting import wait_for

from cbctl.clients.images.name import parse
from cbctl.clients.images.tool import Tool
from cbctl.config.types import Secret
from cbctl.errors import CbctlError

PASSWORD = "canary-of-a-registry"
LOGIN = ("operator", Secret(PASSWORD))
IMAGE = parse("registry.example/shop:1")


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its words, one call a line; for a push, the folder of its configuration as it was then."""
    folder = tmp_path / "seen"
    own = tmp_path / "docker"
    for made in (folder, tmp_path / "bin", own / "contexts" / "meta"):
        made.mkdir(parents=True)
    (own / "contexts" / "meta" / "desk").write_text("where its daemon is")
    content = {"auths": {"other.example": {}}, "credsStore": "desk", "currentContext": "desk"}
    (own / "config.json").write_text(json.dumps(content))
    program = tmp_path / "bin" / "docker"
    to = shlex.quote(str(folder))
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {to}/words\n'
        f'if [ "$1" = --config ]; then cp -RL "$2" {to}/config; stat -c %a "$2" > {to}/mode; fi\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("DOCKER_CONFIG", str(own))
    return folder


def test_a_push_finds_the_daemon_and_only_our_login(seen: Path) -> None:
    Tool.found("docker").push(IMAGE, IMAGE.at("registry.example:8443"), LOGIN, lambda _: None)
    words = (seen / "words").read_text().splitlines()
    assert words[0] == "version"
    assert words[1] == "tag registry.example/shop:1 registry.example:8443/shop:1"
    assert words[2].endswith(" push registry.example:8443/shop:1")
    assert PASSWORD not in "".join(words)

    config = json.loads((seen / "config" / "config.json").read_text())
    auth = base64.b64encode(f"operator:{PASSWORD}".encode()).decode()
    assert config == {"auths": {"registry.example:8443": {"auth": auth}}, "currentContext": "desk"}
    assert (seen / "config" / "contexts" / "meta" / "desk").read_text() == "where its daemon is"
    assert (seen / "mode").read_text().strip() == "700"
    folder = Path(words[2].split()[1])
    assert not folder.exists()


def test_where_docker_keeps_no_contexts(
    seen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "absent"))
    Tool.found("docker").push(IMAGE, IMAGE, LOGIN, lambda _: None)
    assert [path.name for path in (seen / "config").iterdir()] == ["config.json"]


class Stopped(Exception):
    pass


def test_a_tool_that_says_nothing_can_be_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what it started, which keeps its output open."""
    program = tmp_path / "buildah"
    program.write_text(f"#!/bin/sh\necho one\nsleep 600 &\necho $! > {tmp_path}/pid\nwait\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if not text:
            raise Stopped

    with pytest.raises(Stopped):
        Tool("buildah").build(IMAGE, tmp_path, tmp_path / "Containerfile", {}, say)
    assert said == ["one", ""]
    child = int((tmp_path / "pid").read_text())
    wait_for(lambda: not pid_exists(child) or Process(child).status() == "zombie", 10, "its end")


def test_what_it_said_last_explains_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "buildah"
    program.write_text("#!/bin/sh\nseq 100\nprintf 'no \\377 such file' >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(CbctlError, match="ended with 3: no \ufffd such file") as raised:
        Tool("buildah").build(IMAGE, tmp_path, tmp_path / "Containerfile", {}, lambda _: None)
    assert raised.value.evidence["log"][-2:] == ["100", "no \ufffd such file"]
