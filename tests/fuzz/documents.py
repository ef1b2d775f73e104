"""Configuration files as editors, merges, copies and attackers leave them."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

Mutation = Callable[[Random, bytes], bytes]

_VALUES: tuple[str, ...] = (
    *("", "~", "null", "true", "yes", "No", "on", "0", "-1", "007", "0x1F", "1_000", "1e999"),
    *("12:30:00", ".nan", ".inf", "-.inf", "9" * 80, "1.5", "2026-11-22", "'", '"', "[]", "{}"),
    *("[a, [b, [c]]]", "{a: {b: {c: d}}}", "- a", "? a", "!", "!!python/name:os.system x"),
    *("!!binary aGFsbG8=", "&a b", "*a", "*none", "<<", "|", ">-", "@x", "`x`", "%x", "# nothing"),
    *("${env:X}", "${env:X?}", "${env:}", "${env:X", "${file:/dev/zero}", "${file:folder}"),
    *("${file:unreadable}", "${file:~/none}", "${secret:a#b}", "${state:../id}", "${key:/}"),
    *("${state:jwt-secret}", "${key:none}", "x${env:X}", "${${env:X}}", "http://", "://"),
    *("http://[", "http://127.0.0.1:99999/", "postgresql://u:p@h:x/d", "https://a b", "..", "~/"),
    *("ä", "日本", "🎉", '"\\x00"', '"\\e[31m"', '"\\ud800"', '"\\u202e"', "\u202e", "local"),
    *("folder", "unreadable", "a" * 9000, "!!int x"),
)
_LINES: tuple[str, ...] = (
    *("---", "...", "%YAML 9.9", "%TAG ! x:", "\t", "  \t x: y", "- x", "x: y: z", ": ", "? "),
    *("<<: *a", "a: &a [*a]", "version: 2", "min_cbctl: '99.0'", "platform: x", "defaults:"),
    *("environments: []", "DATABASE_URL=", "=x", "X", "export", "export X=1", 'X="', "X='a'b"),
    *("X=a b", 'X="\\q"', "X=$(id)", "DATABASE_URL=postgresql://[::1", "REDIS_URL=redis://x:y"),
    *("PGHOST=x", "\x1b[31m=1", "ä=1"),
)
_SPECIAL = b'\x00\x07\t\n\r\x1b"&*:\x7f\x80\x85\xa0\xfe\xff'
_WHOLE = (b"", b"\n", b"#\n", b"{}", b"[]", b"null", b"x", b"\0", b"--- {a: b}")


def mutated(random: Random, data: bytes, kinds: tuple[Mutation, ...] = ()) -> bytes:
    """One to three mutations, one after the other."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        data = random.choice(kinds or _KINDS)(random, data)
    return data


def flip(random: Random, data: bytes) -> bytes:
    """Bits of a few bytes."""
    changed = bytearray(data)
    for _ in range(random.randrange(1, 8) if changed else 0):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def insert(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + bytes([random.choice(_SPECIAL)]) * random.choice((1, 1, 3)) + data[at:]


def cut(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) + 1)
    return random.choice((data[:at], data[at:], data[: at // 2] + data[at:], b""))


def line(random: Random, data: bytes) -> bytes:
    """One line dropped, doubled, moved, indented or put in."""
    lines = data.split(b"\n")
    at = random.randrange(len(lines))
    match random.randrange(6):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[at])
        case 2:
            lines.insert(random.randrange(len(lines)), lines.pop(at))
        case 3:
            lines[at] = random.choice((b" ", b"  ", b"\t", b"    ")) + lines[at]
        case 4:
            lines[at] = lines[at][random.randrange(1, 4) :]
        case _:
            lines.insert(at, _bytes(random.choice(_LINES)))
    return b"\n".join(lines)


def value(random: Random, data: bytes) -> bytes:
    """What follows a key is replaced by something of another type."""
    found = [*re.finditer(rb"(?<=[:=])( ?)([^\n]*)", data)]
    if not found:
        return data
    place = random.choice(found)
    return data[: place.start(2)] + _bytes(random.choice(_VALUES)) + data[place.end(2) :]


def key(random: Random, data: bytes) -> bytes:
    """A key is misspelt, repeated elsewhere, or replaced."""
    found = [*re.finditer(rb"[A-Za-z_]+(?=[:=])", data)]
    if not found:
        return data
    place, other = random.choice(found), random.choice(found)[0]
    word = place[0]
    wrong = random.choice((word + b"x", word[1:], word.upper(), other, word[:1] + word, b"<<"))
    return data[: place.start()] + wrong + data[place.end() :]


def shape(random: Random, data: bytes) -> bytes:
    """The whole of it in another form."""
    match random.randrange(10):
        case 0:
            return b"\xef\xbb\xbf" + data
        case 1:
            return data.replace(b"\n", b"\r\n")
        case 2:
            return data.replace(b"\n", b"\r")
        case 3:
            return data.replace(b"  ", b"\t")
        case 4:
            other = random.choice(("utf-16", "utf-32", "cp1252"))
            return data.decode("utf-8", "replace").encode(other, "replace")
        case 5:
            return data + b"\n---\n" + data
        case 6:
            return data * random.choice((2, 40))
        case 7:
            return b"[" * random.choice((20, 40, 5000)) + data
        case 8:
            return _bomb() + data
        case _:
            return random.choice(
                (b"", b"\n", b"#\n", b"{}", b"[]", b"null", b"x", b"\0", b"--- {a: b}")
            )


def _bomb() -> bytes:
    """Aliases of aliases: a billion values in a few lines."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    return ("\n".join(lines) + "\n").encode()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


_KINDS = (flip, insert, cut, line, line, line, value, value, value, key, shape)
