"""Command lines that no operator would type, and some that one does."""

from __future__ import annotations

from random import Random

from tests.fuzz.judge import Case
from tests.testbed.commands import Command, Option

# What ends up on command lines: typing errors, pasted text, variables that were empty, attacks.
_JUNK: tuple[str, ...] = (
    *("", " ", "-", "--", "---", "-1", "0", "1e9", "nan", "inf", "-inf", "0x10", "9" * 40, "½"),
    *("null", "true", "no", "~", "~nobody", "*", "%s%n%x", "$HOME", "${env:HOME}", "{}", "[]"),
    *("'", '"', "`id`", ";", "|", "a b", "a\nb", "a\tb", "\r", "\a\b", "\x1b[31mred", "\x1b]0;x\a"),
    *("ä", "日本", "🎉", "e\u0301", "\u202elacol", "\u2028", "\ufeff", "\x9b31m", "\u0130"),
    *("\udcff", "local\udce9", "\udc80\udcff/x", "..", "../..", ".", "/", "//", "a/b", "a" * 300),
    *("LOCAL", "locla", "local ", "local/", "r", "r0", "r-1", "R1", "deploy", "--help", "-h", "=x"),
)
_HUGE: tuple[str, ...] = ("x" * 5000, "ä" * 30_000, "-" * 10_000, "a," * 20_000)
_READ = frozenset({"--config", "--head-file", "--file", "--plan-file"})
"""Options that name a file to be read: for these alone a device is no danger to the machine."""
_DEVICES = ("/dev/null", "/dev/full", "/proc/self/mem", "/proc/self/environ", "/sys", "/etc")
FILES = ("folder", "unreadable", "link", "loop", "empty", "bytes", "none/below", "empty/below")
"""What lies in the folder of a case, see `ground`."""
_GOOD: dict[str, tuple[str, ...]] = {
    "ENV": ("local", "local", "local", "development", "production"),
    "RUN": ("last", "RUN"),
    "RELEASE": ("r1", "r2"),
    "A": ("r1", "r2", "current"),
    "STEP": ("keys", "elf", "postgres", "migrate", "api", "verify"),
    "SERVICE": ("postgres", "redis", "localnet", "api", "supervisor"),
    "NAME": ("local", "production", "root"),
    "TIME": ("24h", "2026-11-22", "90m"),
    "FILE": ("cbctl.yaml", "audit.ndjson", "new.file", ".env.local"),
    "shell": ("bash", "zsh", "fish"),
}
_GOOD["B"] = _GOOD["A"]
_ENDLESS = frozenset({"--watch", "-w", "--follow", "-f"})
_VARIABLES = (
    *("CBCTL_ENV", "CBCTL_CONFIG", "CBCTL_STATE_DIR", "XDG_STATE_HOME", "HOME", "TERM", "LANG"),
    *("LC_ALL", "COLUMNS", "LINES", "NO_COLOR", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "TMPDIR"),
    *("PYTHONIOENCODING", "_CBCTL_COMPLETE", "SHELL", "USER", "TZ", "PGHOST", "DATABASE_URL"),
)
_FITTING = {
    "PYTHONIOENCODING": ("ascii", "latin-1", "utf-8"),
    "_CBCTL_COMPLETE": ("complete_bash", "source_zsh", "complete_fish", "complete_", "x_bash"),
    "GITHUB_ACTIONS": ("true",),
    "TERM": ("dumb", "xterm-256color", "unknown"),
    "COLUMNS": ("0", "-5", "20", "99999999"),
    "TZ": ("Europe/Berlin", ":x", "../../etc/passwd"),
}
_PATHS = frozenset({"HOME", "XDG_STATE_HOME", "CBCTL_STATE_DIR", "TMPDIR", "GITHUB_STEP_SUMMARY"})


def case(random: Random, name: str, commands: list[Command], run: str) -> Case:
    """run: id of a run that there is"""
    command = random.choice(commands)
    words = list(command.words)
    for metavar in command.arguments:
        for _ in range(random.choice((0, 1, 1, 1, 1, 1, 1, 1, 2))):
            words.append(_value(random, metavar, run))
    for option in command.options:
        chance = 0.9 if option.required else 0.15
        while random.random() < chance:
            words += _given(random, option, run)
            chance = 0.1
    for _ in range(random.choice((0, 0, 0, 0, 0, 0, 1, 1, 2))):
        _spoil(random, words, commands)
    # An argument list has no NUL and ends somewhere: 128 KiB for one word.
    argv = tuple(word.replace("\0", "") for word in words)
    endless = any(word in _ENDLESS or word.startswith(("-wf", "-fw")) for word in argv)
    endless = endless or {"localnet", "run"} <= set(argv)
    return Case(name, argv, _environment(random, run), endless or _bundled(argv))


def _bundled(argv: tuple[str, ...]) -> bool:
    """`-wo json`, `--wat`: short options together, long ones shortened."""
    return any(
        (word[:1] == "-" and word[1:2] != "-" and ("w" in word or "f" in word))
        or (len(word) > 3 and ("--watch".startswith(word) or "--follow".startswith(word)))
        for word in argv
    )


def _given(random: Random, option: Option, run: str) -> list[str]:
    name = random.choice(option.names)
    if option.flag:
        return [name] if random.random() < 0.95 else [f"{name}=yes"]
    if random.random() < 0.05:
        return [name]  # its value is missing
    if option.choices and random.random() < 0.8:
        value: str = random.choice(option.choices)
    else:
        value = _value(random, option.metavar, run, reads=name in _READ)
    if name.startswith("--"):
        return [f"{name}={value}"] if random.random() < 0.3 else [name, value]
    return [f"{name}{value}"] if random.random() < 0.3 else [name, value]


def _value(random: Random, metavar: str, run: str, reads: bool = False) -> str:
    kind = metavar.strip("[].")
    if random.random() < 0.8 and kind in _GOOD:
        return random.choice(_GOOD[kind]).replace("RUN", run)
    if kind == "FILE":
        names: list[str] = [*FILES, *_harmless(_JUNK), *(_DEVICES if reads else ())]
        return random.choice(names)
    return random.choice(_JUNK if random.random() < 0.9 else _HUGE)


def _harmless(names: tuple[str, ...]) -> list[str]:
    """Names of files below the folder of the case."""
    return [n for n in names if not n.startswith(("/", "..", "~"))]


def _spoil(random: Random, words: list[str], commands: list[Command]) -> None:
    at = random.randrange(len(words) + 1)
    match random.randrange(6):
        case 0:
            words.insert(at, random.choice(_JUNK))
        case 1 if words:
            del words[at - 1]
        case 2 if words:
            words.insert(at, words[at - 1])
        case 3:
            option = random.choice(random.choice(commands).options or (_HELP,))
            words.insert(at, random.choice(option.names))
        case 4 if words and len(words[at - 1]) > 1:
            word = words[at - 1]
            cut = random.randrange(1, len(word))
            words[at - 1] = word[:cut] + random.choice(("", word[cut - 1], "\x1b[2J")) + word[cut:]
        case _:
            random.shuffle(words)


_HELP = Option(("--help", "-h", "--version"), "", (), True, False)


def _environment(random: Random, run: str) -> dict[str, str]:
    found = {}
    for _ in range(random.choice((0, 0, 0, 1, 1, 2))):
        name = random.choice(_VARIABLES)
        if name in _FITTING and random.random() < 0.7:
            value = random.choice(_FITTING[name])
        elif name in _PATHS:
            # a folder that is made is made below the case's own
            value = random.choice((*FILES, "/dev/null/x", "", *_harmless(_JUNK), *_HUGE[:2]))
        elif name == "PYTHONIOENCODING":
            continue  # the interpreter itself refuses what is no encoding
        else:
            value = random.choice((*_JUNK, *_HUGE, "local"))
        found[name] = value.replace("\0", "")
    return found
