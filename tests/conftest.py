"""How the tests are shared out between the processes of `make test`."""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

_KUBERNETES = "tests/integration/kubernetes/"


class _ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """A file's tests stay together, for what they share; all that need the one node, too."""

    def _split_scope(self, nodeid: str) -> str:
        return _KUBERNETES if nodeid.startswith(_KUBERNETES) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _ByFile:
    return _ByFile(config, log)
