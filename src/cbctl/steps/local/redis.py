"""local.redis: a cache on this machine, our own or a given one."""

from __future__ import annotations

from pathlib import Path

from cbctl.clients import redis as client
from cbctl.engine.step import Context
from cbctl.local import redis
from cbctl.local.binaries import Binary
from cbctl.local.spec import ServiceSpec
from cbctl.local.state import State
from cbctl.steps.local import _server

Inputs = _server.Inputs


class LocalRedis(_server.ServerStep[Inputs]):
    inputs = Inputs
    summary = "Run Redis on this machine"
    name, secret, noun = redis.NAME, redis.URL, "cache"
    at_most = _server.at_most(name, noun)

    def _shown(self, url: str, where: str) -> str:
        return client.parse(url, where=where).shown

    def _ping(self, url: str) -> str:
        return client.ping(url)

    def _choose(self, state: State) -> Binary:
        return redis.choose(state)

    def _data(self, state: State) -> Path:
        return redis.data_folder(state)

    def _has_data(self, state: State) -> bool:
        return redis.has_data(state)

    def _own_url(self, inputs: Inputs, state: State, port: int) -> str | None:
        password = state.read_secret(redis.PASSWORD)
        return None if password is None else redis.own_url(state, password, port)

    def _spec(self, inputs: Inputs, state: State, binary: Binary, port: int) -> ServiceSpec:
        return redis.spec(state, binary, port=port)

    def _make(self, ctx: Context, inputs: Inputs, state: State) -> ServiceSpec:
        return redis.service(state, port=inputs.port, release=ctx.run)


STEP = LocalRedis()
