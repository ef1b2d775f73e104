"""The program of a release, in the store that all machines share: whoever goes back to it finds it
there, on whichever machine it was built."""

from __future__ import annotations

from cbctl.engine.job import Job
from cbctl.errors import CbctlError
from cbctl.local import artifacts
from cbctl.steps.local.artifact import LIMIT
from cbctl.wiring.workplace import Workplace

_STEP = "local.artifact"


def lend(work: Workplace, job: Job) -> None:
    """Before a run that is to record it. On this machine alone, the step itself keeps it."""
    if work.env.is_local or job.records is None:
        return
    for node in job.nodes:
        if node.name == _STEP and (file := node.bind({}).file) is not None:
            work.store.put_blob(file.read_bytes())


def bring(work: Workplace, job: Job) -> None:
    """Before the plan of a run that needs one that is kept. What cannot be had is the step's own
    to say."""
    if work.env.is_local:
        return
    for node in job.nodes:
        if node.name != _STEP or not (sha256 := node.bind({}).sha256):
            continue
        if artifacts.is_kept(work.state, sha256):
            continue
        try:
            content = work.store.get_blob(sha256)
        except (CbctlError, OSError):
            continue
        beside = work.state.path / f"{sha256}.brought"
        beside.write_bytes(content)
        try:
            artifacts.put_file(work.state, beside, limit=LIMIT)
        finally:
            beside.unlink()
