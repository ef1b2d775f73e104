"""What cbctl says of a rollout, beside what really happened: doomed ones are named with their cause
and evidence, slow ones are waited for. The cases are tried side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.integration.kubernetes import doomed, slow
from tests.integration.kubernetes.doomed import DOOMED, Doomed
from tests.integration.kubernetes.scene import Scene, Tried, tried
from tests.integration.kubernetes.slow import SLOW
from tests.testbed.kubenode.cluster import Cluster

from cbctl.clients.kubernetes.follow import Failed
from cbctl.clients.kubernetes.rollout import Done

AT_ONCE = 6
Outcome = Callable[[str], Tried]


def cases(names: object, sample: tuple[str, ...]) -> list[object]:
    """Those of the sample, and by `make nightly` all."""
    assert isinstance(names, dict)
    assert set(sample) <= set(names)
    nightly = pytest.mark.nightly
    return [pytest.param(name, marks=() if name in sample else nightly) for name in names]


@pytest.fixture(scope="module")
def outcome(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Outcome]:
    """What became of a case. All that were chosen are begun as soon as the first is asked for."""
    chosen: list[str] = [
        str(item.callspec.params["case"])
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.path == request.path
        and "outcome" in item.fixturenames
    ]
    work = {name: (case.prepare, case.meanwhile) for name, case in DOOMED.items()} | SLOW
    with ThreadPoolExecutor(AT_ONCE) as pool:
        begun = {name: pool.submit(tried, cluster, *work[name]) for name in chosen}
        yield lambda name: begun[name].result()


def check_doomed(case: Doomed, got: Tried) -> None:
    """It is named, with evidence, while the old version serves."""
    found = got.found
    assert isinstance(found, Failed), found
    assert (found.cause.reason, found.late) == (case.reason, False), found
    assert case.said in found.cause.sentence
    assert found.evidence["events"]
    assert case.log in "\n".join(found.evidence.get("log", ()))
    assert got.status["availableReplicas"] == 1


def check_slow(got: Tried) -> None:
    assert isinstance(got.found, Done), got.found
    assert "successfully rolled out" in got.said


@pytest.mark.parametrize("case", cases(DOOMED, doomed.SAMPLE))
def test_a_doomed_rollout_is_named_while_the_old_version_serves(
    outcome: Outcome, case: str
) -> None:
    check_doomed(DOOMED[case], outcome(case))


@pytest.mark.parametrize("case", cases(SLOW, slow.SAMPLE))
def test_a_slow_rollout_is_waited_for(outcome: Outcome, case: str) -> None:
    check_slow(outcome(case))


@pytest.mark.parametrize("case", cases(slow.ALONE, ()))
def test_a_rollout_goes_on_while_the_cluster_is_disturbed(cluster: Cluster, case: str) -> None:
    check_slow(tried(cluster, *slow.ALONE[case]))


@pytest.mark.parametrize("case", cases(doomed.ALONE, ()))
def test_a_doomed_rollout_is_named_while_the_cluster_is_disturbed(
    cluster: Cluster, case: str
) -> None:
    wrong = doomed.ALONE[case]
    check_doomed(wrong, tried(cluster, wrong.prepare, wrong.meanwhile))


@pytest.mark.nightly
def test_a_deployment_that_is_deleted_meanwhile(cluster: Cluster) -> None:
    def deleted(scene: Scene) -> None:
        scene.kubectl("delete", "deployment", "app", "--wait=false")

    found = tried(cluster, lambda scene: scene.set(READY_SECONDS="never"), deleted).found
    assert isinstance(found, Failed)
    assert found.cause.reason == "deleted"
