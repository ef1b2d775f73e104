"""What every store promises; a test file of each kind inherits it with its own `store`."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from cbctl.engine.store import Conflict, Fenced, LockRecord, Owner, Store
from cbctl.errors import CbctlError, Exit

ME = Owner("boot", 1, "start", "host", "me")
LOCK = LockRecord(1, True, ME, "run", "deploy", "now", 0)
STREAM = "runs/20261122T193348-9f3a1c"


class Contract:
    """store: whose lock is LOCK, and nothing else; `again` opens it as another process does"""

    def test_records_come_back_as_they_were_written(
        self, store: Store, again: Callable[[], Store]
    ) -> None:
        assert store.read(STREAM) == [] and store.streams("runs/") == []
        written = [b"one", b"two\r", "three\x0b\x85 \N{SNOWMAN}".encode(), b"", b" "]
        for number, line in enumerate(written):
            store.append(STREAM, number, 1, line)
            assert store.read(STREAM) == again().read(STREAM) == written[: number + 1]
        with pytest.raises(ValueError, match="one line"):
            store.append(STREAM, 5, 1, b"a\nb")
        assert store.read(STREAM) == written

    def test_streams_are_told_apart_and_sorted(
        self, store: Store, again: Callable[[], Store]
    ) -> None:
        for number, name in enumerate(("runs/b", "runs/a", "runs/a.b", "releases/history")):
            store.append(name, 0, 1, f"{number}".encode())
        assert (
            store.streams("runs/") == again().streams("runs/") == ["runs/a", "runs/a.b", "runs/b"]
        )
        assert store.streams("releases/") == ["releases/history"]
        assert store.streams("nothing/") == []
        assert store.read("runs/a") == [b"1"]

    def test_compare_and_set(self, store: Store) -> None:
        store.append(STREAM, 0, 1, b"one")
        for expected in (0, 2):
            with pytest.raises(Conflict):
                store.append(STREAM, expected, 1, b"two")
        assert store.read(STREAM) == [b"one"]

    @pytest.mark.parametrize(
        "now", [replace(LOCK, token=2), replace(LOCK, held=False)], ids=["taken", "released"]
    )
    def test_who_lost_the_lock_writes_nothing(
        self, store: Store, again: Callable[[], Store], now: LockRecord
    ) -> None:
        store.append(STREAM, 0, 1, b"one")
        again().swap_lock(LOCK, now)
        why = "the lock was taken by me on host" if now.held else "the lock was released"
        with pytest.raises(Fenced, match=why):
            store.append(STREAM, 1, 1, b"two")
        with pytest.raises(Fenced):
            store.append("runs/other", 0, 1, b"two")
        assert store.read(STREAM) == [b"one"] and store.streams("runs/") == [STREAM]

    def test_a_record_beside_the_holder_takes_nothing_from_him(
        self, store: Store, again: Callable[[], Store]
    ) -> None:
        store.append(STREAM, 0, 1, b"one")
        other = again()
        other.append("beside/a", 0, None, b"his")
        store.append(STREAM, 1, 1, b"two")
        other.append("beside/a", 1, None, b"his too")
        with pytest.raises(Conflict):
            other.append("beside/a", 1, None, b"again")
        store.append(STREAM, 2, 1, b"three")
        assert again().read(STREAM) == [b"one", b"two", b"three"]
        assert again().read("beside/a") == [b"his", b"his too"]
        released = replace(LOCK, held=False)
        store.swap_lock(LOCK, released)
        other.append("beside/b", 0, None, b"nobody holds it")
        again().swap_lock(released, replace(LOCK, token=2))
        assert again().streams("beside/") == ["beside/a", "beside/b"]
        assert again().read("beside/b") == [b"nobody holds it"]

    def test_the_next_holder_goes_on_where_the_last_one_stopped(
        self, store: Store, again: Callable[[], Store]
    ) -> None:
        written: list[bytes] = []
        for token in range(1, 6):
            for _ in range(3):
                line = f"{len(written)} by {token}".encode()
                store.append(STREAM, len(written), token, line)
                written.append(line)
            now = replace(LOCK, token=token)
            if token % 2:  # let go, or taken from it
                now = replace(now, held=False)
                store.swap_lock(replace(now, held=True), now)
            store = again()
            store.swap_lock(now, replace(LOCK, token=token + 1))
            assert store.read(STREAM) == written

    @pytest.mark.parametrize(
        "name", ["../x", "runs/../../x", "/etc/x", "runs/", "runs/.x", "x", "a/b/c"]
    )
    def test_names_lead_nowhere_else(self, store: Store, name: str) -> None:
        for work in (lambda: store.read(name), lambda: store.append(name, 0, 1, b"x")):
            with pytest.raises(CbctlError) as caught:
                work()
            assert caught.value.exit is Exit.USAGE

    def test_the_lock_changes_only_from_what_was_seen(
        self, store: Store, again: Callable[[], Store]
    ) -> None:
        with pytest.raises(Conflict):
            store.swap_lock(None, LOCK)
        with pytest.raises(Conflict):
            store.swap_lock(replace(LOCK, renewals=7), replace(LOCK, token=2))
        again().swap_lock(LOCK, replace(LOCK, renewals=1))
        with pytest.raises(Conflict):
            store.swap_lock(LOCK, replace(LOCK, token=2))
        store.swap_lock(replace(LOCK, renewals=1), replace(LOCK, token=2))
        assert again().read_lock() == replace(LOCK, token=2)

    @pytest.mark.parametrize("size", [0, 4, 1_500_000])
    def test_a_blob_comes_back_under_its_sha256(
        self, store: Store, again: Callable[[], Store], size: int
    ) -> None:
        data = secrets.token_bytes(size)
        name = store.put_blob(data)
        assert store.put_blob(data) == name
        assert again().get_blob(name) == data

    @pytest.mark.parametrize("name", ["../lock.json", "", "A" * 64, "a" * 63])
    def test_a_name_that_is_no_hash(self, store: Store, name: str) -> None:
        with pytest.raises(CbctlError, match="is no sha256"):
            store.get_blob(name)

    def test_a_blob_that_is_not_there(self, store: Store) -> None:
        with pytest.raises(CbctlError, match="is not in the store"):
            store.get_blob("a" * 64)

    def test_the_same_blob_from_many_threads(self, store: Store) -> None:
        data, errors = secrets.token_bytes(100_000), []

        def put() -> None:
            try:
                store.put_blob(data)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=put) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
