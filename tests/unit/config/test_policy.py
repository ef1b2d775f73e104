"""The rules of an environment's policy, as they are written in cbctl.yaml."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cbctl.config.load import load
from cbctl.config.problem import ConfigError
from cbctl.config.types import Policy, Window

Write = Callable[[str], Path]


def written(sample: str, write: Write, policy: str) -> Policy:
    text = sample.replace(
        "    api: {on: local}\n", f"    api: {{on: local}}\n    policy: {policy}\n"
    )
    assert text != sample
    return load(write(text)).environments["local"].policy


def test_all_of_it(sample: str, write: Write) -> None:
    found = written(
        sample,
        write,
        '{windows: [{days: [mon, fri], opens: "09:00", closes: "24:00"}], time_zone: Europe/Berlin,'
        " approval: true, backup_hours: 24, digests_only: true}",
    )
    assert found.windows == (Window(days=("mon", "fri"), opens="09:00", closes="24:00"),)
    assert (found.time_zone, found.approval) == ("Europe/Berlin", True)
    assert (found.backup_hours, found.digests_only) == (24, True)


def test_without_it_nothing_is_held_back(sample: str, write: Write) -> None:
    assert load(write(sample)).environments["production"].policy == Policy()
    assert not Policy().windows and not Policy().approval and Policy().backup_hours is None


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ('{windows: [{days: [mon], opens: "17:00", closes: "09:00"}]}', ["closes", "two windows"]),
        ('{windows: [{days: [mon], opens: "09:00", closes: "09:00"}]}', ["closes", "not after"]),
        ('{windows: [{days: [], opens: "09:00", closes: "10:00"}]}', ["at least one day"]),
        ('{windows: [{days: [monday], opens: "09:00", closes: "10:00"}]}', ["one of mon, tue"]),
        ('{windows: [{days: [mon], opens: "9:00", closes: "10:00"}]}', ["a time of day"]),
        ('{windows: [{days: [mon], opens: "09:00", closes: "24:30"}]}', ["a time of day"]),
        ("{windows: [{days: [mon], opens: 12, closes: 13}]}", ["quotes"]),
        ("{time_zone: Europe/Entenhausen}", ["time_zone", "Europe/Berlin"]),
        ("{time_zone: ../../etc/passwd}", ["time_zone"]),
        ("{time_zone: Europe}", ["time_zone"]),
        ("{backup_hours: 0}", ["backup_hours"]),
        ("{approval: yes}", ["approval", "true or false"]),
        ("{aproval: true}", ["aproval", "approval"]),
    ],
)
def test_what_is_wrong_is_named(sample: str, write: Write, policy: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as wrong:
        written(sample, write, policy)
    for word in words:
        assert word in str(wrong.value) + wrong.value.fix, str(wrong.value)
