"""An environment, opened: settings, state, store and the world that the engine runs in."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cbctl.config.load import FILE, VARIABLE, environment, find_config, load, nearest_config
from cbctl.config.types import Environment, Reference, Secret, Settings
from cbctl.engine.event import Sink
from cbctl.engine.store import Store
from cbctl.engine.world import Stop, World
from cbctl.errors import CbctlError, Exit
from cbctl.local.state import LOCAL, State, is_there
from cbctl.machine import SystemClock, SystemRandom, Threads
from cbctl.secrets.keys import LocalKeys
from cbctl.secrets.reveal import Revealer
from cbctl.secrets.scrub import Scrubber
from cbctl.wiring import stores
from cbctl.wiring.clusters import environment_of, is_cluster

NO_PLATFORM = "default"  # names the state of clusters where there is no cbctl.yaml


@dataclass(frozen=True)
class Workplace:
    """An environment, opened: what every command on it works with."""

    settings: Settings
    env: Environment
    state: State
    keys: LocalKeys
    values: Revealer
    world: World
    say: Callable[[str], None]

    @property
    def store(self) -> Store:
        return self.world.store


def settings(config: str | None) -> Settings:
    return load(find_config(Path.cwd(), config))


def settings_for(config: str | None, given: str | None) -> Settings:
    """The same for an environment or a cluster alone, which needs no file: what stands in one is
    used where there is one."""
    named = config or os.environ.get(VARIABLE)
    if not is_cluster(given or os.environ.get("CBCTL_ENV") or "") or named:
        return settings(config)
    here = Path.cwd()
    found = nearest_config(here)
    if found is not None:
        return load(found)
    return Settings(version=1, platform=NO_PLATFORM, environments={}, path=here / FILE)


def name_of(settings: Settings, given: str | None) -> str:
    """The environment a command is meant for: ENV, else $CBCTL_ENV, else an error that lists."""
    name = given or os.environ.get("CBCTL_ENV")
    if name:
        return name
    names = ", ".join(settings.environments)
    raise CbctlError(
        "which environment?", exit=Exit.USAGE, fix=f"name one of {names} (or set CBCTL_ENV)"
    )


def local_name(config: str | None, given: str | None) -> str:
    """The environment that `cbctl local` is meant for: as above, but without a name it is `local`,
    or the only one that runs on this machine."""
    everything = settings(config)
    here = [env.name for env in everything.environments.values() if env.is_local]
    default = LOCAL if LOCAL in here else here[0] if len(here) == 1 else None
    return name_of(everything, given or os.environ.get("CBCTL_ENV") or default)


def protected_name(config: str | None, given: str | None) -> str:
    """The same for the way back, which is in a hurry: without a name it is the only protected
    one."""
    everything = settings(config)
    protected = [env.name for env in everything.environments.values() if env.protected]
    default = protected[0] if len(protected) == 1 else None
    return name_of(everything, given or os.environ.get("CBCTL_ENV") or default)


def existing_workplace(
    config: str | None, given: str | None, *, chain: bool = False
) -> Workplace | None:
    """Like `open_workplace`; None where nothing was ever set up on this machine."""
    everything = settings_for(config, given)
    env = _environment(everything, given)
    if env.is_local and not is_there(env.platform, env.name):
        return None
    return open_workplace(config, given, create=chain, chain=chain)


def environment_named(config: str | None, given: str | None) -> Environment:
    """The settings of an environment, looked at and not opened."""
    return _environment(settings(config), given)


def _environment(settings: Settings, given: str | None) -> Environment:
    name = name_of(settings, given)
    return environment_of(settings, name) if is_cluster(name) else environment(settings, name)


def open_workplace(
    config: str | None,
    given: str | None,
    sink: Sink = lambda event: None,
    *,
    say: Callable[[str], None] = lambda text: None,
    create: bool = False,
    chain: bool = False,
) -> Workplace:
    """
    given   name of an environment, or of a cluster alone (see `clusters`)
    sink    takes the events of runs
    say     tells a person something beside them; called in signal handlers too
    create  make the local state folder if there is none (only commands that change)
    chain   the command works on the chain, cluster or database alone, which may be anywhere
    """
    everything = settings_for(config, given)
    env = _environment(everything, given)
    # a folder of something that is elsewhere holds what commands on its chain left
    shared = stores.is_shared(env)
    if not (env.is_local or chain or shared or is_there(env.platform, env.name)):
        raise CbctlError(
            "this environment is neither on this machine nor in Kubernetes (clusters.main)",
            exit=Exit.REFUSED,
            where=env.name,
        )
    # what others have written is read from any machine, also where nothing was ever done
    state = State.open(env.platform, env.name, create=create or shared)
    scrubber = Scrubber(state.path)
    for url in env.chain.rpc:
        if isinstance(url, str):  # a URL on the command line has its key in it
            scrubber.remember(Secret(url))
    keys = LocalKeys(state.path)
    values = Revealer(env, state_folder=state.path, keys=keys)

    def reveal(reference: Reference) -> Secret:
        found = values.find(reference)
        return scrubber.remember(found) if found else Secret("")

    store, identify = stores.opened(env, state.path)
    world = World(
        store=store,
        clock=SystemClock(),
        random=SystemRandom(),
        executor=Threads(),
        sink=sink,
        identify=identify,
        reveal=reveal,
        scrub=scrubber.scrub,
        stop=Stop(),
    )
    return Workplace(everything, env, state, keys, values, world, say)
