"""What is made of rendered manifests before they are applied."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from cbctl.clients.kubernetes import packed, references, scale, sides
from cbctl.errors import CbctlError

Object = dict[str, Any]


def deployment(**spec: Any) -> Object:
    labels = {"app": "api", "part-of": "toys"}
    container = {"name": "api", "image": "api@sha256:0"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "api"},
        "spec": {
            "selector": {"matchLabels": {"app": "api"}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            **spec,
        },
    }


def service(name: str, **selector: str) -> Object:
    spec = {"selector": selector} if selector else {"externalName": "elsewhere.example"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def scaler(least: int | None, most: int) -> Object:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"}
    bounds = {"maxReplicas": most} | ({} if least is None else {"minReplicas": least})
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "api"},
        "spec": {"scaleTargetRef": target, **bounds},
    }


@pytest.mark.parametrize(
    ("thing", "count", "spec"),
    [
        (scaler(3, 10), 5, {"minReplicas": 5, "maxReplicas": 10}),
        (scaler(3, 4), 5, {"minReplicas": 5, "maxReplicas": 5}),
        (scaler(None, 4), 2, {"minReplicas": 2, "maxReplicas": 4}),
        (deployment(replicas=2), 7, {"replicas": 7}),
        (deployment(), 7, {"replicas": 7}),
    ],
)
def test_a_number_is_set_and_taken_back_without_a_trace(
    thing: Object, count: int, spec: Object
) -> None:
    before = copy.deepcopy(thing)
    changed = scale.scaled(thing, count)
    assert changed["spec"].items() >= spec.items()
    assert scale.override(changed) == count
    again = scale.scaled(changed, count + 1)
    assert scale.reset(again)["spec"] == before["spec"], "the first number is not what is kept"
    assert scale.override(scale.reset(again)) is None
    assert thing == before


def test_a_rollout_keeps_the_number_and_learns_what_the_manifests_say_now() -> None:
    live = scale.scaled(scaler(3, 10), 5)
    kept = scale.kept([scaler(2, 4), deployment()], live, "api")
    assert (kept[0]["spec"]["minReplicas"], kept[0]["spec"]["maxReplicas"]) == (5, 5)
    assert scale.reset(kept[0])["spec"] == scaler(2, 4)["spec"]
    assert kept[1] == deployment()


def test_a_side_takes_the_services_and_the_autoscaler_with_it() -> None:
    objects = [
        service("api", app="api"),
        service("other", app="other"),
        service("outside"),
        scaler(1, 2),
        deployment(),
    ]
    blue, green = (sides.on(objects, "api", side) for side in (sides.BLUE, sides.GREEN))
    assert [one["metadata"]["name"] for one in green] == [
        *("api", "other", "outside", "api"),
        "api-green",
    ]
    assert green[0]["spec"]["selector"] == {"app": "api", sides.SIDE: "green"}
    assert green[1:3] == objects[1:3]
    assert green[3]["spec"]["scaleTargetRef"]["name"] == "api-green"
    assert green[4]["spec"]["template"]["metadata"]["labels"][sides.SIDE] == "green"
    assert green[4]["spec"]["selector"]["matchLabels"] == {"app": "api", sides.SIDE: "green"}
    assert blue[4]["spec"]["selector"] == objects[4]["spec"]["selector"], "it can never change"
    assert sides.switched(green, "api-green") == {
        ("Service", "api"),
        ("HorizontalPodAutoscaler", "api"),
    }


def test_what_the_left_side_uses_is_not_removed() -> None:
    left = deployment()
    source = {"configMapRef": {"name": "settings-1"}}
    left["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [source]
    maps = [{"kind": "ConfigMap", "metadata": {"name": f"settings-{n}"}} for n in (1, 2)]
    assert sides.kept([left, *maps], left) == [maps[1]]
    assert sides.kept([left, *maps], None) == [left, *maps]


def test_all_that_pods_take_from_secrets() -> None:
    by_key = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "one", "key": "a"}}}
    plain = {"name": "B", "value": "b"}
    container = {
        "name": "api",
        "env": [by_key, plain],
        "envFrom": [{"secretRef": {"name": "two"}}, {"configMapRef": {"name": "map"}}],
    }
    first = {"name": "first", "env": [{"name": "C", "valueFrom": {"secretKeyRef": {"name": "x"}}}]}
    projected = {"sources": [{"secret": {"name": "four"}}, {"configMap": {"name": "other"}}]}
    template = {
        "spec": {
            "containers": [container],
            "initContainers": [first],
            "volumes": [
                {"name": "a", "secret": {"secretName": "three"}},
                {"name": "b", "projected": projected},
                {"name": "c", "emptyDir": {}},
            ],
        }
    }
    assert references.secrets(template) == {"one", "two", "three", "four", "x"}
    assert references.config_maps(template) == {"map", "other"}


def test_packed_manifests_are_the_same_again() -> None:
    objects = [deployment(), service("api", app="api")]
    text = packed.packed(objects)
    assert packed.unpacked(text) == objects
    assert packed.packed(packed.unpacked(text)) == text
    for broken in ("", "no base64!", text[:40], text[:-9]):
        with pytest.raises(CbctlError, match="cannot be read"):
            packed.unpacked(broken)
