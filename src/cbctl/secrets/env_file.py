"""`.env.<environment>`: variables for one environment, readable by their owner only.

One variable per line: `KEY=value`, `KEY="value"`, `KEY='value'`, optionally after `export`; `#`
begins a comment at the start of a line or after a blank. Nothing is expanded: what stands there is
the value. Inside double quotes `\\"`, `\\\\`, `\\n` and `\\t` are escapes, inside single quotes
nothing is. The same variable twice is an error.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from cbctl.config.types import Secret
from cbctl.errors import CbctlError, Exit

MAX_BYTES = 64 * 1024

_LINE = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}


def read_private(path: Path) -> str | None:
    """The text of a file that only its owner may read; None when there is no such file.

    Raises CbctlError (64) when others can read it, when it is somebody else's, or no UTF-8 text.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a FIFO must not block us
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror}") from None
    # The open file is judged, not the name: nobody can swap it in between.
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise _refused(path, "is no ordinary file")
    with os.fdopen(descriptor, "rb") as stream:
        if status.st_uid != os.geteuid():
            raise _refused(
                path,
                "belongs to another user, who could read and change it",
                f"make a copy of your own, mode 600, in place of {path}",
            )
        if status.st_mode & 0o077:
            mode = f"{stat.S_IMODE(status.st_mode):04o}"
            raise _refused(path, f"others can read or change it (mode {mode})", f"chmod 600 {path}")
        raw = stream.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise _refused(path, f"is larger than {MAX_BYTES // 1024} KiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refused(path, "is not UTF-8 text") from None


def read_env_file(path: Path) -> dict[str, Secret] | None:
    """The variables of the file, or None when there is no such file."""
    text = read_private(path)
    return None if text is None else parse(text, str(path))


def parse(text: str, file: str) -> dict[str, Secret]:
    """The variables of a text; CbctlError (64) with the line, never with a value."""
    values: dict[str, Secret] = {}
    lines: dict[str, int] = {}
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip(" \t\r")
        if not line or line.startswith("#"):
            continue
        where = f"{file}:{number}"
        match = _LINE.fullmatch(line)
        if match is None:
            raise CbctlError(
                "expected KEY=value (no blank around `=`)", exit=Exit.USAGE, where=where
            )
        name, rest = match.groups()
        if name in values:
            raise CbctlError(
                f"{name} is already set in line {lines[name]}", exit=Exit.USAGE, where=where
            )
        values[name] = Secret(_value(rest, name, where))
        lines[name] = number
    return values


def _value(rest: str, name: str, where: str) -> str:
    quote = rest[:1]
    if quote not in ("'", '"') or not quote:
        value = re.split(r"[ \t]#", rest, maxsplit=1)[0].rstrip(" \t")
        if rest.startswith("#"):
            value = ""
        if re.search(r"[\s\"'\x00-\x1f\x7f]", value):
            raise CbctlError(
                f"the value of {name} has a blank or a quote in it: put all of it in quotes",
                exit=Exit.USAGE,
                where=where,
            )
        return value
    value, after = _quoted(rest[1:], quote, name, where)
    if after and not re.fullmatch(r"[ \t]*(?:[ \t]#.*)?", after):
        raise CbctlError(
            f"there is something after the closing quote of {name}", exit=Exit.USAGE, where=where
        )
    return value


def _quoted(text: str, quote: str, name: str, where: str) -> tuple[str, str]:
    """The value up to the closing quote, and what follows it."""
    out: list[str] = []
    index = 0
    while index < len(text):
        char = text[index]
        if char == quote:
            return "".join(out), text[index + 1 :]
        if char == "\\" and quote == '"':
            index += 1
            escaped = _ESCAPES.get(text[index : index + 1])
            if escaped is None:
                raise CbctlError(
                    f'unknown escape in the value of {name}; there are \\" \\\\ \\n \\t',
                    exit=Exit.USAGE,
                    where=where,
                )
            char = escaped
        out.append(char)
        index += 1
    raise CbctlError(f"the closing quote of {name} is missing", exit=Exit.USAGE, where=where)


def _refused(path: Path, what: str, fix: str = "") -> CbctlError:
    return CbctlError(what, exit=Exit.USAGE, where=str(path), fix=fix)
