"""The typed settings: what `cbctl.yaml` may say, and what everything else reads.

The structs are the only description: the reader, the JSON Schema and `cbctl config show` are
made from them. Paths come out absolute; a section of an environment is the one of `defaults`,
deep-merged with the environment's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from cbctl.config.database import Backups
from cbctl.config.history import History
from cbctl.config.images import Image, Signed
from cbctl.config.jobs import Jobs
from cbctl.config.kubernetes import Cluster, Kubernetes
from cbctl.config.program import Backup, Source, Toolchain
from cbctl.config.reference import Reference
from cbctl.config.roles import Roles
from cbctl.config.secrets import Secrets
from cbctl.config.texts import (
    Address,
    DnsLabel,
    EnvironmentName,
    Name,
    Port,
    Text,
    TimeOfDay,
    UrlPath,
)

# A setting given in place or kept elsewhere.
Value = str | Reference

# What an instruction's argument may be: the IDL decides which of them fits. None: an option's.
Argument = None | bool | int | str | Reference | list["Argument"] | dict[str, "Argument"]


class Mint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A token of the SPL Token program, made on a localnet; the wallet decides over it."""

    keypair: Annotated[Reference, Meta(description="keypair of its address: ${key:NAME}")]
    decimals: Annotated[int, Meta(ge=0, le=9, description="how many of them a token has")]
    supply: Annotated[
        int, Meta(ge=0, le=2**64 - 1, description="base units in the program's wallet, at least")
    ]


class Chain(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The Solana cluster of the environment."""

    on: Annotated[
        Literal["local", "external"],
        Meta(description="local: cbctl starts a localnet; external: it is there already"),
    ]
    cluster: Annotated[
        Literal["local", "devnet", "testnet", "mainnet-beta"],
        Meta(description="which Solana cluster; local goes with `on: local`"),
    ] = "local"
    rpc: Annotated[
        tuple[Value, ...],
        Meta(description="RPC URLs, tried in this order; without any, `on: local` uses its port"),
    ] = ()
    genesis_hash: Annotated[
        Address | None, Meta(description="what the cluster must answer before anything is changed")
    ] = None
    slot_ms: Annotated[
        int,
        Meta(
            ge=10,
            le=10_000,
            description="localnet only: milliseconds per slot; a chain keeps its own",
        ),
    ] = 400
    port: Annotated[
        int, Meta(ge=1, le=65534, description="localnet only: RPC port; WebSocket is the next one")
    ] = 8899
    mint: Annotated[Mint | None, Meta(description="localnet only: a token to pay with")] = None


class Initialize(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the program gets its first configuration; nothing here is known to cbctl itself."""

    instruction: Annotated[Name, Meta(description="name in the IDL")]
    account: Annotated[
        Name, Meta(description="account type of the IDL whose fields hold the arguments afterwards")
    ]
    arguments: Annotated[
        dict[str, Argument],
        Meta(
            description="arguments by their names in the IDL; a struct is a mapping, an enum the"
            " name of a variant or a mapping of it to its fields, bytes are hex text, an option"
            " may be null or left out"
        ),
    ]
    at: Annotated[
        Name | None,
        Meta(
            description="which of the instruction's accounts that is; not needed where it makes"
            " only one"
        ),
    ] = None
    accounts: Annotated[
        dict[Name, Value],
        Meta(description="addresses of accounts that the IDL does not tell, by name"),
    ] = {}
    allowed: Annotated[
        dict[Text, tuple[Value, ...]],
        Meta(
            description="the only addresses that an argument may have, by its path:"
            " `config.fee_account: [...]`"
        ),
    ] = {}
    changed_by: Annotated[
        Name | None, Meta(description="instruction of the IDL that changes these values later")
    ] = None


class Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An instruction of the program that an operator sends, and how one sees that it was done."""

    instruction: Annotated[Name, Meta(description="name in the IDL")]
    account: Annotated[Name, Meta(description="account type of the IDL that shows the result")]
    result: Annotated[
        dict[Text, Argument],
        Meta(description="fields of that account and what they hold afterwards", min_length=1),
    ]
    arguments: Annotated[
        dict[str, Argument], Meta(description="arguments by their names in the IDL")
    ] = {}
    at: Annotated[Name | None, Meta(description="which of the instruction's accounts that is")] = (
        None
    )
    accounts: Annotated[
        dict[Name, Value],
        Meta(description="addresses of accounts that the IDL does not tell, by name"),
    ] = {}
    wallet: Annotated[
        Reference | None, Meta(description="keypair that signs it, where it is not `wallet`")
    ] = None


class Program(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The on-chain program."""

    name: Annotated[Name, Meta(description="name of the program, as its IDL has it")]
    elf: Annotated[Path, Meta(description="the built program (.so)")]
    idl: Annotated[Path, Meta(description="its interface description (.json)")]
    source: Annotated[
        Source | None, Meta(description="for `cbctl program build` and `cbctl program test`")
    ] = None
    toolchain: Annotated[
        Toolchain | None, Meta(description="what `elf` is built by; mainnet-beta demands it")
    ] = None
    id: Annotated[
        Value | None, Meta(description="address; without it, the public key of `keypair`")
    ] = None
    keypair: Annotated[
        Reference | None, Meta(description="keypair that owns the address, for the first deploy")
    ] = None
    wallet: Annotated[
        Reference | None, Meta(description="keypair that pays and is the upgrade authority")
    ] = None
    authority: Annotated[
        Value | None,
        Meta(description="the upgrade authority, where it is not the wallet: a multisig's vault"),
    ] = None
    multisig: Annotated[
        Value | None, Meta(description="the Squads multisig whose vault `authority` is")
    ] = None
    initialize: Annotated[
        Initialize | None, Meta(description="its first configuration; without it, it needs none")
    ] = None
    pause: Annotated[Call | None, Meta(description="stops it when something is wrong")] = None
    unpause: Annotated[Call | None, Meta(description="lets it go on")] = None
    backup: Backup = Backup()


class Migrations(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The database's schema."""

    folder: Annotated[Path, Meta(description="folder of the numbered SQL files")]
    schema: Annotated[
        Path, Meta(description="JSON file: the range of schema versions that the code works with")
    ]


class Store(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What database and cache have in common: how they are reached."""

    access: Annotated[
        Literal["direct", "in-cluster"],
        Meta(description="in-cluster: reachable only from inside, so steps run there as Jobs"),
    ] = "direct"
    url: Annotated[
        Value | None,
        Meta(description="what cbctl itself connects with; a URL with a password is a reference"),
    ] = None
    allow_remote: Annotated[
        bool, Meta(description="let a local environment use one that is not on this machine")
    ] = False


class Database(Store, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Postgres. `url` is that of the role that owns the schema."""

    on: Annotated[
        Literal["local", "kubernetes", "rds", "external"],
        Meta(description="local: cbctl starts it, unless `url` has a value"),
    ]
    admin: Annotated[
        Reference | None,
        Meta(description="URL of a role that may create databases, for `cbctl db restore`"),
    ] = None
    roles: Roles = Roles()
    backups: Backups = Backups()


class Cache(Store, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Redis."""

    on: Annotated[
        Literal["local", "kubernetes", "elasticache", "external"],
        Meta(description="local: cbctl starts it, unless `url` has a value"),
    ]


class Api(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The service."""

    on: Annotated[
        Literal["local", "kubernetes"],
        Meta(description="local: a process on this machine; kubernetes: a Deployment"),
    ]
    source: Annotated[Path, Meta(description="folder of its code")]
    module: Annotated[Text, Meta(description="Python module that runs it")]
    port: Port
    health: Annotated[UrlPath, Meta(description="answers 200 while the process is well")]
    ready: Annotated[
        UrlPath,
        Meta(
            description="answers 200 while it can serve; where the body is JSON with a list"
            " `checks` of `service` and `status`, each must be healthy"
        ),
    ]
    environment: Annotated[dict[Name, Value], Meta(description="variables of the process, by name")]
    kubernetes: Annotated[
        Kubernetes | None, Meta(description="how it runs there; for `on: kubernetes`")
    ] = None


class Webhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whom to tell how a run ended: an HTTP POST, signed with a shared secret."""

    kind: Literal["webhook"]
    url: Annotated[Reference, Meta(description="address; itself a secret")]
    secret: Annotated[Reference, Meta(description="key of the HMAC signature")]


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who the target is, as recorded when the environment was made; checked before changes.

    The chain's is `chain.genesis_hash`.
    """

    cluster_uid: Annotated[Text | None, Meta(description="UID of the namespace kube-system")] = None
    namespace_uid: Annotated[
        Text | None, Meta(description="UID of the environment's own namespace")
    ] = None
    account_id: Annotated[
        Annotated[str, Meta(pattern=r"^[0-9]{12}$", title="twelve digits in quotes")] | None,
        Meta(description="AWS account"),
    ] = None


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of some days of the week; over midnight takes two of them."""

    days: Annotated[
        tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...],
        Meta(description="days of the week"),
    ]
    opens: Annotated[TimeOfDay, Meta(description='first minute, "09:00"')]
    closes: Annotated[TimeOfDay, Meta(description='minute after the last one; "24:00" for all')]


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What cbctl may do by itself, and what holds a deploy back. Rollback, pause and resume are
    never held back."""

    undo_on_failure: Annotated[
        bool, Meta(description="a failed run undoes by itself what it can safely undo")
    ] = True
    windows: Annotated[
        tuple[Window, ...], Meta(description="deploy only then; without any, at all times")
    ] = ()
    time_zone: Annotated[
        Text, Meta(description="of the windows, as the IANA database names it: Europe/Berlin")
    ] = "UTC"
    approval: Annotated[
        bool, Meta(description="a second person approves the plan first: cbctl approve")
    ] = False
    backup_hours: Annotated[
        Annotated[int, Meta(ge=1, le=8760)] | None,
        Meta(description="migrations only with a verified backup of at most this age"),
    ] = None
    digests_only: Annotated[
        bool, Meta(description="images are named by digest (name@sha256:…), never by tag alone")
    ] = False
    signed: Signed | None = None


class Environment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One place where the platform runs."""

    protected: Annotated[
        bool, Meta(description="changes ask for the environment's name, or --confirm NAME")
    ] = False
    chain: Chain
    program: Program
    migrations: Migrations
    database: Database
    cache: Cache
    api: Api
    clusters: Annotated[
        dict[DnsLabel, Cluster], Meta(description="Kubernetes clusters by a name of your own")
    ] = {}
    jobs: Jobs = Jobs()
    images: Annotated[
        dict[DnsLabel, Image],
        Meta(description="images by a name of your own; the service runs from `api`"),
    ] = {}
    secrets: Secrets = {}
    notify: tuple[Webhook, ...] = ()
    identity: Identity = Identity()
    policy: Policy = Policy()
    history: History = History()

    # Filled in by the reader.
    name: str = ""
    platform: str = ""
    folder: Path = Path()

    @property
    def is_local(self) -> bool:
        """Whether any part runs on this machine: then there is a local state folder, and the
        shell's variables are never looked at."""
        parts = (self.chain.on, self.database.on, self.cache.on, self.api.on)
        return self.name == "local" or "local" in parts


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of `cbctl.yaml`, `defaults` already merged into the environments."""

    version: Annotated[Literal[1], Meta(description="of this file's format")]
    min_cbctl: Annotated[
        Annotated[
            str, Meta(pattern=r"^[0-9]+\.[0-9]+(\.[0-9]+)?$", title="a version such as 0.1.0")
        ]
        | None,
        Meta(description="the oldest cbctl that may use this file, e.g. 0.1.0"),
    ] = None
    platform: Annotated[DnsLabel, Meta(description="name of the platform; names state folders")]
    runbooks: Annotated[
        Path | None, Meta(description="folder of your own runbooks; they shadow the shipped ones")
    ] = None
    chains: Annotated[
        dict[DnsLabel, Chain],
        Meta(description="Solana clusters for `cbctl program --cluster NAME`, by name"),
    ] = {}
    environments: Annotated[
        dict[EnvironmentName, Environment],
        Meta(min_length=1, description="environments by name"),
    ]

    # Filled in by the reader. program: of `defaults`, where it is complete; for a cluster alone.
    path: Path = Path()
    program: Program | None = None

    @property
    def folder(self) -> Path:
        """Where cbctl.yaml lies: what its paths are relative to."""
        return self.path.parent


# Fields that the reader fills in and nobody may write.
FILLED_IN: dict[type, frozenset[str]] = {
    Environment: frozenset({"name", "platform", "folder"}),
    Settings: frozenset({"path", "program"}),
}
