from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import yaml

from cbctl.config.load import load
from cbctl.config.read import fields_of
from cbctl.config.schema import schema
from cbctl.config.settings import FILLED_IN, Settings
from cbctl.config.show import canonical, show

Write = Callable[[str], Path]
ROOT = Path(__file__).parents[3]


def test_canonical_is_json_with_references_as_text(sample: str, write: Write) -> None:
    data = canonical(load(write(sample)).environments["production"])
    assert json.loads(json.dumps(data)) == data
    assert data["program"]["elf"] == "build/lottery.so"
    assert data["program"]["wallet"] == "${file:~/wallet.json}"
    assert data["chain"]["rpc"] == ["${env:RPC}"]
    assert data["chain"]["genesis_hash"] is None
    assert data["name"] == "production"
    assert "folder" not in data


def test_keys_in_urls_are_hidden_but_a_change_is_seen(sample: str, write: Write) -> None:
    def rpc(url: str) -> str:
        text = sample.replace('"${env:RPC}"', f'"{url}"')
        data = canonical(load(write(text)).environments["production"])
        assert "canary" not in str(data)
        found: str = data["chain"]["rpc"][0]
        return found

    assert rpc("https://api.example.com") == "https://api.example.com"
    one, two = rpc("https://api.example.com/canary1"), rpc("https://api.example.com/canary2")
    assert one.startswith("https://api.example.com/… (")
    assert one != two


def test_the_same_wherever_the_file_lies(sample: str, tmp_path: Path) -> None:
    seen = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "cbctl.yaml").write_text(sample)
        seen.append(canonical(load(folder / "cbctl.yaml").environments["local"]))
    assert seen[0] == seen[1]


def test_show_leaves_out_what_is_not_set(sample: str, write: Write) -> None:
    data = show(load(write(sample)).environments["local"])
    assert "genesis_hash" not in data["chain"]
    assert "clusters" not in data
    assert data["protected"] is False


def test_schema_describes_every_setting() -> None:
    found = schema()
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(found)) == found
    assert found["additionalProperties"] is False

    def visit(cls: type[msgspec.Struct], entry: dict[str, Any]) -> None:
        hidden = FILLED_IN.get(cls, frozenset())
        names = {field.encode_name for field in fields_of(cls) if field.name not in hidden}
        extra = {"defaults"} if cls is Settings else set()
        assert set(entry["properties"]) == names | extra

    visit(Settings, found)
    from cbctl.config import kubernetes, settings

    sections = set(found["$defs"]) - {"Reference", "Argument"}
    assert sections >= {"Environment", "Chain", "Program", "Api", "Webhook", "Policy"}
    for name in sections:
        visit({**vars(kubernetes), **vars(settings)}[name], found["$defs"][name])


def holds(found: dict[str, Any], rule: dict[str, Any], value: Any) -> bool:
    """As much of JSON Schema as ours uses."""
    import re

    if "$ref" in rule:
        rule = {**found["$defs"][rule["$ref"].rpartition("/")[2]], **rule}
    if "anyOf" in rule and not any(holds(found, one, value) for one in rule["anyOf"]):
        return False
    if "enum" in rule and value not in rule["enum"]:
        return False
    types = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
    if "type" in rule:
        kinds = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
        fits = [
            value is None
            if kind == "null"
            else isinstance(value, types[kind])
            and (kind == "boolean" or not isinstance(value, bool))
            for kind in kinds
        ]
        if not any(fits):
            return False
    if isinstance(value, str):
        return re.search(rule.get("pattern", ""), value) is not None
    if isinstance(value, list):
        return all(holds(found, rule.get("items", {}), item) for item in value)
    if isinstance(value, dict):
        properties = rule.get("properties", {})
        extra = rule.get("additionalProperties", {})
        return all(name in value for name in rule.get("required", [])) and all(
            holds(found, properties[name], item)
            if name in properties
            else extra is not False and holds(found, extra, item)
            for name, item in value.items()
        )
    return True


def test_the_shipped_file_and_the_sample_fit_the_schema(sample: str) -> None:
    found = schema()

    class Text(yaml.SafeLoader):
        """Without YAML 1.1's reading of `on`."""

    Text.yaml_implicit_resolvers = {
        key: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:bool" or key in "tf"]
        for key, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for text in ((ROOT / "cbctl.yaml").read_text(), sample):
        data = yaml.load(text, Loader=Text)
        assert holds(found, found, data)
        data["environments"]["local"]["chain"]["port"] = "x"
        assert not holds(found, found, data)
        data["environments"]["local"]["chain"]["port"] = 1
        data["environments"]["local"]["chain"]["prot"] = 1
        assert not holds(found, found, data)
