"""The certificate: what others changed in a tracker while it was locked."""

from __future__ import annotations

import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest
import requests

from airflow_codebeamer.errors import (
    ForeignChangesError,
    LockRefusedError,
    NotFoundError,
    RestorePendingError,
    ServerError,
)
from airflow_codebeamer.ids import ItemId
from airflow_codebeamer.journal import Journal, Run, Runs
from airflow_codebeamer.locking import Certificate, Heartbeat, LockState, LockStatus
from airflow_codebeamer.locking.audit.appendix import look_beside
from airflow_codebeamer.locking.audit.glancing import Glances
from airflow_codebeamer.locking.audit.judging import Suspect, compare, foreign_versions
from airflow_codebeamer.locking.audit.siblings import Touched
from airflow_codebeamer.locking.audit.sight import Glimpse, Sight, look_at, look_since
from airflow_codebeamer.models import NewItem, Version
from airflow_codebeamer.settings import LockSettings

QUERY, HISTORY = "findTrackerItemsByCbQL", "getTrackerItemHistory"


def _settings(**more):
    return LockSettings(certificate="warn", **more)


class Scene:
    """A tracker with items, locked with a certificate, and people who may write."""

    def __init__(self, bench, owner, *, items=3, **settings):
        self.bench, self.owner = bench, owner
        self.ours = bench.client()
        self.items = []
        for number in range(items):
            if number == items - 3:
                # What else changed in the second of the last change is few items.
                self.later()
            new = NewItem(f"Item {number}")
            self.items.append(self.ours.items.create_item(bench.tracker, new).id)
        self.later()
        self.engine = bench.engine(settings=_settings(**settings))
        self.lock = self.engine.acquire(bench.tracker, owner=owner)

    def later(self):
        self.bench.server.advance(5)

    def rename(self, item, name, user="root"):
        body = {
            "fieldValues": [
                {
                    "fieldId": 3,
                    "name": "Summary",
                    "type": "TextFieldValue",
                    "value": name,
                }
            ]
        }
        answer = self.bench.server.act(user, "PUT", f"/v3/items/{item}/fields", body)
        assert answer == 200

    def create(self, user="root"):
        path = f"/v3/trackers/{self.bench.tracker}/items"
        assert self.bench.server.act(user, "POST", path, {"name": "Foreign"}) == 200
        return max(item["id"] for item in self.bench.server.items(self.bench.tracker))

    def delete(self, item, user="root"):
        assert self.bench.server.act(user, "DELETE", f"/v3/items/{item}") == 200

    def comment(self, item, user="root"):
        """Comment over HTTP: it is a form, which `act` cannot send."""
        answer = requests.post(
            f"{self.bench.server.url}/api/v3/items/{item}/comments",
            auth=(user, user),
            files={"comment": (None, "Hm.")},
            timeout=10,
        )
        assert answer.status_code == 200
        return answer.json()["id"]

    def put_first(self, item, user="root"):
        path = f"/v3/trackers/{self.bench.tracker}/children?mode=INSERT"
        body = {"itemReference": {"id": item, "type": "TrackerItemReference"}}
        body["index"] = 0
        assert self.bench.server.act(user, "PATCH", path, body) == 200

    def release(self):
        self.bench.server.clear_calls()
        report = self.engine.release(self.bench.tracker, owner_key=self.owner.key)
        assert report.released
        return report.certificate


@pytest.fixture
def scene(bench, owner):
    return Scene(bench, owner)


def _told(certificate):
    return [(c.kind, c.item_id, c.by) for c in certificate.changes]


def test_nobody_wrote_is_a_statement_with_counts_and_digests(scene):
    certificate = scene.release()
    assert certificate.is_clean
    assert certificate.items_before == certificate.items_after == 4
    assert certificate.digest_before == certificate.digest_after != ""
    assert certificate.sentence.startswith("nobody else changed anything")
    assert len(scene.bench.operations(QUERY)) == 1
    assert scene.bench.operations(HISTORY) == []
    assert certificate.requests == 3  # the account, and a look at each end


def test_what_our_own_account_writes_does_not_count(scene):
    scene.rename(scene.items[0], "ours", user="generator")
    scene.create(user="generator")
    certificate = scene.release()
    assert certificate.is_clean
    assert certificate.changed_by_us == 2
    assert certificate.digest_before != certificate.digest_after
    # One version more, and it is ours: no history is needed to know that.
    assert certificate.histories == 0


@pytest.mark.trap("T37")
def test_an_administrators_edit_is_told_with_author_and_time(scene):
    scene.rename(scene.items[1], "foreign")
    certificate = scene.release()
    (change,) = certificate.changes
    assert (change.kind, change.item_id, change.by) == (
        "changed",
        scene.items[1],
        "root",
    )
    assert change.at >= certificate.stamp_before
    assert change.version == 2
    assert certificate.foreign == 1
    assert not certificate.is_clean


def test_an_item_that_an_administrator_made_is_told(scene):
    item = scene.create()
    assert _told(scene.release()) == [("created", item, "root")]


def test_a_deleted_item_is_told_but_not_by_whom(scene):
    scene.delete(scene.items[2])
    certificate = scene.release()
    assert _told(certificate) == [("deleted", scene.items[2], "")]
    assert certificate.items_before == certificate.items_after + 1


def test_a_comment_is_told_with_author_and_time_though_it_makes_no_version(scene):
    scene.comment(scene.items[0], user="generator")
    scene.comment(scene.items[1])
    scene.comment(scene.items[1], user="generator")
    certificate = scene.release()
    (change,) = certificate.changes
    assert (change.kind, change.item_id, change.by) == (
        "commented",
        scene.items[1],
        "root",
    )
    assert change.at > certificate.stamp_before
    assert str(change).startswith(f"item {scene.items[1]} commented by root at 2026-")
    assert len(scene.bench.operations("getTrackerItemComments")) == 2


def test_a_comment_that_is_gone_is_told_but_not_by_whom(bench, owner):
    scene = Scene(bench, owner)
    scene.release()
    number = scene.comment(scene.items[0])
    scene.engine.acquire(bench.tracker, owner=owner)
    path = f"/v3/items/{scene.items[0]}/comments/{number}"
    assert bench.server.act("root", "DELETE", path) == 200
    (change,) = scene.release().changes
    assert (change.kind, change.item_id, change.count) == (
        "comment deleted",
        scene.items[0],
        1,
    )
    assert "1 comment(s)" in str(change)


def test_comments_that_may_not_be_read_are_a_gap(scene):
    scene.comment(scene.items[0])
    fault = {"operation": "getTrackerItemComments", "kind": "status", "status": 403}
    scene.bench.server.add_fault({**fault, "times": 20})
    certificate = scene.release()
    assert certificate.gaps == ("who wrote the new comments of 1 item(s) was not read",)
    assert not certificate.is_clean


def test_another_order_is_told_though_it_makes_no_version(scene):
    scene.put_first(scene.items[2])
    (change,) = scene.release().changes
    assert (change.kind, change.item_id) == ("reordered", None)
    assert "items at the top reordered" in str(change)


def test_an_order_that_a_run_of_ours_meant_is_not_foreign(scene):
    bench, lock = scene.bench, scene.lock
    run = Run("run 1", lock.server, lock.tracker_id, lock.lineage, lock.epoch)
    Runs(bench.database).open_run(run)
    intent = {"item": scene.items[2], "key": "one", "source": None, "target": None}
    Journal(bench.database).begin("run 1", "move", "one", intent, epoch=lock.epoch)
    scene.put_first(scene.items[2], user="generator")
    assert scene.release().is_clean
    # What somebody puts between ours changes nobody's order.
    scene.engine.acquire(bench.tracker, owner=scene.owner)
    scene.create(user="generator")
    assert scene.release().is_clean


def test_a_look_of_an_older_release_tells_nothing_of_order_and_comments():
    sight = Sight(1, "", True, {7: 1}, {7: (0, 0)}, {7: (3001,)})
    kept = sight.to_json()
    assert Sight.from_json(kept) == sight
    old = Sight.from_json({k: v for k, v in kept.items() if k != "places"})
    assert old.places == {}
    assert compare(old, sight, {}, us=1, touched=Touched()).changes == []


def test_what_a_run_of_ours_discarded_is_not_foreign(scene):
    bench, lock = scene.bench, scene.lock
    run = Run("run 1", lock.server, lock.tracker_id, lock.lineage, lock.epoch)
    Runs(bench.database).open_run(run)
    intent = {"item": scene.items[0], "key": "one", "name": "One"}
    Journal(bench.database).begin("run 1", "discard", "one", intent, epoch=lock.epoch)
    scene.delete(scene.items[0], user="generator")
    certificate = scene.release()
    assert certificate.is_clean
    assert certificate.deleted_by_us == 1


def test_an_item_that_both_touched_is_found_in_its_history(scene):
    scene.rename(scene.items[0], "foreign")
    scene.rename(scene.items[0], "ours", user="generator")
    scene.rename(scene.items[1], "ours", user="generator")
    scene.rename(scene.items[1], "ours again", user="generator")
    certificate = scene.release()
    (change,) = certificate.changes
    assert (change.item_id, change.by, change.version) == (scene.items[0], "root", 2)
    assert change.fields
    assert certificate.histories == len(scene.bench.operations(HISTORY)) == 2
    assert certificate.changed_by_us == 1


def test_two_edits_in_the_second_of_the_last_edit_before_the_lock(bench, owner):
    bench.server.advance(60)
    scene = Scene(bench, owner)
    # The clock of the server is where our last item was made.
    bench.server.advance(-5)
    scene.rename(scene.items[0], "foreign")
    scene.rename(scene.items[1], "ours", user="generator")
    scene.rename(scene.items[2], "foreign as well")
    assert sorted(_told(scene.release())) == [
        ("changed", scene.items[0], "root"),
        ("changed", scene.items[2], "root"),
    ]


def test_more_histories_than_allowed_leave_a_gap(bench, owner):
    scene = Scene(bench, owner, certificate_histories=1)
    for item in scene.items:
        scene.rename(item, "ours", user="generator")
        scene.rename(item, "ours again", user="generator")
    certificate = scene.release()
    assert certificate.histories == 1
    assert not certificate.is_clean
    assert certificate.foreign == 0
    assert "of 2 item(s)" in certificate.gaps[0]


def test_the_end_is_what_was_seen_before_the_restore(scene):
    """What is written after the tracker is free belongs to no lock."""
    bench = scene.bench
    bench.server.add_fault(
        {"operation": "updatePermission", "kind": "status", "status": 500, "times": 20}
    )
    with pytest.raises(RestorePendingError):
        scene.engine.release(bench.tracker, owner_key=scene.owner.key)
    bench.server.clear_faults()
    scene.rename(scene.items[0], "while it was owed")
    bench.pass_time(seconds=60)
    certificate = scene.release()
    assert certificate.is_clean
    assert scene.bench.operations(QUERY) == []


def test_a_restore_does_not_wait_for_a_look_that_fails(scene):
    bench = scene.bench
    bench.server.add_fault(
        {"operation": QUERY, "kind": "status", "status": 500, "times": 20}
    )
    certificate = scene.release()
    assert bench.engine().parts.store.find(bench.server.url, bench.tracker).state is (
        LockState.FREE
    )
    assert not certificate.is_clean
    assert "could not be read at the end (status 500)" in certificate.gaps[0]


def test_a_history_that_may_not_be_read_is_a_gap(scene):
    scene.rename(scene.items[0], "ours", user="generator")
    scene.rename(scene.items[0], "ours again", user="generator")
    scene.bench.server.add_fault(
        {"operation": HISTORY, "kind": "status", "status": 403, "times": 20}
    )
    certificate = scene.release()
    assert certificate.gaps[0].endswith("(status 403)")
    assert not certificate.is_clean


@pytest.mark.trap("T37")
def test_fail_is_said_when_the_tracker_is_free(bench, owner):
    scene = Scene(bench, owner)
    engine = bench.engine(settings=LockSettings(certificate="fail"))
    engine.release(bench.tracker, owner_key=owner.key)
    engine.acquire(bench.tracker, owner=owner)
    scene.rename(scene.items[0], "foreign")
    before = bench.permissions()
    report = engine.release(bench.tracker, owner_key=owner.key, judge=False)
    assert report.released
    assert bench.permissions() != before
    with pytest.raises(ForeignChangesError) as raised:
        report.require()
    assert raised.value.count == 1
    assert f"item {scene.items[0]} changed by root" in str(raised.value)


def test_a_release_by_its_owner_raises_by_itself_when_all_is_free(stored, owner):
    engine = stored.engine(settings=LockSettings(certificate="fail"))
    before = stored.permissions()
    lock = engine.acquire(stored.tracker, owner=owner)
    path = f"/v3/trackers/{stored.tracker}/items"
    assert stored.server.act("root", "POST", path, {"name": "Foreign"}) == 200
    with pytest.raises(ForeignChangesError, match="1 change"):
        engine.release(stored.tracker, owner_key=owner.key, epoch=lock.epoch)
    assert stored.permissions() == before
    found = LockStatus(engine.parts.store).list_certificates(
        stored.server.url, stored.tracker
    )
    assert [one.kind for one in found[-1].changes] == ["created"]
    # Another lock of the same owner has nothing to answer for.
    engine.acquire(stored.tracker, owner=owner)
    report = engine.release(stored.tracker, owner_key=owner.key)
    assert report.certificate.is_clean


def test_fail_takes_no_lock_that_it_could_not_vouch_for(bench, owner):
    engine = bench.engine(settings=LockSettings(certificate="fail"))
    bench.server.add_fault(
        {"operation": QUERY, "kind": "status", "status": 500, "times": 20}
    )
    with pytest.raises(ServerError):
        engine.acquire(bench.tracker, owner=owner)
    bench.server.clear_faults()
    engine.acquire(bench.tracker, owner=owner)
    assert engine.release(bench.tracker, owner_key=owner.key).certificate.is_clean


def test_it_is_kept_and_read_back_without_a_server(scene):
    scene.rename(scene.items[1], "foreign")
    certificate = scene.release()
    bench = scene.bench
    status = LockStatus(bench.engine().parts.store)
    assert status.list_certificates(bench.server.url, bench.tracker) == [certificate]
    assert Certificate.from_json(certificate.to_json()) == certificate
    kinds = {e.kind: e for e in status.history(bench.server.url, bench.tracker)}
    assert "packed" not in kinds["witness_began"].detail


def test_recovery_certifies_what_a_dead_holder_began(scene):
    scene.rename(scene.items[1], "foreign")
    scene.bench.pass_time(hours=2)
    (recovered,) = scene.bench.recovery().recover()
    assert _told(recovered.report.certificate) == [("changed", scene.items[1], "root")]


def test_off_asks_for_nothing(bench, owner):
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    assert engine.release(bench.tracker, owner_key=owner.key).certificate is None
    assert bench.operations(QUERY, HISTORY) == []


@pytest.fixture
def large(bench, owner):
    """A tracker that is too large to be read whole: it goes by time and counts."""
    scene = Scene(bench, owner, items=503, certificate_pages=1)
    return SimpleNamespace(scene=scene, old=scene.items[0], new=scene.items[-1])


def test_a_large_tracker_goes_by_time_and_counts(large):
    scene = large.scene
    scene.rename(large.old, "foreign")
    scene.rename(large.new, "ours", user="generator")
    made = scene.create()
    scene.delete(scene.items[1])
    certificate = scene.release()
    assert sorted(_told(certificate), key=str) == sorted(
        [
            ("changed", large.old, "root"),
            ("created", made, "root"),
            ("deleted", None, ""),
        ],
        key=str,
    )
    assert certificate.foreign == 3
    assert certificate.digest_before == ""
    # One to count, one for what has changed since.
    assert len(scene.bench.operations(QUERY)) == 2
    assert certificate.histories == 1


def test_a_large_tracker_that_nobody_touched_is_clean(large):
    certificate = large.scene.release()
    assert certificate.is_clean
    assert certificate.items_before == 504


def test_every_item_is_compared_if_that_is_allowed(bench, owner):
    scene = Scene(bench, owner, items=503)
    scene.delete(scene.items[1])
    certificate = scene.release()
    assert _told(certificate) == [("deleted", scene.items[1], "")]
    assert certificate.digest_before != certificate.digest_after != ""
    with pytest.raises(NotFoundError):
        scene.ours.items.get_item(ItemId(scene.items[1]))


def test_the_second_of_the_last_edit_before_the_lock_is_asked_for_again(bench, owner):
    """In a large tracker; the server compares whole seconds."""
    scene = Scene(bench, owner, items=503, certificate_pages=1)
    stamp = (
        bench.engine()
        .parts.history.find_event(scene.lock.lineage, "witness_began")
        .detail["stamp"]
    )
    client = scene.ours
    sight, seen = look_since(client, bench.tracker, stamp)
    assert sight.total == 504
    # The item that bears the stamp is among them, and is known from the first look.
    assert scene.items[-1] in seen
    assert scene.release().is_clean


def test_versions_after_the_last_look_are_not_of_this_lock():
    one = Glimpse(7, 4, "", "2026-01-01T00:00:04.000", 1, "us")
    history = [
        Version.model_validate(
            {
                "itemRevision": {"id": 7, "version": number},
                "modifiedAt": f"2026-01-01T00:00:0{number}.000",
                "modifiedBy": {"id": 2, "name": "root"},
            }
        )
        for number in range(1, 6)
    ]
    found = foreign_versions(Suspect(one, 2), history, us=1, stamp="")
    assert [change.version for change in found] == [3, 4]
    stamp = "2026-01-01T00:00:04.000"
    found = foreign_versions(Suspect(one, None), history, us=1, stamp=stamp)
    assert [change.version for change in found] == [4]


def test_an_edit_with_the_stamp_of_the_last_one_counts_where_all_is_not_read():
    before = Sight(2, "2026-01-01T00:00:04.000", False, {7: 1})
    after = Sight(2, "2026-01-01T00:00:04.000", False, {})
    made = "2025-01-01T00:00:00.000"
    same = Glimpse(8, 2, made, before.stamp, 2, "root")
    older = Glimpse(9, 2, made, "2026-01-01T00:00:03.900", 2, "root")
    found = compare(before, after, {8: same, 9: older}, us=1, touched=Touched())
    assert [suspect.item for suspect in found.suspects] == [same]
    assert found.changes == []


# What makes no version of an item

LINKS, FILES = "getBaselineTrackerItemsRelations", "getTrackerItemAttachments"


@pytest.fixture
def make_deep(bench, owner):
    """Return a maker of scenes whose certificate looks at more than items."""
    # Without the right to view them our account would get none listed.
    rights = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 21, 22]
    bench.grant("Generator", rights)

    def make(depth, **settings):
        return Scene(bench, owner, certificate_depth=depth, **settings)

    return make


def _associate(scene, start, end, user="root"):
    body = {
        "from": {"id": start, "type": "TrackerItemReference"},
        "to": {"id": end, "type": "TrackerItemReference"},
        "type": {"id": 1},
    }
    assert scene.bench.server.act(user, "POST", "/v3/associations", body) == 200


def _attach(scene, item, user="root"):
    client = scene.bench.client(user)
    return client.attachments.add_attachment(ItemId(item), "note.txt", b"bytes")


def test_an_association_is_told_with_author_and_time(make_deep):
    scene = make_deep("links")
    one, two, three = scene.items[:3]
    _associate(scene, one, two)
    _associate(scene, two, three, user="generator")
    certificate = scene.release()
    assert _told(certificate) == [("associated", one, "root")]
    assert certificate.changes[0].at
    # One request for all items, and one for each new association.
    assert len(scene.bench.operations(LINKS)) == 1
    assert len(scene.bench.operations("getAssociation")) == 2
    assert scene.bench.operations(FILES) == []
    assert any("attachments" in blind for blind in certificate.unseen)


def test_an_association_that_is_gone_is_told_unless_an_item_went_with_it(
    bench, owner, make_deep
):
    before = Scene(bench, owner)
    one, two, three = before.items[:3]
    _associate(before, one, two)
    _associate(before, two, three)
    before.release()
    scene = make_deep("links", items=3)
    (first, _) = sorted(bench.server.world()["associations"], key=lambda a: a["id"])
    path = f"/v3/associations/{first['id']}"
    assert bench.server.act("root", "DELETE", path) == 200
    scene.delete(three)
    certificate = scene.release()
    assert sorted(_told(certificate)) == [
        ("association deleted", one, ""),
        ("deleted", three, ""),
    ]
    assert "an association of item" in certificate.sentence


def test_files_and_edits_of_comments_are_told_with_author_and_time(make_deep):
    scene = make_deep("files")
    old = _attach(scene, scene.items[0], user="generator")
    scene.release()
    comment = scene.comment(scene.items[2])
    scene.engine.acquire(scene.bench.tracker, owner=scene.owner)
    root = scene.bench.client("root")
    scene.later()
    made = _attach(scene, scene.items[1])
    root.attachments.replace_content(ItemId(scene.items[0]), old, b"other")
    _attach(scene, scene.items[1], user="generator")
    answer = requests.put(
        f"{scene.bench.server.url}/api/v3/items/{scene.items[2]}/comments/{comment}",
        auth=("root", "root"),
        files={"comment": (None, "Hm!")},
        timeout=10,
    )
    assert answer.status_code == 200
    certificate = scene.release()
    assert sorted(_told(certificate)) == [
        ("attached", scene.items[1], "root"),
        ("comment changed", scene.items[2], "root"),
        ("file changed", scene.items[0], "root"),
    ]
    assert all(change.at for change in certificate.changes)
    assert made.name in certificate.sentence
    # One for each item of the tracker: there are four.
    assert len(scene.bench.operations(FILES)) == 4
    assert Certificate.from_json(certificate.to_json()) == certificate


def test_files_of_more_items_than_allowed_are_a_gap(make_deep):
    scene = make_deep("files", certificate_files=3)
    certificate = scene.release()
    assert certificate.gaps == (
        "attachments of 4 items were not read (certificate_files is 3)",
    )
    assert scene.bench.operations(FILES) == []


def test_associations_that_may_not_be_read_are_a_gap_and_fail_takes_no_lock(
    make_deep, bench, owner
):
    bench.server.add_fault({"kind": "status", "status": 403, "operation": LINKS})
    scene = make_deep("links")
    bench.server.clear_faults()
    certificate = scene.release()
    assert certificate.gaps == ("associations could not be read (status 403)",)
    bench.server.add_fault({"kind": "status", "status": 403, "operation": LINKS})
    before = bench.permissions()
    settings = LockSettings(certificate="fail", certificate_depth="links")
    with pytest.raises(LockRefusedError, match="associations could not be read"):
        bench.engine(settings=settings).acquire(bench.tracker, owner=owner)
    assert bench.permissions() == before


def test_an_item_that_just_went_is_left_out_of_the_look(make_deep):
    scene = make_deep("links")
    client = scene.ours
    _associate(scene, scene.items[0], scene.items[1])
    sight, seen = look_at(client, scene.bench.tracker, 1)
    scene.delete(scene.items[2])
    found = look_beside(client, seen.values(), "links", 0)
    assert list(found.links.values()) == [(scene.items[0], scene.items[1])]
    assert found.gaps == ()
    assert sight.is_complete


def test_it_says_what_it_does_not_see(make_deep, large):
    certificate = large.scene.release()
    assert "larger than certificate_pages" in certificate.unseen[0]
    words = [make_deep(depth).release().unseen[0] for depth in ("items", "links")]
    assert "certificate_depth is items" in words[0]
    assert "certificate_depth is links" in words[1]
    assert "not seen: " in certificate.sentence
    assert any("made and deleted again" in blind for blind in certificate.unseen)


# What is made and deleted again


@pytest.fixture
def watched(bench, owner):
    """A scene that is looked at under the lock, by hand."""
    scene = Scene(bench, owner, certificate_watch=timedelta(seconds=30))
    watch = Glances(scene.engine.parts, scene.lock, lambda error: None)
    assert watch.every == timedelta(seconds=30)
    return SimpleNamespace(scene=scene, watch=watch)


def test_what_was_made_and_deleted_again_is_told_if_a_look_saw_it(watched, bench):
    scene = watched.scene
    bench.server.clear_calls()
    assert watched.watch.look() == []
    assert bench.operations() == [QUERY], "one request a look"
    made = scene.create()
    ours = scene.ours.items.create_item(bench.tracker, NewItem("Ours")).id
    bench.said.clear()
    assert len(watched.watch.look()) == 1
    assert watched.watch.look() == []
    assert f"item {made} created by root" in bench.said[0]
    scene.later()
    scene.rename(made, "Once more")
    assert len(watched.watch.look()) == 1
    scene.delete(made)
    scene.delete(ours, user="generator")
    certificate = scene.release()
    assert _told(certificate) == [
        ("created", made, "root"),
        ("changed", made, "root"),
        ("deleted", made, ""),
    ]
    assert all(change.at for change in certificate.changes[:2])
    assert any("30 seconds apart" in blind for blind in certificate.unseen)


def test_what_a_look_saw_and_is_still_there_is_told_once(watched):
    scene = watched.scene
    made = scene.create()
    watched.watch.look()
    assert _told(scene.release()) == [("created", made, "root")]


def test_a_heartbeat_looks_only_if_that_is_asked_for(bench, owner):
    scene = Scene(bench, owner)
    bench.server.clear_calls()
    with Heartbeat(scene.engine, scene.lock):
        pass
    assert bench.operations() == []
    assert scene.release().is_clean
    quick = _settings(certificate_watch=timedelta(milliseconds=20))
    engine = bench.engine(settings=quick)
    lock = engine.acquire(bench.tracker, owner=owner)
    bench.server.clear_calls()
    with Heartbeat(engine, lock):
        while not bench.operations(QUERY):
            threading.Event().wait(0.01)
    assert set(bench.operations()) == {QUERY}
