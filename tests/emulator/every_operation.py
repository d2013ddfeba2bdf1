"""One valid request for every operation that the emulator claims, as a story.

The requests follow each other in one world, so each finds what it needs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from airflow_codebeamer.emulator import ALL_PERMISSIONS, WorldBuilder

__all__ = ["STORY", "Told", "world"]

TYPE = "multipart/form-data; boundary=line"


@dataclass(frozen=True)
class Told:
    """One request of the story and the operation that it is of."""

    operation: str
    method: str
    path: str
    body: Any = None
    query: dict[str, Any] = field(default_factory=dict)
    form: dict[str, str] | None = None
    file: str = ""

    @property
    def sent(self) -> bytes:
        """The body as it travels."""
        if self.form is None:
            return b"" if self.body is None else json.dumps(self.body).encode()
        return b"".join([*self._parts(), b"--line--\r\n"])

    @property
    def content_type(self) -> str:
        """What the body says that it is."""
        return "application/json" if self.form is None else TYPE

    @property
    def asked(self) -> str:
        """The query string."""
        return urlencode(self.query)

    def _parts(self) -> Iterator[bytes]:
        head = "--line\r\nContent-Disposition: form-data"
        for name, text in (self.form or {}).items():
            yield f'{head}; name="{name}"\r\n\r\n{text}\r\n'.encode()
        if self.file:
            yield f'{head}; name="{self.file}"; filename="a.txt"\r\n\r\n1\r\n'.encode()


def world() -> dict[str, Any]:
    """A project with requirements and test cases, two of each, and a group."""
    builder = WorldBuilder()
    builder.user("bond", system_admin=True)
    alice = builder.user("alice")
    builder.group("Testers", alice)
    project = builder.project("One", "ONE")
    role = builder.role(project, "Engineer", trackers_admin=True)
    builder.member(project, alice, role)
    for name, kind in (("Requirements", "Requirement"), ("Cases", "Test Case")):
        tracker = builder.tracker(
            project,
            name,
            name[:4].upper(),
            kind=kind,
            permissions={role: ALL_PERMISSIONS},
        )
        first = builder.item(tracker, "first")
        builder.item(tracker, "second")
        builder.item(tracker, "below", parent=first)
    made = builder.build()
    made["users"][1]["email"] = "alice@example.com"
    job = {"id": 501, "kind": "WORKING_SET_UPDATE", "user": alice, "begins": 0.0}
    made["jobs"] = [{**job, "created_at": "2026-01-01T00:00:00.000"}]
    return made


def item(number: int) -> dict[str, Any]:
    return {"id": number, "type": "TrackerItemReference"}


PROJECT = {"id": 101, "type": "ProjectReference"}
NAME = {"fieldValues": [{"fieldId": 3, "type": "TextFieldValue", "value": "renamed"}]}
STATUS = {"id": 1, "type": "ChoiceOptionReference"}
ROW = [
    {"fieldId": 1000001, "type": "WikiTextFieldValue", "value": "press"},
    {"fieldId": 1000002, "type": "WikiTextFieldValue", "value": "it stops"},
    {"fieldId": 1000003, "type": "BoolFieldValue", "value": True},
]
LINK = {
    "from": item(10001),
    "to": item(10002),
    "type": {"id": 1, "type": "AssociationTypeReference"},
    "description": "why",
}
TEXTS = ("loginErrorText", "loginText", "notificationText", "slogan", "welcomeText")
CHILD = {"itemReference": item(10002), "index": 0}
ATTACHMENTS = "/items/10001/attachments"
COMMENTS = "/items/10001/comments"

STORY: tuple[Told, ...] = (
    Told("getProjects", "GET", "/projects"),
    Told("getProjectById", "GET", "/projects/101"),
    Told("searchProjects", "POST", "/projects/search", {"keyName": "ONE"}),
    Told("getTrackers", "GET", "/projects/101/trackers"),
    Told(
        "searchAllTrackersInProject",
        "POST",
        "/projects/101/trackers/search",
        {"keyName": "REQU", "hidden": False},
    ),
    Told("getMembersOfProject", "GET", "/projects/101/members"),
    Told("getProjectRolesOfMember", "GET", "/projects/101/members/2/permissions"),
    Told("getRoles", "GET", "/roles"),
    Told("getRole", "GET", "/roles/11"),
    Told("getUsers", "GET", "/users"),
    Told("getUser", "GET", "/users/2"),
    Told("getUserByName", "GET", "/users/findByName", query={"name": "alice"}),
    Told(
        "getUserByEmail",
        "GET",
        "/users/findByEmail",
        query={"email": "alice@example.com"},
    ),
    Told("searchUsers", "POST", "/users/search", {"name": "alice"}),
    Told("getGroups", "GET", "/users/groups"),
    Told("getGroup", "GET", "/users/groups/501"),
    Told("getGroupMembers", "GET", "/users/groups/501/members"),
    Told("getTracker", "GET", "/trackers/2001"),
    Told("getTrackerTypes", "GET", "/trackers/types"),
    Told("getTrackerType", "GET", "/trackers/types/5"),
    Told("getTrackerFields", "GET", "/trackers/2001/fields"),
    Told("getTrackerField", "GET", "/trackers/2001/fields/3"),
    Told("getChoiceOption", "GET", "/trackers/2001/fields/7/options/1"),
    Told("getTrackerFieldPermissions", "GET", "/trackers/2001/fields/3/permissions"),
    Told("getTrackerFieldsPermissions", "GET", "/trackers/2001/fields/permissions"),
    Told("getTrackerSchema", "GET", "/trackers/2001/schema"),
    Told("getTrackerTransitions", "GET", "/trackers/2001/transitions"),
    Told("getItemsByTracker", "GET", "/trackers/2001/items"),
    Told("getTrackerOutline", "GET", "/trackers/2001/outline"),
    Told("getTrackerPermissions", "GET", "/trackers/permissions"),
    Told("getTrackerPermission", "GET", "/trackers/permissions/3"),
    Told("getTrackerPermissionsWithRoles", "GET", "/trackers/2001/permissions"),
    Told(
        "updatePermission",
        "PUT",
        "/trackers/2001/roles/11/permissions",
        {"permissions": [{"id": 0}]},
    ),
    Told("removePermissions", "DELETE", "/trackers/2001/roles/11/permissions"),
    Told("createTrackerItem", "POST", "/trackers/2001/items", {"name": "new"}),
    Told("getTrackerItem", "GET", "/items/10001"),
    Told("updateTrackerItem", "PUT", "/items/10002", {"name": "n", "status": STATUS}),
    Told("updateCustomFieldTrackerItem", "PUT", "/items/10001/fields", NAME),
    Told(
        "updateTableFieldTrackerItem",
        "PUT",
        "/items/10004/fields/tables/1000000",
        {"rows": [ROW]},
    ),
    Told(
        "bulkUpdateTrackerItemFields",
        "PUT",
        "/items/fields",
        [{"itemId": 10002, **NAME}],
    ),
    Told("getTrackerItemFields", "GET", "/items/10001/fields"),
    Told("getItemAccessibility", "GET", "/items/10001/fields/accessibility"),
    Told("getChoiceOptions", "GET", "/items/10001/fields/7/options"),
    Told("getTrackerItemTransitions", "GET", "/items/10001/transitions"),
    Told("getTrackerItemHistory", "GET", "/items/10001/history"),
    Told("findTrackerItems", "GET", "/items/query", query={"queryString": "id > 0"}),
    Told(
        "findTrackerItemsByCbQL",
        "POST",
        "/items/query",
        {"queryString": "id > 0", "page": 1, "pageSize": 2},
    ),
    Told("findTrackerItemChildren", "GET", "/items/10001/children"),
    Told(
        "patchChildrenOfTrackerItem",
        "PATCH",
        "/items/10001/children",
        CHILD,
        {"mode": "INSERT"},
    ),
    Told(
        "replaceChildrenOfTrackerItem",
        "PUT",
        "/items/10001/children",
        {"children": [item(10003), item(10002)]},
    ),
    Told("addChildToTracker", "POST", "/trackers/2001/children", {"id": 10002}),
    Told("addChildToTrackerItem", "POST", "/items/10001/children", {"id": 10002}),
    Told("findTrackerChildren", "GET", "/trackers/2001/children"),
    Told(
        "patchChildrenOfTracker",
        "PATCH",
        "/trackers/2001/children",
        CHILD,
        {"mode": "INSERT"},
    ),
    Told(
        "replaceChildrenOfTracker",
        "PUT",
        "/trackers/2002/children",
        {"children": [item(10005), item(10004)]},
    ),
    Told("lockTrackerItem", "PUT", "/items/10001/lock", {"duration": "1:30h"}),
    Told("checkTrackerItemLock", "GET", "/items/10001/lock"),
    Told("unlockTrackerItem", "DELETE", "/items/10001/lock"),
    Told(
        "uploadTrackerItemAttachment", "POST", ATTACHMENTS, form={}, file="attachments"
    ),
    Told("getTrackerItemAttachments", "GET", ATTACHMENTS),
    Told("getTrackerItemAttachment", "GET", f"{ATTACHMENTS}/5001"),
    Told("getTrackerItemAttachmentContent", "GET", f"{ATTACHMENTS}/5001/content"),
    Told("getTrackerItemAttachmentContents", "GET", f"{ATTACHMENTS}/content"),
    Told(
        "getTrackerItemsAttachmentContents",
        "POST",
        "/items/attachments/content",
        {"items": [item(10001)], "extensions": ["txt"], "excludeFilter": False},
    ),
    Told(
        "updateAttachmentOfTrackerItem",
        "PUT",
        f"{ATTACHMENTS}/5001/content",
        form={"description": "text"},
        file="content",
    ),
    Told(
        "updateAttachment", "PUT", "/attachments/5001/content", form={}, file="content"
    ),
    Told("getAttachment", "GET", "/attachments/5001"),
    Told("getAttachmentContent", "GET", "/attachments/5001/content"),
    Told("getAttachmentHistory", "GET", "/attachments/5001/history"),
    Told("restoreAttachment", "PUT", "/attachments/5001/restore", query={"version": 1}),
    Told("deleteTrackerItemAttachment", "DELETE", f"{ATTACHMENTS}/5001"),
    Told(
        "commentOnTrackerItem",
        "POST",
        COMMENTS,
        form={"comment": "a"},
        file="attachments",
    ),
    Told("deleteAttachment", "DELETE", "/attachments/5002"),
    Told(
        "replyOnCommentOfTrackerItem", "POST", f"{COMMENTS}/3002", form={"comment": "b"}
    ),
    Told("editCommentOnTrackerItem", "PUT", f"{COMMENTS}/3003", form={"comment": "c"}),
    Told("getTrackerItemComments", "GET", COMMENTS),
    Told("getTrackerItemComment", "GET", f"{COMMENTS}/3003"),
    Told("deleteTrackerItemComment", "DELETE", f"{COMMENTS}/3003"),
    Told("deleteTrackerItemComments", "DELETE", COMMENTS),
    Told(
        "uploadTrackerItemAttachment", "POST", ATTACHMENTS, form={}, file="attachments"
    ),
    Told("deleteTrackerItemAttachments", "DELETE", ATTACHMENTS),
    Told("getAvailableAssociationTypes", "GET", "/associations/types"),
    Told("getAssociationType", "GET", "/associations/types/1"),
    Told("createAssociation", "POST", "/associations", LINK),
    Told("getAssociation", "GET", "/associations/7001"),
    Told(
        "updateAssociation", "PUT", "/associations/7001", {**LINK, "description": "x"}
    ),
    Told("getAssociationHistory", "GET", "/associations/7001/history"),
    Told("getBaselineTrackerItemRelations", "GET", "/items/10001/relations"),
    Told(
        "getBaselineTrackerItemsRelations",
        "POST",
        "/items/relations",
        {"items": [item(10001)]},
    ),
    Told("deleteAssociation", "DELETE", "/associations/7001"),
    Told(
        "createBaseline",
        "POST",
        "/baselines",
        {
            "name": "before",
            "description": "",
            "project": PROJECT,
            "tracker": {"id": 2001, "type": "TrackerReference"},
        },
    ),
    Told("getTrackerBaselines", "GET", "/trackers/2001/baselines"),
    Told("getBackgroundJob", "GET", "/job/501"),
    Told("deleteTrackerItem", "DELETE", "/items/10003"),
    Told(
        "setSystemStatus",
        "PUT",
        "/system/maintenance",
        {"systemMode": "MAINTENANCE", "properties": dict.fromkeys(TEXTS, "later")},
    ),
    Told("getSystemStatus", "GET", "/system/maintenance"),
)
