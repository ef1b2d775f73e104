"""Which module holds which step: `db.migrate` is `cbctl.steps.db.migrate`.

The table is static, so that nothing is imported to know what there is.
"""

from __future__ import annotations

import importlib
from typing import Any

from cbctl.engine.step import Step

STEPS: dict[str, str] = {
    "api.build": "Build an image",
    "api.finish": "Remove the side that was left",
    "api.push": "Push an image",
    "api.restart": "Replace the pods of the service by new ones",
    "api.rollout": "Roll the service out on Kubernetes",
    "api.scale": "Set how many pods the service has",
    "api.smoke": "Ask every pod whether the service works",
    "api.soak": "Watch what was rolled out until it has proved itself",
    "api.undo": "Bring back what was rolled out before",
    "db.analyze": "Brings the planner's statistics up to date",
    "db.backup": "Takes a backup of the database",
    "db.baseline": "Takes a database over whose schema is there already",
    "db.clone": "Restores data of another environment, its people made other people",
    "db.kill": "Ends sessions of the database",
    "db.maintain": "Vacuums and analyzes the tables that want it",
    "db.migrate": "Runs the migrations of the database that are due",
    "db.prune": "Removes old backups of the database",
    "db.repair": "Mends what keeps migrations from running",
    "db.restore": "Restores a backup of the database",
    "db.restore_undo": "Puts the database back that a restore replaced",
    "db.roles": "Makes the roles of the database, or puts them right",
    "db.rollback": "Takes migrations back by their down files",
    "db.safeguard": "Takes and proves a backup before migrations, where the last one is too old",
    "db.seed": "Fills the database with invented data",
    "env.identity": "Ask every system whether it is the one that was recorded",
    "env.preflight": "Look for what would stop the deploy half-way",
    "env.record": "Record who the target of the environment is",
    "local.api": "Run the API service on this machine",
    "local.artifact": "Keep a file for this release",
    "local.keys": "Make the keypairs of this machine",
    "local.localnet": "Run a Solana localnet on this machine",
    "local.mint": "Make a token on the cluster of this machine",
    "local.postgres": "Run Postgres on this machine",
    "local.redis": "Run Redis on this machine",
    "local.verify": "Ask every part of the local platform whether it works",
    "program.abort": "Give up a deploy that was begun",
    "program.airdrop": "Fill a wallet up from the faucet",
    "program.authority_accept": "Accept an offer of the upgrade authority",
    "program.authority_offer": "Offer the upgrade authority to a key that is elsewhere",
    "program.authority_set": "Hand the upgrade authority on",
    "program.buffers_close": "Close buffers and get their lamports back",
    "program.close": "Close the program for ever",
    "program.deploy": "Deploy or upgrade the on-chain program",
    "program.extend": "Make room for a larger program",
    "program.idl_publish": "Publish the program's IDL on chain",
    "program.init": "Write the program's first configuration",
    "program.pause": "Pause the program",
    "program.rollback": "Bring the program back to the one before",
    "program.unpause": "Let a paused program go on",
    "program.upgrade": "Upgrade the on-chain program",
    "secrets.handover": "Hand Secrets over to External Secrets",
    "secrets.write": "Write Secrets that no operator keeps",
}


def step(name: str) -> Step[Any, Any, Any]:
    """The step of that name. The name is one of STEPS."""
    module = importlib.import_module(f"cbctl.steps.{name}")
    loaded: Step[Any, Any, Any] = module.STEP
    return loaded
