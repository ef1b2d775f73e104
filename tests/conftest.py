"""How the tests are shared out between processes."""

from __future__ import annotations

from pathlib import Path

import pytest

_KUBERNETES = Path(__file__).parent / "integration" / "kubernetes"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file's tests stay together, for what they share; all that need the one node, too."""
    for item in items:
        group = "kubernetes" if _KUBERNETES in item.path.parents else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
