"""Imports point one way, and the command line starts without anything heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "cbctl"

ALWAYS = {
    "errors",
    *("config.types", "config.reference", "config.urls", "config.problem", "config.names"),
}
"""Plain types and pure functions that every part may use."""

MAY_IMPORT: dict[str, set[str]] = {
    "__main__": {"app", "render", "engine", "cli", "imports"},
    "app": set(),
    "imports": set(),
    "machine": {"engine", "local"},
    "cli": {"wiring", "engine", "report", "render", "config", "local", "machine"},
    "wiring": {
        *("runbook", "engine", "steps", "stores", "report", "config", "secrets", "machine"),
        *("local", "clients"),
    },
    "runbook": {"engine.step", "config"},
    "steps": {"engine.step", "engine.canonical", "clients", "local"},
    "stores": {"engine", "clients"},
    "report": {"clients", "local", "engine"},
    "secrets": {"clients"},
    "clients": {"engine.step"},
    "local": set(),
    "render": {"engine"},
    "engine": set(),
    "localnet": set(),
    "config": set(),
    "errors": set(),
    "__init__": set(),
}
"""Part → parts (or modules) that it may import, besides itself and ALWAYS."""


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "cbctl":
                found |= {alias.name for alias in node.names}
            elif node.module.startswith("cbctl."):
                found |= {f"{node.module.removeprefix('cbctl.')}.{a.name}" for a in node.names}
        elif isinstance(node, ast.Import):
            found |= {
                a.name.removeprefix("cbctl.") for a in node.names if a.name.startswith("cbctl.")
            }
    return {name for name in found if not name.startswith("__")}


def _allowed(part: str, imported: str) -> bool:
    if imported.split(".")[0] == part:
        return True
    rules = MAY_IMPORT[part] if part == "localnet" else MAY_IMPORT[part] | ALWAYS
    return any(imported == rule or imported.startswith(f"{rule}.") for rule in rules)


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE))
)
def test_a_module_imports_only_what_lies_below_it(path: Path) -> None:
    part = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    wrong = sorted(i for i in _imports(path) if not _allowed(part, i))
    assert not wrong, f"{path.relative_to(SOURCE)} imports {wrong}"


def test_every_part_has_its_rule() -> None:
    parts = {p.name.removesuffix(".py") for p in SOURCE.iterdir() if not p.name.startswith("__py")}
    assert parts - {"py.typed"} <= set(MAY_IMPORT)


HEAVY = (  # noqa: SIM905
    "rich yaml msgspec psycopg redis solana solders httpx httpx2 boto3 kubernetes pydantic "
    "granian starlette asyncio importlib.metadata"
).split()


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["-h"]], ids=lambda a: " ".join(a)
)
def test_help_and_version_import_nothing_heavy(arguments: list[str]) -> None:
    assert _heavy_imports(arguments, {}) == ""


def test_completion_of_commands_imports_nothing_heavy() -> None:
    words = {"_CBCTL_COMPLETE": "complete_bash", "COMP_WORDS": "cbctl de", "COMP_CWORD": "1"}
    assert _heavy_imports([], words) == ""


@pytest.mark.parametrize("env", [[], ["local"]], ids=["default", "given"])
def test_options_that_need_no_conversion_import_no_pydantic(env: list[str], tmp_path: Path) -> None:
    arguments = ["config", "show", *env, "--config", str(SOURCE.parents[1] / "cbctl.yaml")]
    environ = {"HOME": str(tmp_path), "CBCTL_ENV": "local"}
    assert "pydantic" not in _heavy_imports(arguments, environ).split()


def _heavy_imports(arguments: list[str], environ: dict[str, str]) -> str:
    """Which of HEAVY a call of cbctl imports."""
    code = (
        "import sys, atexit\n"
        f"heavy = {HEAVY!r}\n"
        "atexit.register(lambda: print(*[h for h in heavy if h in sys.modules],"
        " file=sys.stderr, end=''))\n"
        f"sys.argv = ['cbctl', *{arguments!r}]\n"
        "from cbctl.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environ, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stderr
