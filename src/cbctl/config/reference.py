"""References to values kept elsewhere, and the type that such a value travels in.

A reference is a whole value, never a part of one:

    ${env:NAME}         variable of `.env.<environment>`
    ${env:NAME?}        the same, may be absent
    ${file:PATH}        content of a file; relative to the folder of cbctl.yaml, `~/` allowed
    ${secret:NAME#KEY}  one key of a Kubernetes Secret in the environment's namespace
    ${state:NAME}       generated value in the local state folder, file `secrets/NAME`
    ${key:NAME}         keypair that the local state generates; where an address is expected, its
                        public key
    ${kms:KEY}          Ed25519 key in AWS KMS (id, ARN or alias/NAME): only a wallet, as it signs
                        there and has no value

Reading a reference needs the outside world and is the work of `cbctl.secrets`.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NoReturn

import msgspec

Kind = Literal["env", "file", "secret", "state", "key", "kms"]

FORMS: Final = (
    "${env:NAME}, ${env:NAME?}, ${file:PATH}, ${secret:NAME#KEY}, ${state:NAME}, ${key:NAME}, "
    "${kms:KEY}"
)

_SHAPE = re.compile(r"\$\{([a-z]+):([^{}]*)\}")
_NAMES: Final[dict[str, re.Pattern[str]]] = {
    "env": re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]{0,127})(?P<optional>\?)?"),
    "file": re.compile(r"(?P<name>[^\s\x00-\x1f](?:[^\x00-\x1f]{0,1022}[^\s\x00-\x1f])?)"),
    "secret": re.compile(
        r"(?P<name>[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)#(?P<key>[A-Za-z0-9._-]{1,253})"
    ),
    # No dot at the start and no slash: the name is a file name in the state folder.
    "state": re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]{0,62})"),
    "key": re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]{0,62})"),
    "kms": re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9:/_-]{0,2047})"),
}


class BadReference(ValueError):
    """The text looks like a reference but is none; the message says why, without the text."""


class Reference(msgspec.Struct, frozen=True, eq=False):
    """Where a value is kept; prints as its text and holds no value.

    where    file:line:column of the setting that uses it
    setting  key path of that setting, e.g. `environments.local.database.url`
    """

    kind: Kind
    name: str
    key: str = ""
    optional: bool = False
    where: str = ""
    setting: str = ""

    @property
    def text(self) -> str:
        tail = f"#{self.key}" if self.kind == "secret" else ""
        return f"${{{self.kind}:{self.name}{tail}{'?' if self.optional else ''}}}"

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    # Two settings that name the same value are equal, wherever they stand.
    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, Reference) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)


def parse(text: str, *, where: str = "", setting: str = "") -> Reference | None:
    """The reference that `text` is, or None when it is an ordinary value.

    Raises BadReference when it has `${` in it and is not one whole, well-formed reference.
    """
    if "${" not in text:
        return None
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise BadReference(f"a reference must be the whole value, one of {FORMS}")
    kind, rest = found.groups()
    shape = _NAMES.get(kind)
    if shape is None:
        raise BadReference(f"there is no reference of the kind `{kind[:20]}`; there are {FORMS}")
    named = shape.fullmatch(rest)
    if named is None:
        raise BadReference(f"the name in this `{kind}` reference is not well-formed; see {FORMS}")
    parts = named.groupdict()
    return Reference(
        kind=kind,  # type: ignore[arg-type]  # one of the keys of _NAMES
        name=parts["name"],
        key=parts.get("key") or "",
        optional=bool(parts.get("optional")),
        where=where,
        setting=setting,
    )


class Secret:
    """A value that must not be seen: prints as `***`, is not serialized, not pickled.

    `.reveal()` gives the value; its result belongs in the one call that needs it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __str__(self) -> str:
        return "***"

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __eq__(self, other: object) -> bool:
        return self._value == other._value if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is not pickled")


def as_text(value: object) -> str:
    """`enc_hook` of msgspec and `default` of json: references as text, secrets as `***`."""
    if isinstance(value, Reference | Secret):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} has no text form")


def host_only(url: str | Secret | Reference) -> str:
    """What may be shown of a URL: scheme, host and port. A reference is shown as its text."""
    if isinstance(url, Reference):
        return url.text
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url.reveal() if isinstance(url, Secret) else url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "***"
    if not host or not parts.scheme:
        return "***"
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}{f':{port}' if port else ''}"
