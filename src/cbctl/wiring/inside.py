"""A command that only looks, carried out inside the cluster: the same words, in a Job.

It gets cbctl.yaml, the migrations and the values of the database's and the cache's references,
nothing else: no wallet, no variables of this machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from cbctl import __version__
from cbctl.config.load import FILE
from cbctl.config.types import Environment, Reference
from cbctl.errors import CbctlError, Exit
from cbctl.local import scratch
from cbctl.secrets.reveal import HANDED
from cbctl.steps.in_cluster import task as tasks
from cbctl.steps.in_cluster.step import new_name
from cbctl.wiring.in_cluster import place_of
from cbctl.wiring.workplace import Workplace

WORDS = "words.json"
SECONDS = 600
_STICKY = "/dev/shm"  # noqa: S108


class OnlyInside(CbctlError):
    """Raised before anything is done: this command's part is reached only inside the cluster."""

    def __init__(self, work: Workplace) -> None:
        super().__init__("is reached only inside its cluster", exit=Exit.REFUSED)
        self.work = work


def relay(work: Workplace, words: Sequence[str]) -> int:
    """Carries out the command line there; what it prints is printed here. Its exit code."""
    from cbctl.clients.kubernetes import job
    from cbctl.clients.kubernetes.api import Api

    place = place_of(work)
    values = _values(work.env)
    handed = {text: f"CBCTL_VALUE_{n}" for n, text in enumerate(values)}
    content = {
        "cbctl": __version__,
        "words": _without_config(words),
        "platform": work.env.platform,
        "env": work.env.name,
    }
    sent = json.dumps({**content, "handed": handed}).encode()
    archive = _packed(work.env, work.settings.path)
    tasks.require_size(len(sent) + len(archive), work.env.name)
    wanted = job.Wanted(
        name=new_name("look"),
        image=place.image,
        service_account=place.service_account,
        seconds=SECONDS,
        about={"command": " ".join(_without_config(words))},
        files={WORDS: sent, tasks.FILES: archive},
        secrets={handed[text]: job.Key(one.name, one.key) for text, one in values.items()},
        room=job.Room(place.disk),
    )
    api = Api.connect(place.context, place.namespace)
    try:
        api.require_uid(place.namespace_uid)
        with closing(job.lines(api, wanted, time.monotonic, lambda: None)) as lines:
            found = _answer(lines)
        job.remove(api, wanted.name)
    except KeyboardInterrupt:
        job.remove(api, wanted.name)
        raise
    finally:
        api.close()
    sys.stdout.write(found["stdout"])
    sys.stderr.write(found["stderr"])
    return int(found["exit"])


def carried_out(folder: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """The side of the Job: the command line, run in a process of its own."""
    content = json.loads((folder / WORDS).read_bytes())
    tasks.require_version(content["cbctl"])
    with (
        tempfile.TemporaryDirectory(prefix="look-") as made,
        own_state(content["platform"], content["env"]) as states,
    ):
        tasks.unpacked((folder / tasks.FILES).read_bytes(), Path(made))
        own = dict(environ) | {
            HANDED: json.dumps(content["handed"]),
            "CBCTL_ENV": content["env"],
            "CBCTL_STATE_DIR": str(states),
        }
        done = subprocess.run(
            [sys.executable, "-m", "cbctl", *content["words"]],
            cwd=made,
            env=own,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    return {"stdout": done.stdout, "stderr": done.stderr, "exit": done.returncode}


@contextmanager
def own_state(*names: str) -> Iterator[Path]:
    """A folder for the time of one call, in which `names` lead to that of a state.

    It stands where only owners can exchange what is theirs: a pod's own volumes may be written by
    everybody in it, which a state is refused in. What is large lies on such a volume all the same,
    for memory is dear."""
    with (
        tempfile.TemporaryDirectory(prefix="state-", dir=_STICKY) as made,
        tempfile.TemporaryDirectory(prefix="disk-") as disk,
    ):
        state = Path(made, *names)
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        (state / scratch.FOLDER).symlink_to(disk)
        yield Path(made)


def _answer(lines: Any) -> dict[str, Any]:
    for text in lines:
        match tasks.line(text):
            case tasks.Answer(value):
                found: dict[str, Any] = value
                return found
            case tasks.Failure() as failure:
                raise failure.error()
    raise CbctlError("the pod ended without an answer", exit=Exit.FAILED)


def _values(env: Environment) -> dict[str, Reference]:
    found = {}
    for url in (env.database.url, env.cache.url):
        if isinstance(url, Reference) and url.kind == "secret":
            found[url.text] = url
    return found


def _packed(env: Environment, config: Path) -> bytes:
    wanted = {FILE: config}
    for path in (env.migrations.folder, env.migrations.schema):
        if path is None or not path.exists():
            continue
        try:
            wanted[str(path.resolve().relative_to(env.folder.resolve()))] = path
        except ValueError:
            raise CbctlError(
                "is sent into the cluster, and must be below the folder of cbctl.yaml",
                exit=Exit.USAGE,
                where=str(path),
            ) from None
    return tasks.packed(wanted)


def _without_config(words: Sequence[str]) -> list[str]:
    kept: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--config":
            left[:1] = []
        elif not word.startswith("--config="):
            kept.append(word)
    return kept
