"""What a step's call is when it is made somewhere else: the task that goes into the cluster, and
the lines that come back.

Everything in a task may be read by whoever may read the namespace: a reference travels as its
text, and the pod gets the value from the cluster.
"""

from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import msgspec

from cbctl import __version__
from cbctl.config.types import Reference
from cbctl.engine.canonical import plain
from cbctl.engine.step import Json, StateFolder, Step
from cbctl.errors import CbctlError, Exit

Phase = Literal["observe", "apply", "outcome", "verify"]

LARGEST = 900_000
"""Bytes of a task with its files, packed: an object of the cluster may have a MiB."""


class Task(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    cbctl      version of the sender; another one might mean something else by the same words
    step       name in the catalogue; `id` as the runbook calls it
    inputs     of the step, plain data; paths that are in `files` are replaced there, and the
               folder of a state is the pod's own
    files      by input, the path inside the packed files
    values     by the text of a reference, the variable that has its value
    token      fencing token that the run's lock had; 0: nothing may be changed
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


FILES = "files.zip"


def packed(named: Mapping[str, Path]) -> bytes:
    """Files and folders, by the place they are to have. The same files give the same bytes.

    Raises CbctlError (64) for one that is not there."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, path in sorted(named.items()):
            if not path.exists():
                what = "there is no such file or folder"
                raise CbctlError(what, exit=Exit.USAGE, where=str(path))
            if path.is_dir():
                archive.writestr(zipfile.ZipInfo(f"{place}/"), b"")
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file.is_file() and file.suffix != ".pyc":
                    name = f"{place}/{file.relative_to(path)}" if file != path else place
                    entry = zipfile.ZipInfo(name)  # without times and owners
                    archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)
    return made.getvalue()


def unpacked(archive: bytes, folder: Path) -> None:
    """Into the folder and nowhere else, whatever the names in it."""
    with zipfile.ZipFile(io.BytesIO(archive)) as packed_files:
        packed_files.extractall(folder)


def require_size(sent: int, where: str) -> None:
    if sent > LARGEST:
        raise CbctlError(
            f"its files are too large to be sent into the cluster: {sent} bytes packed, at most"
            f" {LARGEST}",
            exit=Exit.REFUSED,
            where=where,
        )


def facts_of(step: Step[Any, Any, Any]) -> Any:
    """The type of a step's facts."""
    (found,) = get_args(get_type_hints(type(step).observe)["return"])
    return found


def outcome_of(step: Step[Any, Any, Any]) -> Any:
    """The type of a step's outcome."""
    return get_type_hints(type(step).outcome)["return"]


def plain_inputs(inputs: Any) -> dict[str, Json]:
    """What travels: all but the folder of this machine's state."""
    made = plain(inputs)
    assert isinstance(made, dict)
    own = state_folders(type(inputs))
    return {name: value for name, value in made.items() if name not in own}


def state_folders(inputs: type[Any]) -> frozenset[str]:
    """Names of the inputs that are the state folder of the machine that carries the step out."""
    hints = get_type_hints(inputs, include_extras=True)
    return frozenset(name for name, kind in hints.items() if kind == StateFolder)


def files_of(inputs: Any) -> dict[str, Path]:
    """Files and folders that the step is given, by input."""
    own = state_folders(type(inputs))
    named = {f.name: getattr(inputs, f.name) for f in dataclasses.fields(inputs)}
    return {
        name: path for name, path in named.items() if isinstance(path, Path) and name not in own
    }
