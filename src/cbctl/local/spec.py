"""What the supervisor may run: written specs, `services/NAME.json`.

The file holds `{"spec": {…}, "desired": "running" | "stopped", "generation": n}`. A secret is there
only as a `${state:NAME}` reference and a keyed digest that tells when it changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from cbctl.errors import CbctlError, Exit
from cbctl.local.files import read_json, write_json
from cbctl.local.state import State, checked_name, reference_name

RUNNING, STOPPED = "running", "stopped"
_KINDS = ("http", "rpc", "postgres", "redis", "tcp")
_LONGEST = 3600.0  # s


@dataclass(frozen=True)
class Ready:
    """How readiness is asked, on 127.0.0.1: `http` wants a 200 of `path`, `rpc` Solana's getHealth,
    `postgres` and `redis` an answer in their protocol, `tcp` a connection.

    socket, secret  where `redis` may be told its password, and the secret's name: only who has
                    logged in hears whether the data is loaded
    """

    kind: Literal["http", "rpc", "postgres", "redis", "tcp"]
    port: int
    path: str = ""
    seconds: float = 30.0  # the time limit of waiting for it
    socket: str = ""
    secret: str = ""

    def __str__(self) -> str:
        return f"{self.kind} on 127.0.0.1:{self.port}{self.path}"


@dataclass(frozen=True)
class ServiceSpec:
    """One service. `environment` is all that the process gets beside PATH, HOME, LANG and the run
    marker; values are plain or `${state:NAME}`, read from `secrets/NAME` when it is started."""

    name: str
    argv: tuple[str, ...]
    cwd: str
    ready: Ready | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    url: str = ""  # for people; without credentials
    release: str = ""  # which release asked for it; not a reason to restart
    uses: tuple[str, ...] = ()  # secrets that it reads in another way, e.g. in a settings file
    stop_signal: Literal["SIGTERM", "SIGINT"] = "SIGTERM"
    stop_seconds: float = 10.0
    pid_file: str = ""  # removed before a start when the process it names is not the service
    digests: Mapping[str, str] = field(default_factory=dict)  # of the secrets; filled by `sealed`

    def sealed(self, state: State, coming: Mapping[str, str] | None = None) -> ServiceSpec:
        """The spec with the digests of the secrets that it refers to, which must exist or be
        among the `coming` ones (name → value; they are not written here)."""
        checked_name(self.name)
        named = [n for v in self.environment.values() if (n := reference_name(v)) is not None]
        digests = {}
        for name in (*named, *self.uses):
            value = (coming or {}).get(name)
            digests[name] = state.digest(name, state.secret(name) if value is None else value)
        return replace(self, digests=digests)

    @property
    def hash(self) -> str:
        """16 hex digits over everything that makes the process what it is."""
        return spec_hash(self.as_json())

    def as_json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(json.dumps(asdict(self)))  # tuples become lists
        return value

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> ServiceSpec:
        ready = value.get("ready")
        changed = {
            "argv": tuple(value["argv"]),
            "uses": tuple(value.get("uses", ())),
            "ready": None if ready is None else Ready(**ready),
        }
        return cls(**{**value, **changed})


@dataclass(frozen=True)
class Order:
    """The content of a service's file."""

    spec: ServiceSpec
    desired: str
    generation: int


@dataclass(frozen=True)
class Part:
    """One service as it is. state: running, backoff (waits before a restart), failed (given up),
    stopping, stopped, or unsupervised (running, but its supervisor died: `adopt` helps)."""

    name: str
    state: str
    pid: int | None
    since: float  # s since 1970 in which it is in this state; 0 = unknown
    restarts: int  # after deaths, since its order last changed
    url: str
    release: str
    spec_hash: str  # of what runs, or ran last
    detail: str  # why it is not running
    log: tuple[str, ...]  # the last lines of a failure

    @property
    def running(self) -> bool:
        return self.state in ("running", "unsupervised")


def spec_hash(value: Mapping[str, Any]) -> str:
    """Of a spec as JSON; how it is asked and shown, and the release, do not count."""
    shown = ("ready", "url", "release", "stop_seconds")
    counted = {key: item for key, item in value.items() if key not in shown}
    return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()[:16]


def order_file(state: State, name: str) -> Path:
    return state.path / "services" / f"{checked_name(name)}.json"


def read_order(state: State, name: str) -> Order | None:
    """None when there is no such file; Exit.REFUSED when this cbctl does not understand it."""
    path = order_file(state, name)
    value = read_json(path)
    if value is None:
        return None
    try:
        spec = ServiceSpec.of_json(value["spec"])
        order = Order(spec, str(value["desired"]), int(value["generation"]))
        if not _fits(order, name):
            raise ValueError("a value of another type")
        return order
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CbctlError(
            "the order of a service was not written by this version of cbctl",
            exit=Exit.REFUSED,
            where=str(path),
            fix=f"use the cbctl that wrote it, or remove {path} and deploy again",
        ) from error


def _fits(order: Order, name: str) -> bool:
    """Whether every value is of its type: the supervisor must not fall over one that is not."""
    spec, ready = order.spec, order.spec.ready
    texts = [spec.name, spec.cwd, spec.url, spec.release, spec.pid_file, *spec.argv, *spec.uses]
    for named in (spec.environment, spec.digests):
        texts += [*named.keys(), *named.values()]
    seconds: list[Any] = [spec.stop_seconds]
    if ready is not None:
        texts += [ready.path, ready.socket, ready.secret]
        seconds.append(ready.seconds)
    return (
        spec.name == name
        and bool(spec.argv)
        and order.desired in (RUNNING, STOPPED)
        and spec.stop_signal in ("SIGTERM", "SIGINT")
        and (ready is None or (ready.kind in _KINDS and ready.port in range(1, 65536)))
        and all(isinstance(text, str) and "\0" not in text for text in texts)
        and all(isinstance(s, int | float) and 0 <= s <= _LONGEST for s in seconds)
    )


def write_order(state: State, order: Order) -> None:
    value = {
        "spec": order.spec.as_json(),
        "desired": order.desired,
        "generation": order.generation,
    }
    write_json(order_file(state, order.spec.name), value)


def service_names(state: State) -> list[str]:
    files = (state.path / "services").glob("*.json")
    return sorted(file.stem for file in files if not file.name.startswith("."))
