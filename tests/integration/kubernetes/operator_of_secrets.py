"""The part of External Secrets, played by its published contract (API external-secrets.io/v1).

An ExternalSecret with creationPolicy Owner makes its Secret, or takes one: it replaces the data, as
the field manager `externalsecrets.external-secrets.io/NAME`, and becomes its owner. What somebody
else keeps is a conflict by its documentation, which the condition Ready tells; its releases so far
take a Secret that has no owner. Both are played.
"""

from __future__ import annotations

import base64
import json
import threading
from datetime import UTC, datetime
from typing import Any

from tests.testbed.kubenode.cluster import Cluster

Object = dict[str, Any]
FINDS = 0.3  # seconds between two looks


class Operator:
    """
    values  by secretKey, what the store behind it has
    takes   also what another manager keeps
    """

    def __init__(
        self, cluster: Cluster, own: str, values: dict[str, str], *, takes: bool = False
    ) -> None:
        self.cluster, self.own, self.values, self.takes = cluster, own, values, takes
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Operator:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        done: dict[str, str] = {}
        while not self._over.wait(FINDS):
            for one in self.cluster.get("externalsecrets", "-n", self.own)["items"]:
                mark = json.dumps([one["metadata"].get("annotations"), one["metadata"]["uid"]])
                if done.get(one["metadata"]["name"]) != mark and self.bring(one):
                    done[one["metadata"]["name"]] = mark

    def bring(self, one: Object) -> bool:
        name = one["spec"]["target"]["name"]
        there = self.cluster.try_kubectl(
            "get", "secret", name, "-n", self.own, "-o", "json", "--show-managed-fields"
        )
        keepers = set()
        if there.returncode == 0:
            for entry in json.loads(there.stdout)["metadata"].get("managedFields") or ():
                if "f:data" in entry["fieldsV1"]:
                    keepers.add(entry["manager"])
        mine = f"externalsecrets.external-secrets.io/{one['metadata']['name']}"
        if keepers - {mine} and not self.takes:
            self._say(one, "False", f"the Secret {name} is kept by {', '.join(sorted(keepers))}")
            return False
        keys = [part["secretKey"] for part in one["spec"]["data"]]
        if missing := [key for key in keys if key not in self.values]:
            self._say(one, "False", f"could not get secret data from provider: {missing[0]}")
            return False
        owner = {
            "apiVersion": one["apiVersion"],
            "kind": one["kind"],
            "name": one["metadata"]["name"],
            "uid": one["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "ownerReferences": [owner]},
            "data": {key: base64.b64encode(self.values[key].encode()).decode() for key in keys},
        }
        verb = "replace" if there.returncode == 0 else "create"
        words = [verb, f"--field-manager={mine}", "-n", self.own, "-f", "-"]
        self.cluster.kubectl(*words, stdin=json.dumps(secret))
        self._say(one, "True", "secret synced")
        return True

    def _say(self, one: Object, ready: str, message: str) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        condition = {"type": "Ready", "status": ready, "message": message}
        status = {"conditions": [condition]} | ({"refreshTime": now} if ready == "True" else {})
        words = ["patch", "externalsecret", one["metadata"]["name"], "-n", self.own]
        words += [
            "--subresource=status",
            "--type=merge",
            f"--patch={json.dumps({'status': status})}",
        ]
        self.cluster.try_kubectl(*words)
