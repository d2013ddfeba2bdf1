"""Unknown 5 to 8, asked of a server: who may do what, and who may say so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contracts.asking import Answers, Ask, Make, rename
from tests.contracts.speaking import Said
from tests.contracts.subject import Subject

EDIT_ANY, VIEW_ANY = {"id": 1}, {"id": 0}

# 5: setting permissions


class Role:
    """The role whose permissions the questions change, and put back."""

    def __init__(self, ask: Ask, subject: Subject) -> None:
        self._ask, self.tracker = ask, subject.tracker
        roles = ask("getRoles").body
        (self.id,) = [r["id"] for r in roles if subject.role in (r["name"], r["id"])]
        self.before = self.read()

    def read(self) -> list[int] | None:
        """Return the ids that the role has; None: the list does not show it."""
        for entry in self._ask(
            "getTrackerPermissionsWithRoles", trackerId=self.tracker
        ).body:
            if entry["role"]["id"] == self.id:
                return sorted(one["id"] for one in entry["trackerPermissions"])
        return None

    def write(self, *permissions: dict[str, Any]) -> Said:
        return self._ask(
            "updatePermission",
            trackerId=self.tracker,
            roleId=self.id,
            body={"permissions": list(permissions)},
        )

    def clear(self) -> Said:
        return self._ask("removePermissions", trackerId=self.tracker, roleId=self.id)


@pytest.fixture
def role(ask: Ask, subject: Subject) -> Iterator[Role]:
    changed = Role(ask, subject)
    yield changed
    if changed.before is None:
        changed.clear()
    else:
        changed.write(*({"id": number} for number in changed.before))


@pytest.mark.assumed(
    question=5,
    asks="Is a right stored without the right that it depends on (edit, not view)?",
    chosen=(200, [1]),
    needs="role",
)
def test_q5_dependencies(role: Role, answers: Answers) -> None:
    answers((role.write(EDIT_ANY).status, role.read()))


@pytest.mark.assumed(
    question=5, asks="Is an unknown permission refused?", chosen=404, needs="role"
)
def test_q5_unknown_ids(role: Role, answers: Answers) -> None:
    answers(role.write(VIEW_ANY, {"id": 9999}).status)


@pytest.mark.assumed(
    question=5, asks="Is a name without an id understood?", chosen=400, needs="role"
)
def test_q5_names(role: Role, answers: Answers) -> None:
    answers(role.write({"name": "issue_view_not_own"}).status)


@pytest.mark.assumed(
    question=5, asks="Does an id go without its type?", chosen=(200, [0]), needs="role"
)
def test_q5_types(role: Role, answers: Answers) -> None:
    answers((role.write(VIEW_ANY).status, role.read()))


@pytest.mark.assumed(
    question=5,
    asks="Is an empty list the same as DELETE, and does the role leave the list?",
    chosen=[(200, None), (200, None)],
    needs="role",
)
def test_q5_nothing_at_all(role: Role, answers: Answers) -> None:
    empty = (role.write().status, role.read())
    role.write(VIEW_ANY)
    answers([empty, (role.clear().status, role.read())])


# 6: who may set permissions


@pytest.mark.assumed(
    question=6,
    asks="What does setting permissions answer to one who may only write items?",
    chosen=403,
    needs="other role",
)
def test_q6_who_sets_permissions(
    ask: Ask, role: Role, subject: Subject, answers: Answers
) -> None:
    said = ask(
        "updatePermission",
        who="other",
        trackerId=subject.tracker,
        roleId=role.id,
        body={"permissions": [VIEW_ANY]},
    )
    answers(said.status)


@pytest.mark.assumed(
    question=6,
    asks="What does a role of project administrators keep when all is taken away?",
    chosen="a minimum",
    needs="admin",
)
def test_q6_project_administrators(
    ask: Ask, subject: Subject, answers: Answers
) -> None:
    where = {"who": "admin", "trackerId": subject.tracker}
    listed = ask("getTrackerPermissionsWithRoles", **where).body
    found = [one for one in listed if "admin" in one["role"]["name"].lower()]
    if not found:
        pytest.skip("the tracker lists no role of project administrators")
    number = found[0]["role"]["id"]
    before = [{"id": one["id"]} for one in found[0]["trackerPermissions"]]
    try:
        ask("updatePermission", **where, roleId=number, body={"permissions": []})
        after = ask("getTrackerPermissionsWithRoles", **where).body
    finally:
        ask("updatePermission", **where, roleId=number, body={"permissions": before})
    left = next((one for one in after if one["role"]["id"] == number), None)
    rest = len(left["trackerPermissions"]) if left else 0
    kept = "everything" if rest == len(before) else "a minimum"
    answers(kept if rest else "nothing")


@pytest.mark.assumed(
    question=6,
    asks="Do system administrators write items whatever a tracker permits?",
    chosen=200,
    needs="admin",
)
def test_q6_system_administrators(ask: Ask, made: Make, answers: Answers) -> None:
    answers(rename(ask, made(), who="admin").status)


# 7 and 8: grants that the list does not show


@pytest.mark.assumed(
    question=7,
    asks="Does the list of permissions show what its creator may do with an item?",
    chosen=False,
)
def test_q7_created_by(ask: Ask, subject: Subject, answers: Answers) -> None:
    said = ask("getTrackerPermissionsWithRoles", trackerId=subject.tracker)
    answers(any(entry["role"].get("id") is None for entry in said.body))


@pytest.mark.assumed(
    question=8,
    asks="Does a derived tracker that was set and put back inherit again?",
    chosen=False,
    needs="derived-tracker role admin",
)
def test_q8_derived_trackers(ask: Ask, subject: Subject, answers: Answers) -> None:
    assert subject.derived is not None
    derived = ask("getTracker", who="admin", trackerId=subject.derived).body
    template = derived["templateTracker"]["id"]
    roles = ask("getRoles", who="admin").body
    (number,) = [r["id"] for r in roles if subject.role in (r["name"], r["id"])]

    def held(tracker: int) -> list[int]:
        listed = ask("getTrackerPermissionsWithRoles", who="admin", trackerId=tracker)
        return [
            one["id"]
            for entry in listed.body
            if entry["role"]["id"] == number
            for one in entry["trackerPermissions"]
        ]

    def put(tracker: int, ids: list[int]) -> None:
        ask(
            "updatePermission",
            who="admin",
            trackerId=tracker,
            roleId=number,
            body={"permissions": [{"id": one} for one in ids]},
        )

    before = held(template)
    put(subject.derived, [0])
    put(subject.derived, before)
    try:
        put(template, [0])
        answers(held(subject.derived) == [0])
    finally:
        put(template, before)
