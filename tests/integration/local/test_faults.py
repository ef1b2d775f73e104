"""Whatever is killed, and whenever: the next `ensure` ends with exactly one of each service."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from cbctl.local import processes
from cbctl.local.files import read_json
from cbctl.local.ports import Ports
from cbctl.local.services import Services
from cbctl.local.spec import ServiceSpec

Web = Callable[..., ServiceSpec]


@pytest.mark.parametrize(
    ("seed", "rounds"), [(1, 3), pytest.param(2, 30, marks=pytest.mark.nightly)]
)
def test_kills_orders_and_losses_in_any_order(
    services: Services, web: Web, seed: int, rounds: int
) -> None:
    chance = random.Random(seed)
    names = ("one", "two", "three")
    specs = {}
    for name in names:
        options = ("fork",) if name == "three" else ()
        specs[name] = replace(web(*options, port=Ports(services.state).reserve(name)), name=name)

    def kill(process: processes.Identity | None) -> None:
        if process is not None and processes.alive(process):
            os.kill(process.pid, signal.SIGKILL)

    def kill_supervisor(name: str) -> None:
        answer = read_json(services.state.path / "supervisor.json") or {}
        kill(processes.Identity.of_json(answer.get("process")))

    def kill_service(name: str) -> None:
        part = services.part(name)
        if part is not None and part.pid is not None:
            kill(processes.identify(part.pid))

    def lose_record(name: str) -> None:
        (services.state.path / "records" / f"{name}.json").unlink(missing_ok=True)

    def change(name: str) -> None:
        specs[name] = replace(specs[name], environment={"N": str(chance.random())})

    def ensure(name: str) -> None:
        services.ensure(specs[name])

    def ensure_all(name: str) -> None:
        failures: list[BaseException] = []

        def one(name: str) -> None:
            try:
                ensure(name)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=one, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []

    actions = (kill_supervisor, kill_service, lose_record, change, ensure, ensure_all)
    for _ in range(rounds):
        for action in chance.choices([*actions, services.stop], k=chance.randint(1, 4)):
            action(chance.choice(names))
        ensure_all("")
        for name in names:
            marked = processes.marked(services.state.marker(name))
            leaders = [found for found, _ in marked if processes.leads_session(found)]
            part = services.part(name)
            assert part is not None
            assert [leader.pid for leader in leaders] == [part.pid]
            assert part.spec_hash == specs[name].sealed(services.state).hash
