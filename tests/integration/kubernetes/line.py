"""The operator's connection to the cluster, which somebody cuts."""

from __future__ import annotations

import json
import socket
from contextlib import suppress

from tests.integration.kubernetes.shop import Shop
from tests.testbed.kubenode.network import Relay


class Line:
    def __init__(self, shop: Shop) -> None:
        known = json.loads(shop.kubeconfig.read_text())
        cluster = known["clusters"][0]["cluster"]
        host, _, port = cluster["server"].removeprefix("https://").partition(":")
        self._target = (host, int(port))
        self._ends: list[socket.socket] = []
        self._whole = True
        self._relay = Relay(socket.create_server(("127.0.0.1", 0)), self._dial)
        cluster["server"] = f"https://127.0.0.1:{self._relay.port}"
        made = shop.folder / "line.kubeconfig"
        made.touch(mode=0o600)
        made.write_text(json.dumps(known))
        shop.variables["KUBECONFIG"] = str(made)

    def cut(self) -> None:
        self._whole = False
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._ends.clear()

    def mend(self) -> None:
        self._whole = True

    def _dial(self) -> socket.socket:
        if not self._whole:
            raise OSError("cut")
        made = socket.create_connection(self._target)
        self._ends.append(made)
        return made
