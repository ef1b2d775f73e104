"""Ways in which a platform with secrets goes wrong."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from tests.e2e.planted import Planted

Scene = Callable[[Planted], AbstractContextManager[object]]


def variable(name: str, change: Callable[[Planted, str], str]) -> Scene:
    """A variable of .env.local has another value. change: gets a new canary"""

    def scene(there: Planted) -> AbstractContextManager[object]:
        value = change(there, there.canaries.text(f"{name}, wrong"))
        return there.with_variables(**{name: value})

    return scene


def wrong_password(name: str) -> Scene:
    return variable(
        name, lambda there, canary: there.variables[name].replace(there.passwords[name], canary)
    )


def file(path: str, change: Callable[[str, str], str], mode: int = 0o600) -> Scene:
    """The content of a file is another. change: gets the content and a new canary"""

    def scene(there: Planted) -> AbstractContextManager[object]:
        place = there.platform.folder / path
        made = change(place.read_text(), there.canaries.text(f"{path}, damaged"))
        return there.with_file(place, made, mode)

    return scene


def settings(before: str, after: str) -> Scene:
    """Somebody pastes a secret into cbctl.yaml; CANARY stands for it."""

    def scene(there: Planted) -> AbstractContextManager[object]:
        place = there.platform.config
        text = place.read_text()
        assert text.count(before) == 1, before
        canary = there.canaries.text(f"cbctl.yaml, {after.split(':')[0].strip()}")
        return there.with_file(place, text.replace(before, after.replace("CANARY", canary)), 0o644)

    return scene


@contextlib.contextmanager
def answering(there: Planted, *statuses: int, location: str = "") -> Iterator[None]:
    """The receiver of notifications answers so, and there is something to tell."""
    page = there.platform.source / "routes" / "operations.py"
    with there.with_file(page, page.read_text() + f"\n# {statuses} {location}\n", 0o644):
        there.hook.answers, there.hook.location = list(statuses), location
        try:
            yield
        finally:
            there.hook.answers, there.hook.location = [200], ""


def notified(change: Callable[[Planted, str], str], name: str = "NOTIFY_URL") -> Scene:
    """The notification of a run that does something fails."""

    @contextlib.contextmanager
    def scene(there: Planted) -> Iterator[None]:
        value = change(there, there.canaries.text(f"{name}, wrong"))
        with answering(there, 200), there.with_variables(**{name: value}):
            yield

    return scene


def printing(line: str) -> Scene:
    """The service prints what it was given when it starts, and ends. Its own log is its own."""

    @contextlib.contextmanager
    def scene(there: Planted) -> Iterator[None]:
        main = there.platform.source / "__main__.py"
        with there.with_file(main, _crashing(line), 0o644):
            yield
            there.run("local logs api")
        _forget_log(there)

    return scene


@contextlib.contextmanager
def restarted(there: Planted) -> Iterator[None]:
    """The same of a service that ran until it was started again."""
    (main,) = there.platform.state.glob(f"artifacts/{_running(there)}/*/__main__.py")
    with there.with_file(main, _crashing("print(dict(os.environ))"), 0o644):
        for line in ("local restart api", "status local", "health local -o json", "local logs"):
            there.run(line)
        yield
    there.run("local restart api")
    _forget_log(there)


def _crashing(line: str) -> str:
    return f"import os\n{line}\nraise SystemExit(3)\n"


def _running(there: Planted) -> str:
    """The hash of the service's code."""
    releases = json.loads(there.done("releases local -o json").out)
    return str(releases[-1]["parts"]["api"])


def _forget_log(there: Planted) -> None:
    (there.platform.state / "logs" / "api.log").write_bytes(b"")


def _server(url: str) -> Callable[[Planted, str], str]:
    return lambda there, canary: url.replace("CANARY", canary)


SCENES: dict[str, Scene] = {
    "database: wrong password": wrong_password("DATABASE_URL"),
    "database: nobody there": variable(
        "DATABASE_URL", _server("postgresql://owner:CANARY@127.0.0.1:9/postgres")
    ),
    "database: elsewhere": variable("DATABASE_URL", _server("postgresql://o:CANARY@10.1.2.3/x")),
    "database: no such name": variable(
        "DATABASE_URL", lambda there, canary: f"{there.variables['DATABASE_URL']}-of-nobody"
    ),
    "database: port": variable("DATABASE_URL", _server("postgresql://owner:CANARY@127.0.0.1:x/y")),
    "database: brackets": variable("DATABASE_URL", _server("postgresql://owner:CANARY@[::1/y")),
    "database: not percent-encoded": variable(
        "DATABASE_URL", _server("postgresql://owner:p@CANARY/x@127.0.0.1:9/y")
    ),
    "database: scheme": variable("DATABASE_URL", _server("mysql://owner:CANARY@127.0.0.1/y")),
    "database: option": variable(
        "DATABASE_URL", _server("postgresql://owner@127.0.0.1:9/y?CANARY=1&password=CANARY")
    ),
    "database: only the password": variable("DATABASE_URL", _server("CANARY")),
    "cache: wrong password": wrong_password("REDIS_URL"),
    "cache: nobody there": variable("REDIS_URL", _server("redis://:CANARY@127.0.0.1:9/0")),
    "cache: number": variable("REDIS_URL", _server("redis://127.0.0.1:9/CANARY")),
    "cache: port": variable("REDIS_URL", _server("redis://:CANARY@127.0.0.1:x")),
    "cache: only the password": variable("REDIS_URL", _server("CANARY")),
    "chain: nobody there": variable("RPC_URL", _server("http://127.0.0.1:9/CANARY")),
    "chain: another server": variable("RPC_URL", lambda t, canary: t.hook.address(f"/{canary}")),
    "chain: no URL": variable("RPC_URL", _server("http://[CANARY")),
    "chain: only the key": variable("RPC_URL", _server("CANARY")),
    "chain: user": variable("RPC_URL", _server("http://CANARY:CANARY@127.0.0.1:9/?key=CANARY")),
    "notify: refuses": lambda there: answering(there, 403),
    "notify: is broken": lambda there: answering(there, 500),
    "notify: is elsewhere": lambda there: answering(there, 302, location="http://127.0.0.1:9/x"),
    "notify: nobody there": notified(_server("http://127.0.0.1:9/CANARY?token=CANARY")),
    "notify: no TLS": notified(lambda t, canary: t.hook.address(f"/{canary}", "https")),
    "notify: in clear": notified(_server("http://example.invalid/CANARY")),
    "notify: port": notified(_server("http://127.0.0.1:x/CANARY")),
    "notify: brackets": notified(_server("http://[::1/CANARY")),
    "notify: only the token": notified(_server("CANARY")),
    "notify: line break": notified(_server("http://127.0.0.1:9/CANARY\t/x y")),
    "notify: no secret": notified(lambda there, canary: "", "NOTIFY_SECRET"),
    "wallet: text": file("keys/wallet.json", lambda was, canary: canary),
    "wallet: JSON": file("keys/wallet.json", lambda was, canary: f'{{"key": "{canary}"}}'),
    "wallet: cut": file("keys/wallet.json", lambda was, canary: was[: len(was) // 2]),
    "wallet: short": file("keys/wallet.json", lambda was, canary: was.replace("]", ", 1]")),
    "wallet: a number too large": file("keys/wallet.json", lambda was, c: was.replace("]", "9]")),
    "wallet: open to all": file("keys/wallet.json", lambda was, canary: was, 0o644),
    "program: text": file("keys/program.json", lambda was, canary: canary),
    "partner: open to all": file("partner.key", lambda was, canary: was + canary, 0o644),
    "partner: large": file("partner.key", lambda was, canary: canary * 9000),
    "variables: no line": file(".env.local", lambda was, canary: was + canary),
    "variables: a quote": file(".env.local", lambda was, canary: f'{was}X="{canary}'),
    "variables: blanks": file(".env.local", lambda was, canary: f"{was}X={canary} {canary}"),
    "variables: an escape": file(".env.local", lambda was, canary: f'{was}X="\\{canary}"'),
    "variables: twice": file(".env.local", lambda was, canary: f"{was}JWT_SECRET={canary}"),
    "variables: another's name": file(".env.local", lambda was, canary: f"{was}{canary}={canary}="),
    "variables: open to all": file(".env.local", lambda was, canary: was, 0o644),
    "settings: database.url": settings(
        "url: ${env:DATABASE_URL?}", "url: postgresql://owner:CANARY@127.0.0.1:9/x"
    ),
    "settings: database.url, the password alone": settings(
        "url: ${env:DATABASE_URL?}", "url: CANARY"
    ),
    "settings: cache.url": settings("url: ${env:REDIS_URL?}", "url: redis://:CANARY@127.0.0.1/0"),
    "settings: cache.url, a list": settings("url: ${env:REDIS_URL?}", "url: [CANARY]"),
    "settings: chain.rpc": settings('rpc: ["${env:RPC_URL}"]', "rpc: [http://127.0.0.1:9/CANARY]"),
    "settings: chain.rpc, elsewhere": settings(
        'rpc: ["${env:RPC_URL}"]', "rpc: ['https://rpc.example/CANARY?key=CANARY']"
    ),
    "settings: chain.rpc, the key alone": settings('rpc: ["${env:RPC_URL}"]', "rpc: CANARY"),
    "settings: wallet": settings("wallet: ${file:keys/wallet.json}", "wallet: CANARY"),
    "settings: wallet, a mapping": settings(
        "wallet: ${file:keys/wallet.json}", "wallet: {secret: CANARY}"
    ),
    "settings: keypair": settings("keypair: ${file:keys/program.json}", "keypair: [1, CANARY]"),
    "settings: JWT_SECRET": settings("JWT_SECRET: ${env:JWT_SECRET}", "JWT_SECRET: CANARY"),
    "settings: a part of a text": settings(
        "JWT_SECRET: ${env:JWT_SECRET}", "JWT_SECRET: ${env:JWT_SECRET}CANARY"
    ),
    "settings: a name": settings("JWT_SECRET: ${env:JWT_SECRET}", "JWT_SECRET: ${env:CANARY"),
    "settings: notify.url": settings(
        "        url: ${env:NOTIFY_URL}", "        url: https://h.example/CANARY"
    ),
    "settings: notify.secret": settings(
        "        secret: ${env:NOTIFY_SECRET}", "        secret: 'CANARY"
    ),
    "service: prints": printing(
        "import base64, json, sys\n"
        "e = dict(os.environ)\n"
        "print(e, json.dumps(e))\n"
        "print(e['JWT_SECRET'][:20], e['PARTNER'][6:], e['DATABASE_URL'].split('@')[0][-12:])\n"
        "print(base64.b64encode(b'x' + e['JWT_SECRET'].encode()), e['PARTNER'].encode().hex())\n"
        "print('x' * 70_000, e['JWT_SECRET'], 'x' * (65_536 - 20), file=sys.stderr)"
    ),
    "service: raises": printing("raise ValueError(os.environ['DATABASE_URL'], os.environ)"),
    "service: restarted": restarted,
}

SAMPLE = frozenset(
    {
        *("database: wrong password", "database: port", "database: not percent-encoded"),
        *("cache: wrong password", "chain: nobody there", "chain: only the key"),
        *("notify: refuses", "notify: brackets", "wallet: text", "variables: no line"),
        *("settings: database.url", "settings: JWT_SECRET"),
        *("service: prints", "service: restarted"),
    }
)
"""Those that `make test` has."""
