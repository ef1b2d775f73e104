"""The state folder: where it is, who may use it, what is in it."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.testbed.beds import need

from cbctl.errors import CbctlError, Exit
from cbctl.local.state import State, is_there, reference_name, root_folder


def test_root_folder_follows_the_environment() -> None:
    assert root_folder({"CBCTL_STATE_DIR": "/x/y"}) == Path("/x/y")
    assert root_folder({"XDG_STATE_HOME": "/s", "HOME": "/h"}) == Path("/s/cbctl")
    assert root_folder({"XDG_STATE_HOME": "relative", "HOME": "/h"}) == Path(
        "/h/.local/state/cbctl"
    )
    assert root_folder({"HOME": "/h"}) == Path("/h/.local/state/cbctl")
    with pytest.raises(CbctlError, match="no home folder"):
        root_folder({})


def test_a_new_state_is_private_and_opens_again(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        state = State.open("plat", "local", root=tmp_path / "a" / "b")
        state.write_secret("x", "value")
    finally:
        os.umask(old)
    for path in [state.path, *state.path.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    again = State.open("plat", "local", root=tmp_path / "a" / "b")
    assert again == state
    assert again.secret("x") == "value"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda id: id.write_bytes(b"\xff\xfe"),
        lambda id: id.write_text("\n"),
        lambda id: (id.unlink(), id.symlink_to("nowhere")),
        lambda id: (id.unlink(), id.mkdir()),
    ],
)
def test_an_id_that_cannot_be_read(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    state = State.open("plat", "local", root=tmp_path)
    spoil(state.path / "id")
    with pytest.raises(CbctlError, match="id of the state folder") as error:
        State.open("plat", "local", root=tmp_path)
    assert error.value.exit is Exit.REFUSED and "remove it" in error.value.fix


def test_without_create_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(CbctlError) as error:
        State.open("plat", "local", root=tmp_path / "none", create=False)
    assert error.value.exit is Exit.REFUSED
    assert list(tmp_path.iterdir()) == []


def test_commands_name_the_environment_that_they_do_not_mean_by_themselves(tmp_path: Path) -> None:
    state = State.open("plat", "local", root=tmp_path)
    assert state.command("logs api") == "cbctl local logs api"
    state = State.open("plat", "sandbox", root=tmp_path)
    assert state.command("logs api") == "cbctl local logs api --env sandbox"
    with pytest.raises(CbctlError) as error:
        state.secret("x")
    assert error.value.fix.endswith("cbctl deploy sandbox")
    with pytest.raises(CbctlError) as error:
        State.open("plat", "other", root=tmp_path, create=False)
    assert error.value.fix.endswith("cbctl deploy other")


def test_side_by_side_openings_agree_on_the_key(tmp_path: Path) -> None:
    keys: list[str] = []
    threads = [
        threading.Thread(target=lambda: keys.append(State.open("p", "e", root=tmp_path).key))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 16
    assert len(set(keys)) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_state_of_another_user_is_refused(tmp_path: Path) -> None:
    state = State.open("plat", "local", root=tmp_path)
    os.chown(state.path, 12345, 12345)
    with pytest.raises(CbctlError, match="belongs to uid 12345") as error:
        State.open("plat", "local", root=tmp_path)
    assert error.value.exit is Exit.REFUSED
    assert "CBCTL_STATE_DIR" in error.value.fix


def test_state_of_another_user_is_refused_without_being_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    State.open("plat", "local", root=tmp_path)
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(CbctlError) as error:
        State.at(tmp_path / "plat" / "local")
    assert error.value.exit is Exit.REFUSED


@pytest.mark.parametrize(
    "look",
    [
        lambda root: State.open("plat", "local", root=root, create=False),
        lambda root: State.open("plat", "local", root=root),
        lambda root: is_there("plat", "local", root=root),
    ],
    ids=["open", "create", "look"],
)
def test_a_folder_that_is_closed_to_this_user(
    tmp_path: Path, look: Callable[[Path], object]
) -> None:
    need("ordinary-user")
    State.open("plat", "local", root=tmp_path / "root")
    os.seteuid(65534)
    try:
        with pytest.raises(CbctlError, match=r"closed to .*: Permission denied") as told:
            look(tmp_path / "root")
    finally:
        os.seteuid(0)
    assert told.value.exit is Exit.CREDENTIALS


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_folder_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    state = State.open("plat", "local", root=tmp_path)
    state.path.chmod(mode)
    with pytest.raises(CbctlError, match="other users can write") as error:
        State.open("plat", "local", root=tmp_path)
    assert error.value.exit is Exit.REFUSED
    state.path.chmod(0o700)
    tmp_path.chmod(mode)
    with pytest.raises(CbctlError, match="others can replace"):
        State.open("plat", "local", root=tmp_path)
    tmp_path.chmod(0o700)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    State.open("plat", "real", root=tmp_path)
    (tmp_path / "plat" / "local").symlink_to(tmp_path / "plat" / "real")
    with pytest.raises(CbctlError, match="not a folder"):
        State.open("plat", "local", root=tmp_path)


@pytest.mark.parametrize(
    ("version", "told"),
    [(b"2\n", "version 2"), (b"0", "version 0")]
    + [(bad, "no version that can be read") for bad in (b"", b"old", b"\xff\xfe", b"1\n2\n")],
)
def test_another_version_is_refused(tmp_path: Path, version: bytes, told: str) -> None:
    state = State.open("plat", "local", root=tmp_path)
    (state.path / "version").write_bytes(version)
    with pytest.raises(CbctlError, match=f"has {told}, this cbctl works with version 1") as error:
        State.open("plat", "local", root=tmp_path)
    assert error.value.exit is Exit.REFUSED
    assert error.value.where == str(state.path / "version")


def test_a_folder_in_the_place_of_the_version_is_refused(tmp_path: Path) -> None:
    state = State.open("plat", "local", root=tmp_path)
    (state.path / "version").unlink()
    (state.path / "version").mkdir()
    with pytest.raises(CbctlError, match="no version that can be read"):
        State.open("plat", "local", root=tmp_path)


def test_a_secret_that_is_no_text_is_told_by_its_file(tmp_path: Path) -> None:
    state = State.open("plat", "local", root=tmp_path)
    state.secret_file("password").write_bytes(b"\xff\xfegeheim")
    with pytest.raises(CbctlError, match="damaged: it is no text") as error:
        state.secret("password")
    assert error.value.exit is Exit.REFUSED
    assert error.value.where == str(state.secret_file("password"))
    assert "geheim" not in str(error.value) + error.value.fix


def test_data_without_a_version_is_refused_and_an_interrupted_creation_is_completed(
    tmp_path: Path,
) -> None:
    state = State.open("plat", "local", root=tmp_path)
    (state.path / "version").unlink()
    assert State.open("plat", "local", root=tmp_path) == state
    (state.path / "services" / "x.json").write_text("{}")
    (state.path / "version").unlink()
    with pytest.raises(CbctlError, match="no version that can be read"):
        State.open("plat", "local", root=tmp_path)


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a" * 64, "-x", "a\n"])
def test_names_cannot_lead_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(CbctlError) as error:
        State.open(name, "local", root=tmp_path)
    assert error.value.exit is Exit.USAGE
    with pytest.raises(CbctlError):
        State.open("plat", "local", root=tmp_path).secret_file(name)


def test_generated_secrets_stay_and_are_written_once(tmp_path: Path) -> None:
    state = State.open("plat", "local", root=tmp_path)
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(state.generate_secret("k"))) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found[0]) >= 32
    assert not state.write_secret("k", found[0])
    assert state.write_secret("k", "other")
    assert [p.name for p in (state.path / "secrets").iterdir()] == ["k"]


def test_references(tmp_path: Path) -> None:
    state = State.open("plat", "local", root=tmp_path)
    state.write_secret("db", "postgres://x")
    assert state.resolve("${state:db}") == "postgres://x"
    assert state.resolve("plain ${HOME}") == "plain ${HOME}"
    assert reference_name("x") is None
    for bad in ("a${state:db}", "${state:db}${state:db}", "${state:../id}", "${state:db"):
        with pytest.raises(CbctlError):
            state.resolve(bad)
    with pytest.raises(CbctlError, match="has no secret 'none'"):
        state.resolve("${state:none}")


def test_marker_and_digest_tell_nothing_and_differ(tmp_path: Path) -> None:
    one = State.open("plat", "one", root=tmp_path)
    two = State.open("plat", "two", root=tmp_path)
    markers = {one.marker("api"), one.marker("redis"), two.marker("api"), one.key}
    assert len(markers) == 4
    assert one.digest("a", "1") == one.digest("a", "1")
    assert len({one.digest("a", "1"), one.digest("a", "2"), two.digest("a", "1")}) == 3


ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give things away")


@ROOT_ONLY
@pytest.mark.parametrize("mode", [0o755, 0o700, 0o1777])
def test_a_folder_below_another_user_s_is_refused_and_nothing_is_made(
    tmp_path: Path, mode: int
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    theirs.chmod(mode)
    os.chown(theirs, 12345, 12345)
    (theirs / "mine").mkdir(mode=0o700)
    for root in (theirs / "mine", theirs / "mine" / "new", theirs / "new"):
        with pytest.raises(CbctlError, match="uid 12345, who can replace") as error:
            State.open("plat", "local", root=root)
        assert error.value.exit is Exit.REFUSED
    assert [p.name for p in theirs.rglob("*")] == ["mine"]


@ROOT_ONLY
def test_a_link_of_another_user_s_is_refused_wherever_it_is(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.lchown(tmp_path / "link", 12345, 12345)
    for root in (tmp_path / "link", tmp_path / "link" / "below"):
        with pytest.raises(CbctlError, match="uid 12345, who can replace"):
            State.open("plat", "local", root=root)
    # Neither behind a link of our own ...
    (tmp_path / "own").symlink_to("link/x")
    with pytest.raises(CbctlError, match="uid 12345, who can replace"):
        State.open("plat", "local", root=tmp_path / "own")
    assert list((tmp_path / "real").iterdir()) == []
    # ... nor in the place of the platform's folder, through which one would have been made.
    (tmp_path / "plat").symlink_to(tmp_path / "real")
    os.lchown(tmp_path / "plat", 12345, 12345)
    with pytest.raises(CbctlError, match="not a folder"):
        State.open("plat", "local", root=tmp_path)
    assert list((tmp_path / "real").iterdir()) == []


def test_a_parent_that_others_can_write_is_refused_unless_it_is_sticky(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    (shared / "mine").mkdir(parents=True, mode=0o700)
    (tmp_path / "link").symlink_to(shared / "mine")
    shared.chmod(0o777)
    for root in (shared / "mine", shared / "mine" / "x", tmp_path / "link"):
        with pytest.raises(CbctlError, match="others can replace") as error:
            State.open("plat", "local", root=root)
        assert error.value.where == str(shared)
    shared.chmod(0o1777)
    State.open("plat", "local", root=shared / "mine")


def test_one_s_own_links_are_followed_once_and_for_all(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("real")
    state = State.open("plat", "local", root=tmp_path / "link")
    assert state.path == tmp_path / "real" / "plat" / "local"
    with pytest.raises(CbctlError, match="not a folder"):
        State.at(tmp_path / "link" / "plat" / "local")


def test_a_group_of_one_s_own_may_write_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the umask is 002 and each user has a group, ~/.local looks so."""
    above = tmp_path / "above"
    (above / "root").mkdir(parents=True, mode=0o700)
    above.chmod(0o770)
    group = SimpleNamespace(gr_name=pwd.getpwuid(os.geteuid()).pw_name, gr_mem=[])
    monkeypatch.setattr(grp, "getgrgid", lambda gid: group)
    State.open("plat", "local", root=above / "root")
    group.gr_mem.append("somebody")
    with pytest.raises(CbctlError, match="others can replace"):
        State.open("plat", "local", root=above / "root")


def test_missing_parents_are_private_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        State.open("plat", "local", root=tmp_path / "a" / "b" / "c")
    finally:
        os.umask(old)
    for path in (tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "c"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_the_user_s_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere").symlink_to("missing")
    for name in ("file", "file/below", "loop", "nowhere", "x" * 300):
        for create in (True, False):
            with pytest.raises(CbctlError) as error:
                State.open("plat", "local", root=tmp_path / name, create=create)
            if create:
                assert error.value.exit is Exit.USAGE, name
                assert "CBCTL_STATE_DIR" in error.value.fix
    for bad in ("/tmp/a\nb", "/tmp/a\x1b[2J", "/tmp/\udcff"):
        with pytest.raises(CbctlError, match="CBCTL_STATE_DIR holds") as error:
            root_folder({"CBCTL_STATE_DIR": bad})
        assert error.value.exit is Exit.USAGE
        assert error.value.where.isprintable()
        assert error.value.where.isascii()


def test_a_folder_that_was_exchanged_is_noticed(tmp_path: Path) -> None:
    state = State.open("plat", "local", root=tmp_path)
    assert state.in_place()
    state.path.rename(tmp_path / "away")
    assert not state.in_place()
    State.open("plat", "local", root=tmp_path)
    assert not state.in_place()
