"""What a step's call is when it is made somewhere else: the task that goes into the cluster, and
the lines that come back.

Everything in a task may be read by whoever may read the namespace: a reference travels as its
text, and the pod gets the value from the cluster.
"""

from __future__ import annotations

import dataclasses
import io
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import msgspec

from cbctl import __version__
from cbctl.config.types import Reference
from cbctl.engine.canonical import plain
from cbctl.engine.step import Json, Step
from cbctl.errors import CbctlError, Exit

Phase = Literal["observe", "apply", "outcome", "verify"]

LARGEST = 900_000
"""Bytes of a task with its files, packed: an object of the cluster may have a MiB."""


class Task(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    cbctl      version of the sender; another one might mean something else by the same words
    step       name in the catalogue; `id` as the runbook calls it
    inputs     of the step, plain data; paths that are in `files` are replaced there
    files      by input, the path inside the packed files
    values     by the text of a reference, the variable that has its value
    token      fencing token of the run's lock; 0: nothing may be changed
    changes, intent, facts  what the phase is given
    """

    cbctl: str
    step: str
    id: str
    phase: Phase
    run: str
    token: int
    inputs: dict[str, Any]
    files: dict[str, str]
    values: dict[str, str]
    changes: list[dict[str, Any]] = []
    intent: Any = None
    facts: Any = None


class Said(msgspec.Struct, frozen=True, tag="said"):
    """How far it is."""

    message: str
    done: int | None = None
    total: int | None = None


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """What the call returned."""

    value: Any


class Failure(msgspec.Struct, frozen=True, tag="failure"):
    """What the call raised. lost: the lock was not the run's any more"""

    what: str
    exit: int
    where: str = ""
    fix: str = ""
    evidence: dict[str, Any] = {}
    lost: bool = False

    def error(self) -> CbctlError:
        return CbctlError(
            self.what,
            exit=Exit(self.exit),
            where=self.where,
            fix=self.fix,
            evidence=self.evidence,
        )


Line = Said | Answer | Failure
_lines = msgspec.json.Decoder(Line)


def line(text: str) -> Line | None:
    """A line of the pod's log; None for what something else said."""
    try:
        found: Line = _lines.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return found


def require_version(sender: object) -> None:
    """Raises CbctlError (7) in a pod whose cbctl is another one than the sender."""
    if sender != __version__:
        raise CbctlError(
            f"the image holds cbctl {__version__}, and this run is carried out by {sender}",
            exit=Exit.REFUSED,
            fix="set `jobs.image` to the image of the same version",
        )


def references(value: Any) -> Iterator[Reference]:
    """Every reference among the inputs, however deep."""
    if isinstance(value, Reference):
        yield value
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from references(getattr(value, field.name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from references(item)


def packed(inputs: Any) -> tuple[dict[str, str], bytes]:
    """The files and folders that the inputs name: by input their place in the archive, and that.

    The same files give the same bytes. Raises CbctlError (64) for one that is not there."""
    places: dict[str, str] = {}
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:xz") as tar:
        for field in dataclasses.fields(inputs):
            path = getattr(inputs, field.name)
            if not isinstance(path, Path):
                continue
            if not path.exists():
                what = "there is no such file or folder"
                raise CbctlError(what, exit=Exit.USAGE, where=str(path))
            places[field.name] = f"{field.name}/{path.name}"
            tar.add(path, places[field.name], filter=anonymous)
    return places, archive.getvalue()


def unpacked(archive: bytes, folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:xz") as tar:
        tar.extractall(folder, filter="data")


def anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Without owners and times, which are of no use there."""
    if not (entry.isfile() or entry.isdir()) or entry.name.endswith(".pyc"):
        return None
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.isdir() else 0o644
    return entry


def facts_of(step: Step[Any, Any, Any]) -> Any:
    """The type of a step's facts."""
    (found,) = get_args(get_type_hints(type(step).observe)["return"])
    return found


def outcome_of(step: Step[Any, Any, Any]) -> Any:
    """The type of a step's outcome."""
    return get_type_hints(type(step).outcome)["return"]


def plain_inputs(inputs: Any) -> dict[str, Json]:
    made = plain(inputs)
    assert isinstance(made, dict)
    return made
