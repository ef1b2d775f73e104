"""Every mistake: exact place, key, words, near name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cbctl.config.load import load
from cbctl.config.problem import ConfigError
from cbctl.errors import CbctlError, Exit

Write = Callable[[str], Path]

# what is replaced, by what, and the lines of the error
CASES: dict[str, tuple[str, str, list[str]]] = {
    "unknown key": (
        "      port: 9900",
        "      prot: 9900",
        ["28:7: environments.local.chain: unknown key `prot`; did you mean `port`?"],
    ),
    "unknown key at the top": (
        "version: 1\n",
        "version: 1\nenviroments: {}\n",
        ["2:1: unknown key `enviroments`; did you mean `environments`?"],
    ),
    "unknown key in defaults is one problem and stands in defaults": (
        "    health: /health",
        "    health: /health\n    helth: /health",
        ["21:5: defaults.api: unknown key `helth`; did you mean `health`?"],
    ),
    "duplicate key": (
        "      port: 9900",
        "      port: 9900\n      on: external",
        ["29:7: duplicate key `on`; the first is in line 27"],
    ),
    "number expected": (
        "port: 9900",
        "port: many",
        [
            "28:13: environments.local.chain.port: expected a whole number from 1 to 65534,"
            " found the text `many`"
        ],
    ),
    "port out of range": (
        "port: 4000",
        "port: 70000",
        [
            "19:11: defaults.api.port: expected a whole number from 1 to 65535,"
            " found the number `70000`"
        ],
    ),
    "fraction": (
        "port: 4000",
        "port: 4000.5",
        [
            "19:11: defaults.api.port: expected a whole number from 1 to 65535,"
            " found the number `4000.5`"
        ],
    ),
    "octal": (
        "port: 4000",
        "port: 04000",
        [
            "19:11: defaults.api.port: expected a whole number from 1 to 65535,"
            " found the text `04000`"
        ],
    ),
    "sexagesimal": (
        "port: 4000",
        "port: 12:30:00",
        [
            "19:11: defaults.api.port: expected a whole number from 1 to 65535,"
            " found the text `12:30:00`"
        ],
    ),
    "yes is no boolean": (
        "protected: true",
        "protected: yes",
        ["35:16: environments.production.protected: expected true or false, found the text `yes`"],
    ),
    "True is no boolean": (
        "protected: true",
        "protected: True",
        ["35:16: environments.production.protected: expected true or false, found the text `True`"],
    ),
    "a quoted boolean is text": (
        "protected: true",
        'protected: "true"',
        ["35:16: environments.production.protected: expected true or false, found the text `true`"],
    ),
    "one of": (
        "      on: external\n      cluster",
        "      on: extrenal\n      cluster",
        [
            "37:11: environments.production.chain.on: expected one of local, external,"
            " found the text `extrenal`; did you mean `external`?"
        ],
    ),
    "number where text belongs": (
        "module: service.main",
        "module: 12",
        ["18:13: defaults.api.module: expected text, found the number `12` (put it in quotes)"],
    ),
    "list where a mapping belongs": (
        "    database: {on: local}",
        "    database: [local]",
        ["31:15: environments.local.database: expected a mapping, found a list"],
    ),
    "mapping where a list belongs": (
        'rpc: ["${env:RPC}"]',
        "rpc: {a: 1}",
        ["39:12: environments.production.chain.rpc: expected a list, found a mapping"],
    ),
    "nothing where a mapping belongs": (
        "    cache: {on: local}",
        "    cache:",
        ["32:11: environments.local.cache: expected a mapping, found nothing"],
    ),
    "missing section": (
        "    cache: {on: local}\n",
        "",
        ["25:3: environments.local: `cache` is missing"],
    ),
    "missing key": (
        "    database: {on: local}",
        "    database: {access: direct}",
        ["31:5: environments.local.database: `on` is missing"],
    ),
    "null drops a default that is needed": (
        "    api: {on: local}",
        "    api: {on: local, port: null}",
        ["33:5: environments.local.api: `port` is missing"],
    ),
    "a reference inside text": (
        "url: ${env:OWNER_URL}",
        "url: postgres://${env:HOST}/x",
        [
            "44:12: environments.production.database.url: a reference must be the whole value,"
            " one of ${env:NAME}, ${env:NAME?}, ${file:PATH}, ${secret:NAME#KEY},"
            " ${state:NAME}, ${key:NAME}, ${kms:KEY}"
        ],
    ),
    "an unknown kind of reference": (
        "url: ${env:OWNER_URL}",
        "url: ${vault:OWNER_URL}",
        [
            "44:12: environments.production.database.url: there is no reference of the kind"
            " `vault`; there are ${env:NAME}, ${env:NAME?}, ${file:PATH}, ${secret:NAME#KEY},"
            " ${state:NAME}, ${key:NAME}, ${kms:KEY}"
        ],
    ),
    "a reference is demanded": (
        "      wallet: ${key:wallet}",
        "      wallet: wallet.json",
        [
            "30:15: environments.local.program.wallet: expected a reference such as ${env:NAME},"
            " found text"
        ],
    ),
    "a generated key outside of local": (
        "wallet: ${file:~/wallet.json}",
        "wallet: ${key:wallet}",
        [
            "41:15: environments.production.program.wallet: ${key:wallet} exists only in a local"
            " environment"
        ],
    ),
    "a password in the file": (
        "url: ${env:OWNER_URL}",
        "url: postgres://owner:hunter2@db/x",
        [
            "44:12: environments.production.database.url: a secret does not belong in this file;"
            " use ${env:NAME}"
        ],
    ),
    "a secret in the file": (
        "      DATABASE_URL: ${env:DATABASE_URL}",
        "      JWT_SECRET: hunter2",
        [
            "23:19: defaults.api.environment.JWT_SECRET: a secret does not belong in this file;"
            " use ${env:NAME}"
        ],
    ),
    "a local database that is not local": (
        "    database: {on: local}",
        "    database: {on: local, url: postgres://db.example.com/x}",
        [
            "31:32: environments.local.database.url: not on this machine; `allow_remote: true`"
            " beside it if that is meant"
        ],
    ),
    "a local chain elsewhere": (
        "      port: 9900",
        "      rpc: [https://api.example.com]",
        [
            "28:13: environments.local.chain.rpc.0: a local chain is on this machine:"
            " expected 127.0.0.1"
        ],
    ),
    "an RPC URL that is none": (
        'rpc: ["${env:RPC}"]',
        "rpc: [api.example.com]",
        [
            "39:13: environments.production.chain.rpc.0: expected an http:// or https:// URL or"
            " a reference"
        ],
    ),
    "no RPC URL": (
        '      rpc: ["${env:RPC}"]\n',
        "",
        ["37:7: environments.production.chain.rpc: `on: external` needs at least one RPC URL"],
    ),
    "a token of one's own elsewhere": (
        '      rpc: ["${env:RPC}"]\n',
        '      rpc: ["${env:RPC}"]\n'
        '      mint: { keypair: "${key:coin}", decimals: 6, supply: 1 }\n',
        [
            "40:13: environments.production.chain.mint: `on: external` has tokens of its own; only"
            " a localnet gets one",
            "40:24: environments.production.chain.mint.keypair: ${key:coin} exists only in a local"
            " environment",
        ],
    ),
    "no database URL": (
        "      url: ${env:OWNER_URL}\n",
        "",
        ["43:7: environments.production.database.url: `on: rds` needs a url"],
    ),
    "no cluster": (
        "    clusters:\n      main: {context: prod, namespace: lottery}\n",
        "",
        [
            "48:15: environments.production.api.on: `kubernetes` needs a cluster:"
            " `clusters` is empty"
        ],
    ),
    "a bad namespace": (
        "namespace: lottery",
        "namespace: Lottery_1",
        [
            "50:40: environments.production.clusters.main.namespace: expected lower-case letters,"
            " digits and - (at most 63), found the text `Lottery_1`"
        ],
    ),
    "a bad name of an environment": (
        "  production:",
        "  Production:",
        [
            "34:3: environments.Production: the key is not well-formed: expected lower-case"
            " letters, digits and -, a letter first (at most 31)"
        ],
    ),
    "the API on the chain's port": (
        "port: 9900",
        "port: 4000",
        ["19:11: defaults.api.port: the localnet uses 4000 and 4001"],
    ),
    "local on devnet": (
        "      port: 9900",
        "      cluster: devnet",
        ["28:16: environments.local.chain.cluster: `on: local` is no devnet; leave `cluster` out"],
    ),
    "an unclear argument": (
        "price: 10",
        "price: 010",
        [
            "12:16: defaults.program.initialize.arguments.price: unclear: write a decimal number,"
            " true, false, or text in quotes"
        ],
    ),
    "a fraction as an argument": (
        "price: 10",
        "price: 1.0",
        [
            "12:16: defaults.program.initialize.arguments.price: expected a whole number, true,"
            " false, text or a reference, found a number"
        ],
    ),
    "a merge key": (
        "  local:\n",
        "  local:\n    <<: {protected: true}\n",
        [
            "26:5: merge keys (`<<`) are not supported: what environments share stands in"
            " `defaults`, and a whole section can be repeated by an alias"
        ],
    ),
    "a tag": (
        "platform: lottery",
        "platform: !!python/name:os.system x",
        ["2:11: tags are not used here: `tag:yaml.org,2002:python/name:os.system`"],
    ),
    "a tag of YAML's own": (
        "port: 4000",
        'port: !!int "4000"',
        ["19:11: tags are not used here: `tag:yaml.org,2002:int`"],
    ),
    "an alias of nothing": (
        "platform: lottery",
        "platform: *plat",
        ["2:11: the alias `*plat` has no anchor before it"],
    ),
    "a key that is a list": (
        "platform: lottery",
        "platform: lottery\n? [a]\n: b",
        ["3:3: a key is a name, not a list or mapping"],
    ),
    "a tab": (
        "platform: lottery",
        "platform:\n\tlottery",
        ["3:1: a tab cannot indent; use spaces"],
    ),
    "a second document": (
        "platform: lottery",
        "platform: lottery\n---\na: 1",
        ["3:1: a second document: there is one per file"],
    ),
    "a control character": (
        "platform: lottery",
        "platform: lott\x07ery",
        ["2:15: the character U+0007 is not allowed"],
    ),
    "an escape in a name": (
        "context: prod",
        'context: "\\e[2J"',
        [
            "50:23: environments.production.clusters.main.context: has a character that cannot be"
            " printed"
        ],
    ),
    "a NUL in a path": (
        "source: service",
        'source: "a\\0b"',
        ["17:13: defaults.api.source: has a character that cannot be printed"],
    ),
    "a newer format": (
        "version: 1",
        "version: 2\nwhatever: 1",
        ["1:10: version: this file has format 2; this cbctl (0.1.0) knows 1"],
    ),
    "an unknown version": (
        "version: 1",
        "version: one",
        ["1:10: version: expected 1, found the text `one`"],
    ),
    "a newer cbctl is needed": (
        "version: 1",
        'version: 1\nmin_cbctl: "99.0"\nwhatever: 1',
        ["2:12: min_cbctl: this file needs cbctl 99.0 or newer; this is 0.1.0"],
    ),
    "a version that is a number": (
        "version: 1",
        "version: 1\nmin_cbctl: 0.1",
        ["2:12: min_cbctl: expected text, found the number `0.1` (put it in quotes)"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_message(name: str, sample: str, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cbctl.config.load.__version__", "0.1.0")
    old, new, expected = CASES[name]
    assert sample.count(old) == 1, "the case must change one place"
    with pytest.raises(ConfigError) as caught:
        load(write(sample.replace(old, new)))
    assert [str(problem) for problem in caught.value.problems] == [
        f"cbctl.yaml:{line}" for line in expected
    ]
    assert caught.value.exit is Exit.USAGE
    assert expected[0] in str(caught.value)


def test_the_sample_is_good(sample: str, write: Write) -> None:
    assert sorted(load(write(sample)).environments) == ["local", "production"]


def test_unknown_key_without_a_near_one_lists_the_keys(sample: str, write: Write) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(sample.replace("{context: prod", "{zzz: 1, context: prod")))
    assert caught.value.problems[0].message == "unknown key `zzz`; there are context, namespace"


def test_all_problems_at_once_in_the_order_of_the_file(sample: str, write: Write) -> None:
    text = sample.replace("port: 9900", "port: x").replace("protected: true", "protected: on")
    text = text.replace("name: lottery", "nam: lottery")
    with pytest.raises(ConfigError) as caught:
        load(write(text))
    lines = [problem.line for problem in caught.value.problems]
    assert lines == sorted(lines)
    assert {5, 28, 35} <= set(lines)
    assert str(caught.value).startswith(f"cbctl.yaml: {len(lines)} problems\n  cbctl.yaml:")


def test_at_most_twenty_are_shown(sample: str, write: Write) -> None:
    extra = "".join(f"wrong{number}: 1\n" for number in range(50))
    with pytest.raises(ConfigError) as caught:
        load(write(sample + extra))
    assert len(caught.value.problems) == 50
    assert caught.value.what.count("\n") == 21
    assert caught.value.what.endswith("… and 30 more")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "cbctl.yaml: the file is empty"),
        (b"# nothing\n", "cbctl.yaml: the file is empty"),
        (b"just text\n", "cbctl.yaml:1:1: expected a mapping"),
        (b"- a\n", "cbctl.yaml:1:1: expected a mapping"),
        (b"version: 1\nplatform: \xff\n", "cbctl.yaml:2:11: this is not UTF-8"),
        (b"a" * 300_000, "cbctl.yaml: larger than 256 KiB"),
    ],
)
def test_files_that_are_none(raw: bytes, message: str, write: Write) -> None:
    path = write("")
    path.write_bytes(raw)
    with pytest.raises(CbctlError) as caught:
        load(path)
    assert str(caught.value) == message
    assert caught.value.exit is Exit.USAGE


def test_a_file_that_cannot_be_read(write: Write, tmp_path: Path) -> None:
    write("")
    with pytest.raises(CbctlError, match=r"absent\.yaml: cannot be read: No such file"):
        load(tmp_path / "absent.yaml")
    with pytest.raises(CbctlError, match="cannot be read: Is a directory"):
        load(tmp_path)


def test_a_pasted_secret_is_not_repeated(sample: str, write: Write) -> None:
    """Where a reference belongs, what was found is not quoted."""
    canary = "hunter2canary"
    for old in ("${env:OWNER_URL}", "${file:~/wallet.json}", '["${env:RPC}"]', "${env:KEEPER}"):
        for new in (
            f"[{canary}]",
            f"{{{canary}: 1}}",
            f"postgres://a:{canary}@h/x",
            f"${{{canary}",
        ):
            try:
                load(write(sample.replace(old, new)))
            except CbctlError as error:
                text = f"{error} {error!r} {error.fix}"
                assert f": {canary}" not in text or "unknown key" in text
                assert f":{canary}@" not in text
