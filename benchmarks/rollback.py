"""The way back in an emergency: from Enter to the first healthy answer, and until all are.

    PYTHONPATH=. python benchmarks/rollback.py [ROUNDS]

Needs what the tests on Kubernetes need (root, Debian packages, Go). A real cluster of one node, 4
pods that need 3 s to start; a bad version is rolled out, then one of these leads back, in turn,
while somebody asks the Service every 10 ms:

* `cbctl rollback --emergency` of a whole platform, rolling, and blue-green with the old side kept;
* the script that people write, its revision put right (the last line of `kubectl rollout history`
  is what runs, the one before is what ran before): undo, status, a question at the health address.

At the end: a deploy that has nothing to do.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.integration.kubernetes.conftest import running_parts
from tests.integration.kubernetes.shop import Parts, Shop
from tests.integration.kubernetes.support import namespace
from tests.testbed.kubenode import binary
from tests.testbed.kubenode import cluster as kubenode

PODS = 4
START_SECONDS = 3
ASK = """
import http.client, os, sys, time
address, stop, last = sys.argv[1], sys.argv[2], ""
while not os.path.exists(stop):
    try:
        asked = http.client.HTTPConnection(address, 80, timeout=2)
        asked.request("GET", "/")
        said = asked.getresponse().read().decode().split()[0]
        asked.close()
    except Exception as error:
        said = "error"
    print(f"{time.monotonic()} {said}", flush=True)
    time.sleep(0.01)
"""
SCRIPT = """
set -e
history=$(kubectl rollout history deployment/app -n NAMESPACE | grep -E '^[0-9]')
previous=$(echo "$history" | tail -2 | head -1 | awk '{print $1}')
kubectl rollout undo deployment/app -n NAMESPACE --to-revision=$previous
kubectl rollout status deployment/app -n NAMESPACE
kubectl get --raw /api/v1/namespaces/NAMESPACE/services/app:80/proxy/health
"""


@dataclass
class Figures:
    """Seconds: to the first good answer, to the last bad one, to the exit; inside the engine."""

    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    exit: list[float] = field(default_factory=list)
    engine: list[float] = field(default_factory=list)

    def row(self, name: str) -> str:
        def median(values: list[float]) -> str:
            return f"{statistics.median(values):8.2f}" if values else "        "

        told = "".join(map(median, (self.first, self.whole, self.exit, self.engine)))
        spread = f"{min(self.first):.2f} to {max(self.first):.2f}"
        return f"{name:<44}{told}   first: {spread}"


@contextmanager
def asked(shop: Shop) -> Iterator[list[tuple[float, str]]]:
    """What the Service answered, and when."""
    node = shop.cluster.node
    address = shop.get("service", "app")["spec"]["clusterIP"]
    stop, name = shop.folder / "stop", f"ask-{time.monotonic_ns()}"
    script, log = shop.folder / "ask.py", node.folder / "logs" / f"{name}.log"
    script.write_text(ASK)
    stop.unlink(missing_ok=True)
    node.start(name, "python3", str(script), address, str(stop))
    answers: list[tuple[float, str]] = []
    try:
        while not (log.exists() and log.read_text()):
            time.sleep(0.05)
        yield answers
        time.sleep(1)
    finally:
        stop.touch()
        node.wait(name, 30)
    for line in log.read_text().splitlines():
        at, said = line.split()
        answers.append((float(at), said))


def version(shop: Shop, name: str) -> None:
    values = {"VERSION": name, "START_SECONDS": str(START_SECONDS), "DRAIN_SECONDS": "1"}
    shop.overlay.app["env"] = [{"name": k, "value": v} for k, v in values.items()]
    shop.overlay.deployment["spec"]["replicas"] = PODS
    shop.overlay.write()


def deployed(shop: Shop, name: str) -> None:
    version(shop, name)
    shop.deploy()


def applied(shop: Shop, name: str) -> None:
    """As those do who have the script."""
    shop.overlay.app["image"] = shop.image
    version(shop, name)
    shop.kubectl("apply", "-k", str(shop.overlay.folder))
    shop.kubectl("rollout", "status", "deployment/app")


Events = list[dict[str, Any]]


def measured(shop: Shop, figures: Figures, back: Callable[[Shop], Events]) -> None:
    with asked(shop) as answers:
        began = time.monotonic()
        events = back(shop)
        ended = time.monotonic()
    after = [(at, said) for at, said in answers if at > began]
    figures.first.append(next(at for at, said in after if said == "good") - began)
    figures.whole.append(max((at for at, said in after if said != "good"), default=began) - began)
    figures.exit.append(ended - began)
    if events:
        at = {one["type"]: datetime.fromisoformat(one["at"]) for one in events}
        figures.engine.append((at["run.ended"] - at["run.started"]).total_seconds())


def emergency(shop: Shop) -> Events:
    line = f"rollback --emergency --confirm {shop.env} --events ndjson"
    done = shop.process(line)
    assert done.returncode == 0, done.stderr
    return [json.loads(event) for event in done.stdout.splitlines()]


def script(shop: Shop) -> Events:
    text = SCRIPT.replace("NAMESPACE", shop.own)
    path = f"{binary.kubectl().parent}:/usr/bin:/bin"
    environ = {"PATH": path, "HOME": str(shop.folder), "KUBECONFIG": str(shop.cluster.kubeconfig)}
    subprocess.run(["sh", "-c", text], env=environ, check=True, capture_output=True)
    return []


@contextmanager
def platform(parts: Parts, folder: Path, strategy: str) -> Iterator[Shop]:
    cluster = kubenode.running()
    folder.mkdir()
    with namespace(cluster, strategy) as own:
        shop = Shop(folder, cluster, own)
        shop.kubernetes["strategy"] = strategy
        shop.prepare(parts)
        shop.soak["seconds"] = 1
        parts.redis.send("FLUSHALL")
        shop.record()
        yield shop


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    rolling, blue_green, by_script = Figures(), Figures(), Figures()
    nothing: list[float] = []
    with tempfile.TemporaryDirectory() as folder, running_parts(Path(folder)) as parts:
        with (
            platform(parts, Path(folder) / "rolling", "rolling") as shop,
            namespace(shop.cluster, "script") as own,
        ):
            (Path(folder) / "script").mkdir()
            other = Shop(Path(folder) / "script", shop.cluster, own)
            for number in range(rounds):
                deployed(shop, "good")
                deployed(shop, f"bad-{number}")
                measured(shop, rolling, emergency)
                shop.run("unfreeze --reason measured")
                applied(other, "good")
                applied(other, f"bad-{number}")
                measured(other, by_script, script)
                print(rolling.row("rolling"), by_script.row("script"), sep="\n", flush=True)
            deployed(shop, "good")
            for _ in range(rounds):
                began = time.monotonic()
                assert shop.deploy()["result"] == "unchanged"
                nothing.append(time.monotonic() - began)
        with platform(parts, Path(folder) / "blue-green", "blue-green") as shop:
            for number in range(rounds):
                deployed(shop, "good")
                deployed(shop, f"bad-{number}")
                measured(shop, blue_green, emergency)
                shop.run("unfreeze --reason measured")
    print(f"{'seconds, medians':<44}{'first':>8}{'all':>8}{'exit':>8}{'engine':>8}")
    print(rolling.row("cbctl rollback --emergency, rolling"))
    print(by_script.row("kubectl rollout undo, status, health"))
    print(blue_green.row("cbctl rollback --emergency, blue-green"))
    print(f"a deploy with nothing to do: {statistics.median(nothing):.2f} ({max(nothing):.2f})")


if __name__ == "__main__":
    main()
