from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import run

import pytest

from cbctl.config.load import environment, find_config, load
from cbctl.config.reference import Reference
from cbctl.errors import CbctlError, Exit

Write = Callable[[str], Path]


def test_found_upwards(tmp_path: Path) -> None:
    (tmp_path / "cbctl.yaml").write_text("version: 1\n")
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert find_config(deep, variables={}) == tmp_path / "cbctl.yaml"
    (tmp_path / "a" / "cbctl.yaml").mkdir()  # a folder of that name is not it
    assert find_config(deep, variables={}) == tmp_path / "cbctl.yaml"


def test_named(tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "cbctl.yaml").write_text("")
    variables = {"CBCTL_CONFIG": str(other)}
    assert find_config(folder, variables=variables) == other
    assert find_config(tmp_path, "folder", variables) == folder / "cbctl.yaml"
    assert find_config(tmp_path, Path("folder/cbctl.yaml"), variables) == folder / "cbctl.yaml"


def test_not_found(tmp_path: Path) -> None:
    for explicit, variables, message in (
        (None, {}, f"no cbctl.yaml in {tmp_path} or above"),
        ("x.yaml", {}, f"--config names {tmp_path}/x.yaml, which is no file"),
        (None, {"CBCTL_CONFIG": "y"}, f"$CBCTL_CONFIG names {tmp_path}/y, which is no file"),
    ):
        with pytest.raises(CbctlError) as caught:
            find_config(tmp_path, explicit, variables)
        assert (str(caught.value), caught.value.exit) == (message, Exit.USAGE)


def test_paths_are_relative_to_the_file(sample: str, write: Write, tmp_path: Path) -> None:
    settings = load(write(sample.replace("folder: sql", "folder: /srv/sql")))
    env = settings.environments["local"]
    assert env.program.elf == tmp_path / "build" / "lottery.so"
    assert env.migrations.folder == Path("/srv/sql")
    assert (env.name, env.platform, env.folder) == ("local", "lottery", tmp_path)
    assert settings.path == tmp_path / "cbctl.yaml"


def test_home_folder(sample: str, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    text = sample.replace("folder: sql", "folder: ~/sql").replace("build/lottery.so", "~nobody_/x")
    env = load(write(text)).environments["local"]
    assert env.migrations.folder == Path("/home/somebody/sql")
    assert env.program.elf == env.folder / "~nobody_" / "x"


def test_merged_and_completed(sample: str, write: Write) -> None:
    envs = load(write(sample)).environments
    assert envs["local"].api.on == "local"
    assert envs["local"].api.port == envs["production"].api.port == 4000
    assert envs["local"].chain.rpc == ("http://127.0.0.1:9900",)
    assert envs["local"].is_local
    assert not envs["production"].is_local
    assert envs["production"].policy.undo_on_failure


def test_a_reference_knows_where_it_is_used(sample: str, write: Write) -> None:
    envs = load(write(sample)).environments
    rpc = envs["production"].chain.rpc[0]
    assert isinstance(rpc, Reference)
    assert (rpc.where, rpc.setting) == (
        "cbctl.yaml:39:13",
        "environments.production.chain.rpc.0",
    )
    inherited = envs["local"].api.environment["DATABASE_URL"]
    assert isinstance(inherited, Reference)
    assert inherited.setting == "defaults.api.environment.DATABASE_URL"


def test_an_environment_may_be_all_defaults(sample: str, write: Write) -> None:
    local = sample[sample.index("    chain:\n      on: local") : sample.index("  production:")]
    program = "    program:\n      wallet: ${key:wallet}\n"
    assert program in local
    head = sample[: sample.index("environments:")].replace(
        "    name: lottery\n", "    name: lottery\n    wallet: ${key:wallet}\n"
    )
    head = head.replace("  api:\n", "  api:\n    on: local\n")
    rest = local.replace(program, "").replace("    api: {on: local}\n", "")
    defaults = "".join(line[2:] for line in rest.splitlines(keepends=True))
    text = f"{head}{defaults}environments:\n  local:\n"
    assert load(write(text)).environments["local"].database.on == "local"


def test_anchors_and_aliases(sample: str, write: Write) -> None:
    text = sample.replace("database: {on: local}", "database: &here {on: local}")
    text = text.replace("cache: {on: local}", "cache: *here")
    assert load(write(text)).environments["local"].cache.on == "local"


@pytest.mark.parametrize(
    ("name", "hint"),
    [("prodction", "; did you mean `production`?"), ("zzz", ""), ("\x1b[2J" + "x" * 99, "")],
)
def test_unknown_environment(name: str, hint: str, sample: str, write: Write) -> None:
    settings = load(write(sample))
    with pytest.raises(CbctlError) as caught:
        environment(settings, name)
    assert caught.value.exit is Exit.USAGE
    assert caught.value.what.endswith(f"`{hint}")
    assert caught.value.fix == "name one of: local, production"
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize(
    ("needed", "fits"),
    [("0.1.0", True), ("0.1", True), ("0.0.9", True), ("0.1.1", False), ("0.2", False)],
)
def test_min_cbctl(
    needed: str, fits: bool, sample: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cbctl.config.load.__version__", "0.1.0")
    path = write(sample.replace("version: 1\n", f'version: 1\nmin_cbctl: "{needed}"\n'))
    if fits:
        assert load(path).min_cbctl == needed
    else:
        with pytest.raises(CbctlError, match=f"needs cbctl {needed} or newer") as caught:
            load(path)
        assert caught.value.exit is Exit.USAGE


def test_reading_is_cheap(sample: str, write: Write) -> None:
    """What is slow to import is not imported by a command that only reads the configuration."""
    code = (
        "import sys; from pathlib import Path; from cbctl.config.load import load;"
        "load(Path('cbctl.yaml'));"
        "print(*{'importlib.metadata','difflib','asyncio','json','dataclasses',"
        "'cbctl.config.schema','cbctl.config.idl','cbctl.secrets'} & set(sys.modules))"
    )
    folder = write(sample).parent
    done = run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    assert (done.stdout.strip(), done.stderr) == ("", "")
