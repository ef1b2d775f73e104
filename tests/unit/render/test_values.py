from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from tests.unit.render.support import CONTROL, NASTY

from cbctl.render.values import table, text

DATA: dict[str, Any] = {
    "environment": "local",
    "healthy": True,
    "releases": [
        {"id": 12, "state": "healthy", "note": None},
        {"id": 7, "state": "bad", "note": "日本"},
    ],
    "chain": {"slot": 5, "host": ""},
    "none": [],
}


def test_text() -> None:
    assert text(DATA, "text") == (
        "environment:  local\n"
        "healthy:      true\n"
        "releases:\n"
        "  ID  STATE    NOTE\n"
        "  12  healthy  -\n"
        "   7  bad      日本\n"
        "chain:\n"
        "  slot:  5\n"
        "  host:  -\n"
        "none:         -\n"
    )


def test_a_table_with_chosen_columns() -> None:
    assert table([{"b": "x", "a": 1}, {"b": "yy"}], ["a", "b"]) == ["A  B", "1  x", "-  yy"]
    assert table([]) == []


@pytest.mark.parametrize("data", [DATA, [], {}, None, "x", [1, 2], [DATA, DATA], NASTY, [[1], [2]]])
def test_json_and_yaml_say_the_same(data: Any) -> None:
    assert json.loads(text(data, "json")) == data
    assert yaml.safe_load(text(data, "yaml")) == data
    assert text(data, "text").endswith("\n")


def test_json_is_indented_keeps_its_order_and_is_ascii() -> None:
    assert text({"b": 1, "a": "é"}, "json") == '{\n  "b": 1,\n  "a": "\\u00e9"\n}\n'


def test_no_control_byte_in_any_format() -> None:
    for format in ("text", "json", "yaml"):
        assert not CONTROL.search(text({NASTY: [NASTY, {NASTY: NASTY}]}, format))


def test_yaml_keeps_the_order() -> None:
    assert text(DATA, "yaml").startswith("environment: local\nhealthy: true\n")
