"""Who keeps a Secret, what an ExternalSecret brings, and when it should have looked again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cbctl.clients.kubernetes.secrets import OPERATOR, Asked, _asked, owner_of

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def secret(**metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "shop", **metadata}, "data": {}}


def written_by(manager: str) -> list[dict[str, Any]]:
    return [{"manager": manager, "fieldsV1": {"f:data": {}}}]


@pytest.mark.parametrize(
    ("metadata", "owner"),
    [
        ({"ownerReferences": [{"kind": "ExternalSecret"}]}, OPERATOR),
        # creationPolicy Merge and Orphan make no owner
        ({"labels": {"reconcile.external-secrets.io/managed": "true"}}, OPERATOR),
        ({"managedFields": written_by("externalsecrets.external-secrets.io/shop")}, OPERATOR),
        ({"labels": {"app.kubernetes.io/managed-by": "cbctl"}}, "cbctl"),
        ({"managedFields": written_by("kubectl-create")}, "kubectl-create"),
        ({}, ""),
    ],
)
def test_who_keeps_it(metadata: dict[str, Any], owner: str) -> None:
    assert owner_of(secret(**metadata)) == owner


def asked(**spec: Any) -> Asked:
    before = (NOW - timedelta(hours=3)).isoformat()
    return _asked(
        {
            "metadata": {"name": "shop"},
            "spec": {"data": [{"secretKey": "one"}], **spec},
            "status": {"refreshTime": before, "conditions": [{"type": "Ready", "status": "True"}]},
        }
    )


def test_what_it_brings() -> None:
    assert asked().keys == ("one",)
    assert asked(dataFrom=[{}]).keys is None
    assert asked(target={"template": {"data": {"url": "{{ .one }}"}}}).keys is None


@pytest.mark.parametrize(
    ("spec", "stale"),
    [
        ({}, True),  # an hour, unless it says otherwise
        ({"refreshInterval": "2h"}, False),
        ({"refreshInterval": "1h29m"}, True),
        ({"refreshInterval": "0"}, False),
        ({"refreshPolicy": "CreatedOnce"}, False),
        ({"refreshPolicy": "OnChange"}, False),
        ({"refreshPolicy": "Periodic"}, True),
    ],
)
def test_when_it_should_have_looked_again(spec: dict[str, str], stale: bool) -> None:
    assert asked(**spec).stale(NOW) is stale
