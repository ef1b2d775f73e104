"""References become values, when a step needs them.

    values = Revealer(env, state_folder=folder)
    url = values.reveal(env.database.url)          # Secret; .reveal() inside the call that needs it

For an environment with a part on this machine, variables come from `.env.<name>` alone: a
variable that happens to be in the shell must never decide what is migrated.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from cbctl.config.types import Environment, Reference, Secret, Value, expanded
from cbctl.errors import CbctlError, Exit
from cbctl.secrets.env_file import read_env_file, read_private

HANDED = "CBCTL_HANDED"
"""In a Job: JSON, by the text of a `${secret:…}` the variable that has its value."""


class Keys(Protocol):
    """The keypairs of the local state. The step `local.keys` makes them."""

    def address(self, name: str) -> str:
        """The public key in base58."""


class Revealer:
    """Reads the references of one environment; nothing is read before it is asked for.

    state_folder  state of the local environment (it holds `secrets/`); None: there is none
    keys          the generated keypairs behind `${key:NAME}`; None: there are none
    variables     the process environment, for environments that are not local
    """

    def __init__(
        self,
        env: Environment,
        *,
        state_folder: Path | None = None,
        keys: Keys | None = None,
        variables: Mapping[str, str] = os.environ,
    ) -> None:
        self._env = env
        self._state = state_folder
        self._keys = keys
        self._variables = variables
        self._file: dict[str, Secret] | None = None

    @property
    def env_file(self) -> Path:
        return self._env.folder / f".env.{self._env.name}"

    def reveal(self, reference: Reference) -> Secret:
        """The value. Absent, even where that is allowed (`?`), is a CbctlError: see `find`."""
        found = self.find(reference)
        if found is None:
            raise self._missing(reference)
        return found

    def find(self, value: Value | None) -> Secret | None:
        """The value of a setting; None when it is not set, or its optional variable is absent.

        Raises CbctlError (64) when a reference that must have a value has none.
        """
        if value is None:
            return None
        if isinstance(value, str):
            return Secret(value)
        match value.kind:
            case "env":
                return self._variable(value)
            case "file":
                return self._content(value)
            case "state":
                return self._generated(value)
            case "key":
                return Secret(self._need_keys(value).address(value.name))
            case "kms":
                raise _error(value, f"{value} signs in AWS KMS and has no value to be read")
            case "secret":
                return self._handed(value)

    def _variable(self, reference: Reference) -> Secret | None:
        if self._file is None:
            self._file = read_env_file(self.env_file) or {}
        found = self._file.get(reference.name)
        # An empty variable is what an example file leaves behind: not a value.
        if not found and not self._env.is_local:
            found = Secret(self._variables.get(reference.name, ""))
        if found:
            return found
        if reference.optional:
            return None
        raise self._missing(reference)

    def _handed(self, reference: Reference) -> Secret:
        """Inside the cluster, in a Job that was given it."""
        handed = json.loads(self._variables.get(HANDED, "{}"))
        if reference.text not in handed:
            raise _error(
                reference,
                f"{reference} is a Kubernetes Secret, which is given only to what runs inside the"
                " cluster",
            )
        return Secret(self._variables[handed[reference.text]])

    def _content(self, reference: Reference) -> Secret:
        path = self._env.folder / expanded(reference.name)
        text = read_private(path)
        if text is None:
            raise _error(reference, f"{path} does not exist")
        return Secret(text.removesuffix("\n"))

    def _generated(self, reference: Reference) -> Secret | None:
        if self._state is None:
            raise _error(reference, f"{reference} needs the local state, and there is none")
        text = read_private(self._state / "secrets" / reference.name)
        if text is None and reference.optional:
            return None
        if text is None:
            raise _error(
                reference,
                f"the local state has no secret `{reference.name}` yet",
                f"cbctl deploy {self._env.name}",
            )
        return Secret(text.removesuffix("\n"))

    def _need_keys(self, reference: Reference) -> Keys:
        if self._keys is None:
            raise _error(reference, f"{reference} needs the local state, and there is none")
        return self._keys

    def _missing(self, reference: Reference) -> CbctlError:
        file = self.env_file.name
        places = file if self._env.is_local else f"{file} or the process environment"
        again = "the shell's variables are not used for a local environment; "
        example = self.env_file.with_name(f"{file}.example")
        shown = f"; {example.name} shows what it means" if example.is_file() else ""
        hint = again if self._env.is_local and reference.name in self._variables else ""
        return _error(
            reference,
            f"the variable {reference.name} is not set in {places}",
            f"{hint}add the line {reference.name}=… to {self.env_file} (mode 600{shown})",
        )


def _error(reference: Reference, what: str, fix: str = "") -> CbctlError:
    used = f"{reference.setting}: " if reference.setting else ""
    return CbctlError(f"{used}{what}", exit=Exit.USAGE, where=reference.where, fix=fix)
