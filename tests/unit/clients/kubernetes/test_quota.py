"""What pods count with, against what Kubernetes' own documentation says."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cbctl.clients.kubernetes.quota import lacking, of_pod, quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", "0.5"),
        ("0.5", "0.5"),
        ("128974848", "128974848"),
        ("129e6", "129000000"),
        ("129M", "129000000"),
        ("128974848000m", "128974848"),
        ("123Mi", "128974848"),
        ("2Gi", "2147483648"),
        ("1E", "1e18"),
        (3, "3"),
    ],
)
def test_quantities(text: str | int, value: str) -> None:
    assert quantity(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "1 Gi", "1KiB", "Gi", "1x", "--1"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        quantity(text)


def needs(cpu: str) -> dict[str, object]:
    return {"resources": {"requests": {"cpu": cpu}}}


def test_a_pod_counts_with_the_most_that_runs_at_once() -> None:
    stays = {**needs("100m"), "restartPolicy": "Always"}
    both = {"containers": [needs("200m"), needs("300m")]}
    assert of_pod(both)["requests.cpu"] == Decimal("0.5")
    assert of_pod(both | {"initContainers": [needs("1")]})["requests.cpu"] == 1
    assert of_pod(both | {"initContainers": [stays]})["requests.cpu"] == Decimal("0.6")


def test_what_is_limited_and_not_requested() -> None:
    pod = of_pod({"containers": [{"resources": {"limits": {"memory": "64Mi"}}}]})
    assert pod["requests.memory"] == pod["limits.memory"] == 64 * 1024 * 1024


def test_the_short_names() -> None:
    quota = {
        "metadata": {"name": "q"},
        "spec": {},
        "status": {"hard": {"cpu": "1", "memory": "1Gi"}, "used": {"cpu": "900m", "memory": "0"}},
    }
    (said,) = lacking([quota], of_pod({"containers": [needs("200m")]}))
    assert said == "quota q: cpu: 900m of 1 used, 0.2 more needed"
    scoped = quota | {"spec": {"scopes": ["BestEffort"]}}
    assert not list(lacking([scoped], of_pod({"containers": [needs("200m")]})))
