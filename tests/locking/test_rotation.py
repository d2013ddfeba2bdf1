"""Two accounts that write in turn: a holder who lost his lock is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from airflow_codebeamer.clock import ManualClock
from airflow_codebeamer.emulator import READ_ONLY, Emulator, WorldBuilder
from airflow_codebeamer.errors import (
    ConfigurationError,
    LockLostError,
    LockRefusedError,
)
from airflow_codebeamer.generator import Program
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import (
    LockState,
    Owner,
    Salvage,
    find_escrows,
    read_escrow,
)
from airflow_codebeamer.locking.rights.watching import RoleWatch
from airflow_codebeamer.locking.rotation import Turn
from airflow_codebeamer.settings import (
    LockSettings,
    ServerSettings,
    Settings,
    StoreSettings,
)
from airflow_codebeamer.skeleton import Skeleton
from airflow_codebeamer.wiring import Codebeamer, connect
from tests.generator.speak import SERVER, SPEAK

A, B, ADMIN = "generator-a", "generator-b", "locksmith"
WRITE = (0, 1, 2, 3, 4, 7, 8, 10, 11)
ONE, TWO, THREE = Owner("run 1"), Owner("run 2"), Owner("run 3")
PUT = "updatePermission"


def secret_of(login: str) -> str:
    return f"of {login} alone"


@dataclass
class Stand:
    """A server with the three accounts, a store, and engines of our own."""

    server: Emulator
    tracker: TrackerId
    item: int
    roles: dict[str, int]
    store: str
    clock: ManualClock
    opened: ExitStack
    notices: int = 0
    said: list[str] = field(default_factory=list)

    def account(self, login: str, role: str = "") -> ServerSettings:
        return ServerSettings(
            url=self.server.url,
            login=login,
            password=SecretStr(secret_of(login)),
            requests_per_second=None,
            requests_per_minute=None,
            exclusive_role=role,
        )

    def process(
        self, *, notices: bool = False, store: str = "", **lock: Any
    ) -> Codebeamer:
        told = {"notice_tracker": self.notices if notices else None}
        settings = Settings(
            server=self.account(ADMIN).model_copy(update=told),
            store=StoreSettings(url=SecretStr(store or self.store)),
            lock=LockSettings(**lock),
            writers=(self.account(A, A), self.account(B, B)),
        )
        return self.opened.enter_context(
            connect(settings, clock=self.clock, say=self.said.append)
        )

    def writes(self, login: str) -> bool:
        """Whether the server lets an account rename the item."""
        named = {"fieldId": 3, "name": "Summary", "type": "TextFieldValue"}
        body = {"fieldValues": [{**named, "value": f"by {login}"}]}
        path = f"/v3/items/{self.item}/fields"
        status = self.server.act(login, "PUT", path, body)
        assert status in (200, 403)
        return status == 200

    def who_writes(self) -> list[str]:
        return [login for login in (A, B, "alice") if self.writes(login)]

    def permissions(self) -> str:
        return self.server.permissions(self.tracker)


@pytest.fixture
def stand(tmp_path: Any, clock: ManualClock) -> Iterator[Stand]:
    build = WorldBuilder()
    project = build.project("Brake System", "BRK")
    roles = {
        "Developer": build.role(project, "Developer"),
        A: build.role(project, A),
        B: build.role(project, B),
        "Locksmith": build.role(project, "Locksmith", trackers_admin=True),
    }
    for login, role in (
        ("alice", "Developer"),
        (A, A),
        (B, B),
        (ADMIN, "Locksmith"),
    ):
        account = build.user(login, password=secret_of(login))
        build.member(project, account, roles[role])
    build.user("root", system_admin=True)
    permissions: dict[int, Any] = dict.fromkeys(roles.values(), READ_ONLY)
    permissions[roles["Developer"]] = WRITE
    tracker = build.tracker(project, "REQ", "REQ", permissions=permissions)
    item = build.item(tracker, "An item")
    rights = {roles["Locksmith"]: (*WRITE, 12, 13, 14)}
    notices = build.tracker(project, "NOTE", "NOTE", permissions=rights, kind="Task")
    with Emulator(world=build.build()) as server, ExitStack() as opened:
        store = f"sqlite:///{tmp_path / 'store.db'}"
        number = TrackerId(tracker)
        yield Stand(server, number, item, roles, store, clock, opened, notices)


def test_the_one_whose_turn_it_is_writes_and_nobody_else(stand):
    process, before = stand.process(), stand.permissions()
    assert stand.who_writes() == ["alice"]
    for owner, expected in ((ONE, A), (TWO, B), (THREE, A)):
        process.engine.acquire(stand.tracker, owner=owner)
        assert stand.who_writes() == [expected]
        report = process.engine.release(stand.tracker, owner_key=owner.key)
        assert (report.drift, report.released) == ((), True)
        assert stand.permissions() == before
    assert "generator-b writes" in "".join(stand.said)


def test_it_costs_a_grant_and_a_list_of_names_more_and_nothing_without(stand):
    process = stand.process()
    process.engine.preflight(stand.tracker).require()
    stand.server.clear_calls()
    process.engine.acquire(stand.tracker, owner=ONE)
    calls = [call["operation"] for call in stand.server.calls()]
    # The tracker, two accounts and their roles; a role reduced, one that writes.
    assert (len(calls), calls.count(PUT)) == (10, 2)
    process.engine.release(stand.tracker, owner_key=ONE.key)
    assert {call["user"] for call in stand.server.calls()} == {ADMIN}


def test_a_holder_who_was_taken_over_is_refused_from_then_on(stand):
    before = stand.permissions()
    stand.process().engine.acquire(stand.tracker, owner=ONE)
    assert stand.writes(A)
    stand.clock.advance(7200)
    second = stand.process()
    assert second.engine.acquire(stand.tracker, owner=TWO).state is LockState.HELD
    assert stand.who_writes() == [B]
    second.engine.release(stand.tracker, owner_key=TWO.key)
    assert stand.permissions() == before
    assert not stand.writes(A)
    # He may be alive yet: his account is not the next one either.
    for owner in (THREE, ONE):
        second.engine.acquire(stand.tracker, owner=owner)
        assert stand.who_writes() == [B]
        second.engine.release(stand.tracker, owner_key=owner.key)


def test_two_taken_over_leave_the_older_account_and_a_warning(stand):
    process = stand.process()
    for owner, expected in ((ONE, A), (TWO, B), (THREE, A)):
        process.engine.acquire(stand.tracker, owner=owner)
        assert stand.who_writes() == [expected]
        stand.clock.advance(7200)
    assert any("make sure that he is dead" in line for line in stand.said)


def test_who_is_taken_over_is_fenced_before_his_run_is_undone_by_the_other(stand):
    before = stand.permissions()
    first = stand.process()
    lock = first.engine.acquire(stand.tracker, owner=ONE)
    items = [{"key": f"k{at}", "name": f"Generated {at}"} for at in range(3)]
    document = Skeleton.model_validate(
        {"owner": "x", "target": {"tracker": stand.tracker}, "items": items}
    )
    # In the middle of his writing he sleeps for longer than his lease lasts.
    with pytest.raises(LockLostError):
        first.runner_with(_Sleep(stand)).apply(
            document, {}, stand.tracker, lock, run_key="run 1"
        )
    assert len(stand.server.items(stand.tracker)) > 1
    assert stand.writes(A)
    stand.server.clear_calls()
    (done,) = stand.process().recovery.recover()
    assert (done.action, done.error) == ("recovered", "")
    assert len(stand.server.items(stand.tracker)) == 1
    assert stand.permissions() == before
    calls = stand.server.calls()
    undone = [c for c in calls if c["operation"] == "deleteTrackerItem"]
    assert {c["user"] for c in undone} == {B}
    fenced = next(c for c in calls if c["operation"] == PUT)
    assert f"/roles/{stand.roles[A]}/" in fenced["path"]
    assert fenced["number"] < undone[0]["number"]
    assert {c["user"] for c in calls if c["operation"] == PUT} == {ADMIN}


class _DeadError(BaseException):
    """The process is gone."""


class _Sleep:
    """A progress hook that sleeps when something is written."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand

    def __call__(self, progress: Any) -> None:
        if len(self._stand.server.items(self._stand.tracker)) > 2:
            self._stand.clock.advance(7200)


def test_a_generator_sees_the_writers_account_only(stand):
    process = stand.process(certificate="fail")
    lock = process.engine.acquire(stand.tracker, owner=ONE)
    stand.server.clear_calls()
    document = Skeleton.model_validate(
        {
            "owner": "x",
            "target": {"tracker": stand.tracker},
            "items": [{"key": "k", "name": "Generated"}],
        }
    )
    process.runner.apply(document, {}, stand.tracker, lock, run_key="run 1")
    assert {call["user"] for call in stand.server.calls()} == {A}
    report = process.engine.release(stand.tracker, owner_key=ONE.key)
    assert report.certificate.changed_by_us == 1


#: Notes whatever it was given: variables, arguments, the files beside its own.
NOSY = """
place = os.path.dirname(os.environ["CB_GEN_CONTEXT"])
files = [os.path.join(place, name) for name in os.listdir(place)]
texts = [open(name).read() for name in files if os.path.isfile(name)]
with open({out!r}, "w") as file:
    json.dump([dict(os.environ), sys.argv, texts], file)
create("by " + os.environ["CB_USERNAME"])
say("result")
"""


@pytest.mark.parametrize("access", ["direct", "relay"])
def test_a_program_is_handed_the_writers_password_and_no_others(
    stand, tmp_path, monkeypatch, access
):
    # What the command line and Airflow are told is in the environment of a task.
    for number, login in enumerate((A, B), 1):
        name = f"CODEBEAMER_WRITER_{number}_PASSWORD"
        monkeypatch.setenv(name, secret_of(login))
    monkeypatch.setenv("CODEBEAMER_PASSWORD", secret_of(ADMIN))
    monkeypatch.setenv("AIRFLOW_CONN_LOCKSMITH", f"x://:{secret_of(ADMIN)}@host")
    out, script = tmp_path / "told.json", tmp_path / "nosy.py"
    script.write_text(SPEAK + SERVER + NOSY.format(out=str(out)))
    program = Program(
        command=(sys.executable, "-S", str(script)), kind="delegate", access=access
    )
    process = stand.process()
    for owner, writer in ((ONE, A), (TWO, B)):
        lock = process.engine.acquire(stand.tracker, owner=owner)
        process.runner.apply(program, {}, stand.tracker, lock, run_key=owner.key)
        process.engine.release(stand.tracker, owner_key=owner.key)
        told = out.read_text()
        handed = {one for one in (A, B, ADMIN) if secret_of(one) in told}
        assert handed == ({writer} if access == "direct" else set())
        names = [item["name"] for item in stand.server.items(stand.tracker)]
        assert f"by {writer}" in names


class _Mortal:
    """A part of a client that ends its process before or after one request."""

    def __init__(self, part: Any, tick: Callable[[str], None]) -> None:
        self._part = part
        self._tick = tick

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._part, name)

        def mortal(*args: Any, **kwargs: Any) -> Any:
            self._tick(f"before {name}")
            answer = call(*args, **kwargs)
            self._tick(f"after {name}")
            return answer

        return mortal


def _mortal(process: Codebeamer, at: int | None, points: list[str]) -> None:
    """Let the administration's client die at a point of its requests."""

    def tick(name: str) -> None:
        points.append(name)
        if len(points) - 1 == at:
            raise _DeadError

    client = process.client
    client.trackers = _Mortal(client.trackers, tick)
    client.users = _Mortal(client.users, tick)
    client.projects = _Mortal(client.projects, tick)


def _lock_and_release(stand: Stand, process: Codebeamer, owner: Owner) -> None:
    process.engine.acquire(stand.tracker, owner=owner)
    process.engine.release(stand.tracker, owner_key=owner.key)


def test_a_crash_at_each_request_and_then_a_recovery_or_the_next_run(stand):
    before = stand.permissions()
    whole: list[str] = []
    process = stand.process()
    # Who is in the roles is asked once a day, which is more than passes here.
    process.engine.preflight(stand.tracker).require()
    _mortal(process, None, whole)
    _lock_and_release(stand, process, ONE)
    assert whole.count("before set_role_permissions") == 4
    for at in range(len(whole)):
        dying = stand.process(membership_age=timedelta(days=9))
        _mortal(dying, at, [])
        with pytest.raises(_DeadError):
            _lock_and_release(stand, dying, ONE)
        stand.clock.advance(7200)
        fresh = stand.process(membership_age=timedelta(days=9))
        if at % 2:
            fresh.engine.acquire(stand.tracker, owner=TWO)
            (writer,) = stand.who_writes()
            assert writer in (A, B)
            fresh.engine.release(stand.tracker, owner_key=TWO.key)
        else:
            fresh.recovery.recover()
        lock = fresh.status.find(stand.server.url, stand.tracker)
        assert lock is None or lock.state is LockState.FREE, whole[at]
        assert stand.permissions() == before, whole[at]
        assert stand.who_writes() == ["alice"], whole[at]


def test_the_same_owner_goes_on_with_his_turn(stand):
    before = stand.permissions()
    dying = stand.process()
    dying.engine.preflight(stand.tracker).require()
    points: list[str] = []
    _mortal(dying, None, points)
    _lock_and_release(stand, dying, ONE)
    puts = [
        at for at, name in enumerate(points) if name == "after set_role_permissions"
    ]
    again = stand.process()
    _mortal(again, puts[1], [])
    with pytest.raises(_DeadError):
        again.engine.acquire(stand.tracker, owner=TWO)
    third = stand.process()
    third.engine.acquire(stand.tracker, owner=TWO)
    assert stand.who_writes() == [B]
    third.engine.release(stand.tracker, owner_key=TWO.key)
    assert stand.permissions() == before
    third.engine.acquire(stand.tracker, owner=ONE)
    assert stand.who_writes() == [A]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("other role", "is in the role Developer as well"),
        ("no role", f"is not in the role {A}"),
        ("rights", f"role {A} may write while nobody holds the tracker"),
        ("nothing", f"role {A} may not view the tracker"),
    ],
)
def test_a_rotation_that_would_fence_nobody_is_refused(stand, change, said):
    world = stand.server.world()
    user = next(one["id"] for one in world["users"] if one["name"] == A)
    (project,) = world["projects"]
    tracker, _ = world["trackers"]
    own = str(stand.roles[A])
    if change == "other role":
        project["members"][str(user)].append(stand.roles["Developer"])
    elif change == "no role":
        del project["members"][str(user)]
    else:
        tracker["permissions"][own] = list(WRITE) if change == "rights" else []
    stand.server.load_world(world)
    before = stand.permissions()
    with pytest.raises(LockRefusedError, match=said):
        stand.process().engine.acquire(stand.tracker, owner=ONE)
    assert stand.permissions() == before


def test_another_strategy_cannot_let_accounts_write_in_turn(stand):
    with pytest.raises(ConfigurationError, match="by role_permissions, not by"):
        stand.process().engine.acquire(stand.tracker, owner=ONE, strategy="advisory")


def test_documents_for_trackers_with_different_writers_are_refused(stand):
    process = stand.process()
    lock = process.engine.acquire(stand.tracker, owner=ONE)
    other = replace(lock, lineage="another", tracker_id=TrackerId(2))
    process.engine.parts.rotation.record(
        process.engine.parts.history, other, Turn(process.writers[1])
    )
    with pytest.raises(ConfigurationError, match="different writers"):
        process.runner.apply_all({}, {}, [lock, other], run_key="run 1")


def test_settings_that_are_no_rotation_are_refused(stand):
    a, b, admin = stand.account(A, A), stand.account(B, B), stand.account(ADMIN)
    store = StoreSettings(url=SecretStr(stand.store))
    for writers, said in (
        ((a,), "two accounts"),
        ((a, a), "three accounts"),
        ((a, stand.account(ADMIN, B)), "three accounts"),
        ((a, stand.account(B, A)), "role of its own"),
        ((a, stand.account(B)), "role of its own"),
        ((a, b.model_copy(update={"url": "https://x.example"})), "one server"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            Settings(server=admin, store=store, writers=writers)


def taken(stand: Stand, *, notices: bool) -> tuple[int, int]:
    """Return the requests of a lock and its release, the second time."""
    engine = stand.process(notices=notices).engine
    counts = []
    for _ in range(2):
        stand.server.clear_calls()
        engine.acquire(stand.tracker, owner=ONE)
        counts.append(len(stand.server.calls()))
        stand.server.clear_calls()
        engine.release(stand.tracker, owner_key=ONE.key)
        counts.append(len(stand.server.calls()))
    return counts[-2], counts[-1]


def test_a_notice_costs_one_more_since_the_writer_is_given_his_rights_last(stand):
    off, on = taken(stand, notices=False), taken(stand, notices=True)
    assert (on[0] - off[0], on[1] - off[1]) == (4, 1)


@pytest.mark.trap("T1", "T25")
@pytest.mark.parametrize("notices", [True, False])
def test_a_lost_store_stops_the_next_lock_and_escrow_takes_the_right_back(
    stand, tmp_path, notices
):
    """Without either, the writer of the lost lock would be told to lose his rights
    by hand, and the next lock would then take everybody's for the originals."""
    before = stand.permissions()
    lines: list[str] = []
    first = stand.process(notices=notices)
    parts = replace(first.engine.parts, escrow=lines.append)
    first.engine.parts = parts
    first.engine.acquire(stand.tracker, owner=ONE)
    assert stand.who_writes() == [A]
    reduced = stand.permissions()

    store = f"sqlite:///{tmp_path / 'another.db'}"
    second = stand.process(notices=notices, store=store)
    says = "--from-notice" if notices else "no record explains it"
    with pytest.raises(LockRefusedError, match=says):
        second.engine.acquire(stand.tracker, owner=TWO)
    assert stand.permissions() == reduced

    found = (
        read_escrow(second.engine.parts, stand.tracker)
        if notices
        else find_escrows("\n".join(lines), "the log")
    )
    Salvage(second.engine.parts, found[-1]).run(by="ann")
    assert stand.permissions() == before
    second.engine.acquire(stand.tracker, owner=TWO)


@dataclass(frozen=True)
class Late:
    """A grant of A's turn that was sent twice, and may land once more."""

    before: str
    rights: list[int]


@pytest.fixture
def late(stand):
    before = stand.permissions()
    process = stand.process()
    process.engine.preflight(stand.tracker).require()
    # The first request reduces the developers, the second lets A write.
    stand.server.add_fault({"kind": "reset", "operation": PUT, "nth": 2})
    process.engine.acquire(stand.tracker, owner=ONE)
    stand.server.clear_faults()
    rights = _rights(stand)[str(stand.roles[A])]
    assert process.engine.release(stand.tracker, owner_key=ONE.key).released
    assert stand.permissions() == before
    return Late(before, list(rights))


def _rights(stand: Stand, world: Any = None) -> dict[str, list[int]]:
    """Return the tracker's permissions in a world, the server's if not given."""
    trackers = (world or stand.server.world())["trackers"]
    (tracker,) = [one for one in trackers if one["id"] == stand.tracker]
    rights: dict[str, list[int]] = tracker["permissions"]
    return rights


def _land(stand: Stand, rights: list[int]) -> None:
    world = stand.server.world()
    _rights(stand, world)[str(stand.roles[A])] = rights
    stand.server.load_world(world)
    assert stand.writes(A)


def test_a_grant_that_lands_after_its_lock_is_taken_back(stand, late):
    _land(stand, late.rights)
    with pytest.raises(LockRefusedError, match="may write while nobody holds"):
        stand.process().engine.acquire(stand.tracker, owner=TWO)
    (shown,) = stand.process().recovery.recover(dry_run=True)
    assert (shown.action, stand.writes(A)) == ("would heal", True)
    (done,) = stand.process().recovery.recover()
    assert (done.action, done.report.released) == ("healed", True)
    assert stand.permissions() == late.before
    assert stand.process().recovery.recover() == []


def test_a_grant_that_lands_under_the_others_lock_goes_with_it(stand, late):
    process = stand.process()
    process.engine.acquire(stand.tracker, owner=TWO)
    _land(stand, late.rights)
    assert stand.who_writes() == [A, B], "two accounts do not exclude that"
    process.engine.release(stand.tracker, owner_key=TWO.key)
    assert stand.permissions() == late.before


def test_a_watched_lock_takes_a_late_grant_back_and_gives_it_to_nobody(stand, late):
    process = stand.process(on_drift="relock")
    lock = process.engine.acquire(stand.tracker, owner=TWO)
    _land(stand, late.rights)
    RoleWatch(process.engine.parts, lock, lambda error: None).look()
    assert stand.who_writes() == [B]
    process.engine.release(stand.tracker, owner_key=TWO.key)
    assert stand.permissions() == late.before


def test_a_part_of_a_grant_is_told_and_left_alone(stand, late):
    part = sorted({*READ_ONLY, 1, 2, 3} & set(late.rights))
    _land(stand, part)
    (told,) = stand.process().recovery.recover()
    assert told.needs_a_person
    assert f"role {A} (has" in told.error
    assert _rights(stand)[str(stand.roles[A])] == part
