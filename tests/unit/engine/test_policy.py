"""What holds a deploy back, and what never does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from tests.unit.engine.steps import Script, Systems, node
from tests.unit.engine.world import Disk, Machine, Process, deploy, job, machine, planned

from cbctl.config.types import Policy, Window
from cbctl.engine import journal, policy
from cbctl.engine.clock import stamp
from cbctl.engine.journal import Journal
from cbctl.engine.lock import acquire
from cbctl.engine.policy import Case, Objection
from cbctl.errors import CbctlError, Exit

PLAN = "ab" * 32
HOUR = 3600.0


def laying_down(on: Machine, stream: str = policy.HISTORY) -> Journal:
    held = acquire(on.store, on.world.clock, on.world.owner, "-", "policy")
    return Journal(on.store, on.world.clock, stream, held.token)


@dataclass
class Board:
    """One environment with its clock; `asks` for what holds a run back now."""

    on: Machine

    @property
    def now(self) -> float:
        return self.on.world.clock.wall()

    def asks(
        self,
        rules: Policy | None = None,
        who: str = "anna",
        plan: str = PLAN,
        migrates: bool = True,
    ) -> tuple[Objection, ...]:
        found = policy.standing(self.on.store)
        case = Case(plan, who, migrates)
        return policy.objections(self.on.store, rules or Policy(), found, case, self.now)

    def rules(self, rules: Policy | None = None, **case: object) -> list[str]:
        return [o.rule for o in self.asks(rules, **case)]  # type: ignore[arg-type]

    def freeze(self, reason: str, until: str = "") -> None:
        policy.freeze(laying_down(self.on), "ben", "host", reason, until)
        self._release()

    def unfreeze(self) -> None:
        policy.unfreeze(laying_down(self.on), "ben", "host", "over")
        self._release()

    def approve(self, who: str, plan: str = PLAN) -> None:
        policy.approve(laying_down(self.on), self.on.store, who, "host", plan)
        self._release()

    def backup(self, id: str, *, age: float = 0) -> None:
        """Proves one that was made `age` seconds ago."""
        log = laying_down(self.on, policy.BACKUPS)
        policy.backup_verified(log, "ben", "host", id, stamp(self.now - age), "0" * 64)
        self._release()

    def later(self, seconds: float) -> None:
        self.on.disk.monotonic += seconds

    def _release(self) -> None:
        self.on.disk.lock = None


@pytest.fixture
def board() -> Board:
    return Board(machine(Disk()))


def test_without_a_policy_nothing_is_held_back(board: Board) -> None:
    assert board.asks() == ()


# -- freeze ---------------------------------------------------------------------------------


def test_a_freeze_holds_until_it_is_lifted(board: Board) -> None:
    board.freeze("final of the cup")
    (objection,) = board.asks()
    assert objection.rule == "freeze"
    assert "by ben" in objection.why and "final of the cup" in objection.why
    assert "cbctl unfreeze" in objection.fix
    board.later(1000 * HOUR)
    assert board.rules() == ["freeze"]
    board.unfreeze()
    assert board.asks() == ()


def test_a_freeze_with_an_end_ends_by_itself(board: Board) -> None:
    board.freeze("short", stamp(board.now + HOUR))
    assert "until" in board.asks()[0].why
    board.later(HOUR - 1)
    assert board.rules() == ["freeze"]
    board.later(1)
    assert board.asks() == ()


def test_the_newest_freeze_counts(board: Board) -> None:
    board.freeze("first")
    board.freeze("second", stamp(board.now + HOUR))
    assert "second" in board.asks()[0].why and "first" not in board.asks()[0].why
    board.later(2 * HOUR)
    assert board.asks() == ()


# -- windows --------------------------------------------------------------------------------

OFFICE = (Window(days=("mon", "tue"), opens="09:00", closes="17:00"),)


def at(board: Board, text: str) -> Board:
    """Moves the clock there."""
    wanted = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    board.later(wanted - board.now)
    return board


@pytest.mark.parametrize(
    ("when", "open_"),
    [
        ("2027-01-04T08:59:59", False),  # a Monday
        ("2027-01-04T09:00:00", True),
        ("2027-01-04T16:59:59", True),
        ("2027-01-04T17:00:00", False),
        ("2027-01-05T12:00:00", True),
        ("2027-01-06T12:00:00", False),
    ],
)
def test_windows(board: Board, when: str, open_: bool) -> None:
    found = at(board, when).asks(Policy(windows=OFFICE))
    assert [o.rule for o in found] == ([] if open_ else ["window"])
    if found:
        assert "mon tue 09:00-17:00 UTC" in found[0].why


@pytest.mark.parametrize(
    ("when", "open_"),
    [
        ("2027-01-04T07:59:00", False),  # 08:59 in Berlin in winter
        ("2027-01-04T08:00:00", True),
        ("2027-07-05T06:59:00", False),  # and 09:00 comes an hour earlier in summer
        ("2027-07-05T07:00:00", True),
        ("2027-01-05T23:30:00", False),  # Wednesday there already
    ],
)
def test_windows_are_in_their_own_time_zone(board: Board, when: str, open_: bool) -> None:
    late = Window(days=("tue",), opens="20:00", closes="24:00")
    rules = Policy(windows=(*OFFICE, late), time_zone="Europe/Berlin")
    found = at(board, when).asks(rules)
    assert [o.rule for o in found] == ([] if open_ else ["window"])


# -- approval -------------------------------------------------------------------------------

TWO = Policy(approval=True)


def test_only_a_second_person_approves(board: Board) -> None:
    assert board.rules(TWO) == ["approval"]
    board.approve("anna")
    (objection,) = board.asks(TWO)
    assert "anna's own approval does not count" in objection.why
    assert f"cbctl approve {PLAN}" in objection.fix
    board.approve("ben")
    assert board.asks(TWO) == ()
    assert board.rules(TWO, who="ben") == []  # who was approved by anna


def test_another_account_does_not_make_another_person(board: Board) -> None:
    board.approve("anna as deploy")
    assert board.rules(TWO, who="anna") == ["approval"]
    assert board.rules(TWO, who="anna as root") == ["approval"]
    assert board.rules(TWO, who="ben as deploy") == []
    # of the shared account alone nobody can say who used it
    assert board.rules(TWO, who="deploy") == ["approval"]
    board.approve("root")
    assert board.rules(TWO, who="anna as root") == ["approval"]


def test_an_approval_is_of_one_plan_and_for_two_hours(board: Board) -> None:
    board.approve("ben")
    assert board.rules(TWO, plan="cd" * 32) == ["approval"]
    board.later(2 * HOUR)
    assert board.rules(TWO) == []
    board.later(1)
    (objection,) = board.asks(TWO)
    assert "the approval by ben" in objection.why and "over two hours old" in objection.why


def test_an_approval_of_the_future_does_not_count(board: Board) -> None:
    """The clock was set back since: nobody knows how old it is."""
    board.approve("ben")
    board.later(-HOUR)
    assert board.rules(TWO) == ["approval"]


def test_an_approval_is_used_up_by_the_run_of_its_plan() -> None:
    systems, process = Systems(), Process()
    on = machine(Disk(), process=process)
    board = Board(on)
    made = job(node("a", systems, process, Script()))
    plan = planned(on, made).hash
    board.approve("ben", plan)
    assert board.rules(TWO, plan=plan) == []
    assert deploy(on, made).exit is Exit.DONE
    assert "was used by a run" in board.asks(TWO, plan=plan)[0].why
    board.later(1)
    board.approve("ben", plan)
    assert board.rules(TWO, plan=plan) == []


# -- backup ---------------------------------------------------------------------------------


def test_migrations_want_a_fresh_verified_backup(board: Board) -> None:
    rules = Policy(backup_hours=24)
    assert board.rules(rules, migrates=False) == []
    assert "there is none" in board.asks(rules)[0].why
    board.backup("b1")
    assert board.asks(rules) == ()
    board.later(24 * HOUR)
    assert board.asks(rules) == ()
    board.later(1)
    assert board.rules(rules) == ["backup"]


def test_an_old_backup_that_is_proved_now_is_an_old_one(board: Board) -> None:
    rules = Policy(backup_hours=24)
    board.backup("b1", age=25 * HOUR)
    assert board.rules(rules) == ["backup"]
    board.backup("b2")
    assert board.asks(rules) == ()
    board.backup("b3", age=30 * HOUR)
    assert board.asks(rules) == ()


# -- digests --------------------------------------------------------------------------------

DIGEST = "registry.example/api@sha256:" + "0" * 64


@dataclass(frozen=True)
class Rollout:
    image: str
    side_image: str = ""
    name: str = "api:latest"


def test_images_are_named_by_digest() -> None:
    policy.require_digests(Rollout(DIGEST), "api")
    policy.require_digests(Rollout("registry.example:5000/api:1.2@sha256:" + "a" * 64), "api")
    for tag in ("api:latest", "api", DIGEST[:-1], DIGEST + "0", DIGEST.replace("256", "512")):
        for inputs in (Rollout(tag), Rollout(DIGEST, tag)):
            with pytest.raises(CbctlError) as refused:
                policy.require_digests(inputs, "api")
            assert refused.value.exit is Exit.REFUSED and refused.value.where == "api"


# -- all of it ------------------------------------------------------------------------------


def test_every_rule_is_told_at_once_and_how_to_go_past_it(board: Board) -> None:
    board.freeze("cup")
    rules = Policy(windows=OFFICE, approval=True, backup_hours=1)
    found = at(board, "2027-01-06T12:00:00").asks(rules)
    error = policy.refusal(found, "production")
    assert error.exit is Exit.REFUSED
    for rule in ("freeze", "window", "approval", "backup"):
        assert f"{rule}: " in error.what and f"--override {rule}" in error.fix
    assert "cbctl unfreeze ENV" in error.fix


def test_what_was_laid_down_is_chained_and_runs_name_its_end(board: Board) -> None:
    board.freeze("cup")
    on, systems = board.on, Systems()
    assert deploy(on, job(node("a", systems, on.process))).exit is Exit.DONE
    end = journal.head(on.store, policy.HISTORY)
    (run,) = on.disk.runs()
    told = on.disk.records(run)[0].data["policy"]
    assert told == {"stream": end.stream, "count": 1, "hash": end.hash}
    on.disk.streams[policy.HISTORY][0] = on.disk.streams[policy.HISTORY][0].replace(b"cup", b"tea")
    on.disk.streams[policy.HISTORY].append(b"{}")
    with pytest.raises(CbctlError) as broken:
        policy.standing(on.store)
    assert broken.value.exit is Exit.DIFFERS
