"""The cbctl.yaml of this repository: the facts it must carry, whatever else changes."""

from __future__ import annotations

import random
import re
import traceback
from pathlib import Path

import pytest

from cbctl.config.load import environment, load
from cbctl.config.reference import Reference
from cbctl.config.rules import leaves
from cbctl.config.settings import Argument, Environment, Settings
from cbctl.config.show import canonical, show
from cbctl.config.validate import validate
from cbctl.errors import CbctlError, Exit
from cbctl.secrets.env_file import parse

ROOT = Path(__file__).parents[3]
FILE = ROOT / "cbctl.yaml"
NAMES = ("local", "development", "staging", "production")


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load(FILE)


def test_all_environments_load(settings: Settings) -> None:
    assert tuple(settings.environments) == NAMES
    assert settings.folder == ROOT


@pytest.mark.parametrize("name", NAMES)
def test_files_exist_and_arguments_are_complete_by_the_idl(name: str) -> None:
    assert [str(problem) for problem in validate(FILE, name)] == []


@pytest.mark.parametrize("name", NAMES)
def test_shown_and_hashed_without_this_machine(settings: Settings, name: str) -> None:
    env = environment(settings, name)
    assert str(ROOT) not in str(canonical(env)) + str(show(env))


def test_figures(settings: Settings) -> None:
    envs = settings.environments
    assert [env.protected for env in envs.values()] == [False, False, False, True]
    assert [env.chain.cluster for env in envs.values()] == [
        "local",
        "devnet",
        "devnet",
        "mainnet-beta",
    ]
    namespaces = [[c.namespace for c in env.clusters.values()] for env in envs.values()]
    assert namespaces == [[], ["crypto-bet-development"], ["crypto-bet-staging"], ["crypto-bet"]]
    # Staging and production share a cluster, development does not.
    contexts = [env.clusters["main"].context for name, env in envs.items() if name != "local"]
    assert contexts[1] == contexts[2] != contexts[0]
    assert {env.api.port for env in envs.values()} == {3000}
    config = first_configuration(envs["production"])
    assert (config["fee_bps"], config["dispute_window"]) == (250, 86400)
    assert config["sol"] == {"min_bet": 1_000_000, "max_bet": 1_000_000_000_000}
    local = first_configuration(envs["local"])
    assert local["dispute_window"] == 60
    assert local["min_market_duration"] == 3600


def first_configuration(env: Environment) -> dict[str, Argument]:
    assert env.program.initialize is not None
    config = env.program.initialize.arguments["config"]
    assert isinstance(config, dict)
    return config


def test_local_needs_nothing_filled_in(settings: Settings) -> None:
    for setting, value in leaves(settings.environments["local"]):
        if isinstance(value, Reference):
            assert value.kind in ("state", "key") or value.optional, setting


@pytest.mark.parametrize("name", NAMES)
def test_example_has_the_variables_that_the_environment_uses(settings: Settings, name: str) -> None:
    text = (ROOT / f".env.{name}.example").read_text()
    # In the local example all of them are commented out.
    set_there = parse(re.sub(r"^#(?=[A-Z_]+=)", "", text, flags=re.MULTILINE), "example")
    used = {
        value.name
        for _, value in leaves(settings.environments[name])
        if isinstance(value, Reference) and value.kind == "env"
    }
    assert set(set_there) == used
    assert not any(parse(text, "example").values()), "an example holds no value"


def mutated(text: str, random_: random.Random) -> str:
    """A file as a hurried hand leaves it: characters, lines and indents gone, moved or doubled."""
    for _ in range(random_.randint(1, 4)):
        lines = text.split("\n")
        at = random_.randrange(len(lines))
        place = random_.randrange(len(text))
        kind = random_.randrange(9)
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(at, lines[random_.randrange(len(lines))])
        elif kind == 2:
            lines[at] = " " * random_.randint(1, 5) + lines[at]
        elif kind == 3:
            lines[at] = lines[at][random_.randint(1, 5) :]
        elif kind == 4:
            lines[at] = lines[at].replace(": ", random_.choice([":", ": [", ": {", ": &a *a "]), 1)
        elif kind == 5:
            head, _, _ = lines[at].partition(":")
            values = "~ | on | 0x1f | 12:30:00 | 1e999 | -0 | .nan | [] | {} | '' | ${env: | !!set"
            lines[at] = f"{head}: {random_.choice(values.split(' | '))}"
        elif kind == 6:
            odd = "\x00\t\"'{}[]&*!%@`|>?:-#,\u2028\ufeff\U0001f600\x85é" + "a0"
            lines = [text[:place] + random_.choice(odd) + text[place + 1 :]]
        elif kind == 7:
            lines = [text[:place] + text[place + random_.randint(1, 30) :]]
        else:
            lines = [text[:place]]
        text = "\n".join(lines) or "x"
    return text


@pytest.mark.parametrize("block", range(3))
def test_300_random_mutations_give_settings_or_a_clear_error(block: int, tmp_path: Path) -> None:
    original = FILE.read_text()
    refused = 0
    for number in range(block * 100, block * 100 + 100):
        path = tmp_path / "cbctl.yaml"
        path.write_text(mutated(original, random.Random(number)), encoding="utf-8")
        try:
            load(path)
            for name in NAMES:
                if name in load(path).environments:
                    canonical(environment(load(path), name))
        except CbctlError as error:
            refused += 1
            assert error.exit is Exit.USAGE, number
            assert str(path) in str(error), number
        except Exception:
            pytest.fail(f"seed {number}: {traceback.format_exc()}")
    assert refused > 50
