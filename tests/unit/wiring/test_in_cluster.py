"""What steps on the database and the cache send into the cluster, where only that reaches them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from cbctl.runbook import catalogue, document
from cbctl.steps.in_cluster import task
from cbctl.wiring.single import SETTINGS

STEPS = [name for name in catalogue.STEPS if name.startswith(("db.", "cache."))]
STATE = "${env.state}"
PACKED = {"folder", "schema", "anonymize"}
"""Files of the repository. What is packed may be read by whoever may read the namespace."""


@pytest.mark.parametrize("name", STEPS)
def test_the_state_folder_of_this_machine_stays_here(name: str) -> None:
    inputs = catalogue.step(name).inputs
    settings = (SETTINGS.get(name.partition(".")[0], {}), SETTINGS.get(name, {}))
    given: list[Mapping[str, Any]] = list(settings)
    for path in document.shipped().glob("*.yaml"):
        given += [entry.inputs for entry in document.read(path).steps if entry.step == name]
    takes = {field.name for field in dataclasses.fields(inputs)}
    bound = {key for one in given for key, value in one.items() if value == STATE and key in takes}
    assert bound == task.state_folders(inputs)


@pytest.mark.parametrize("name", STEPS)
def test_only_files_of_the_repository_are_packed(name: str) -> None:
    inputs: Any = catalogue.step(name).inputs
    hints = get_type_hints(inputs)
    paths = {key for key, kind in hints.items() if kind is Path or Path in get_args(kind)}
    assert paths - task.state_folders(inputs) <= PACKED
