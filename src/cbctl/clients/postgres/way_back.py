"""Takes migrations back by their down files, the newest first."""

from __future__ import annotations

from cbctl.clients.postgres.compare import back
from cbctl.clients.postgres.job import Job
from cbctl.clients.postgres.migrations import Entry, Migration, checksum
from cbctl.clients.postgres.runner import Piece, Runner, refused, runner


def roll_back(job: Job, to: int) -> tuple[Entry, ...]:
    """Until the schema is at version `to`; returns what was taken back. Raises like `migrate`."""
    with runner(job) as (run, found):
        due = back([migration.entry for migration in job.migrations], found.applied, to)
        if due.problem:
            raise refused(job, due.problem, due.fix)
        files = {migration.entry.version: migration for migration in job.migrations}
        return run.carry_out(found, [_down(run, files[entry.version]) for entry in due.due])


def _down(run: Runner, migration: Migration) -> Piece:
    script, entry = migration.way_back(), migration.entry
    assert script is not None
    return Piece(
        entry,
        script,
        checksum(script.text),
        is_done=lambda row: not run.is_applied(entry, row),
        record=lambda _: run.forget(entry),
    )
