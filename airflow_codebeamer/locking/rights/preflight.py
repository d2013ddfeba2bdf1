"""What must be true before a tracker may be locked; reads only.

Two halves, because a lock pays for each request: the account and its project
(three requests), then the permissions, which a lock reads anyway.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from airflow_codebeamer.errors import (
    ApiError,
    ForbiddenError,
    LockRefusedError,
    NotFoundError,
    Retry,
)
from airflow_codebeamer.ids import ProjectId, RoleId, TrackerId, UserId
from airflow_codebeamer.locking.escrow.shut import find_shut, is_our_role
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.permissions import Permissions, freeze, spell
from airflow_codebeamer.locking.rights.membership import Membership
from airflow_codebeamer.locking.rights.orphans import find_orphans
from airflow_codebeamer.locking.rights.seating import inspect_rest, inspect_seats
from airflow_codebeamer.models import Reference, Tracker, User

__all__ = [
    "Preflight",
    "inspect_account",
    "inspect_freeze",
    "inspect_permissions",
    "inspect_tracker",
    "look",
    "may_not_read",
]

#: Rights that the vendor's list of permissions names and that
#: are not read-only. What is neither there nor read-only is taken away and told.
_KNOWN_WRITING = frozenset(
    {
        "issue_edit_not_own",
        "issue_add",
        "issue_edit",
        "issue_mass_edit",
        "issue_close",
        "issue_delete",
        "issue_comment_add",
        "issue_attachment_add",
        "issue_attachment_edit",
        "issue_attachment_edit_own",
        "issue_subscribe_others",
        "tracker_subscribe_others",
        "admin_public_view",
        "issue_association_edit",
        "issue_suspected_merge",
        "branch_merge",
        "branch_replace_content",
        "data_administration",
    }
)
#: What shows that a role may write items, for the role that has to.
_WRITES_ITEMS = frozenset({"issue_add", "issue_edit", "issue_edit_not_own"})

_ALWAYS = (
    "system administrators are not held back by role permissions",
    "project administrators keep merges and data administration, and can give "
    "themselves the rest back",
    'what the creator of an item may do ("Created by") is not shown by the API and '
    "stays as it is",
)


@dataclass(frozen=True)
class Preflight:
    """What was found before locking. `findings` refuse it, `notes` do not.

    `writing` names the roles that would be reduced: a lock costs one request
    for each, and two, and so does the release. `writers` are the roles that write in
    turn, if two do.
    """

    tracker_id: TrackerId
    tracker_name: str = ""
    project_id: ProjectId | None = None
    role_id: RoleId | None = None
    role_name: str = ""
    writing: tuple[str, ...] = ()
    writers: tuple[tuple[str, RoleId], ...] = ()
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    requests: int = 0

    def require(self) -> Preflight:
        """Return this preflight if nothing speaks against locking.

        Raises:
            LockRefusedError: something does; nothing was touched.
        """
        if self.findings:
            raise LockRefusedError(self.tracker_id, self.findings)
        return self


def inspect_account(parts: Parts, tracker_id: TrackerId, role: str) -> Preflight:
    """Look at the tracker, the account and who else is in the exclusive role.

    Three requests; one more, and one for each other member of the project,
    when it was too long ago that the role's members were looked at.
    """
    began = parts.client.requests_made
    try:
        tracker = parts.client.trackers.get_tracker(tracker_id)
    except NotFoundError:
        finding = f"tracker {tracker_id} does not exist or this account cannot see it"
        return Preflight(
            tracker_id, findings=(finding,), requests=parts.client.requests_made - began
        )
    except ForbiddenError as error:
        finding = f"this account may not see tracker {tracker_id}: {error}"
        return Preflight(
            tracker_id, findings=(finding,), requests=parts.client.requests_made - began
        )
    found = _inspect_tracker(parts, tracker, role)
    return Preflight(
        tracker_id,
        tracker_name=tracker.name,
        project_id=ProjectId(tracker.project.id) if tracker.project else None,
        role_id=found.role_id,
        role_name=found.role_name,
        writers=found.writers,
        findings=tuple(found.findings),
        notes=(*found.notes, *_ALWAYS),
        requests=parts.client.requests_made - began,
    )


def inspect_tracker(parts: Parts, tracker_id: TrackerId, *notes: str) -> Preflight:
    """Look whether a tracker is there for this account: one request."""
    began = parts.client.requests_made
    name, findings = "", []
    try:
        name = parts.client.trackers.get_tracker(tracker_id).name
    except (NotFoundError, ForbiddenError):
        findings = [
            f"tracker {tracker_id} does not exist or this account cannot see it"
        ]
    return Preflight(
        tracker_id,
        tracker_name=name,
        findings=tuple(findings),
        notes=notes,
        requests=parts.client.requests_made - began,
    )


def inspect_freeze(parts: Parts, tracker_id: TrackerId) -> Preflight:
    """Look at a tracker that nobody is to write to: one request, no role matters."""
    began = parts.client.requests_made
    try:
        tracker = parts.client.trackers.get_tracker(tracker_id)
    except (NotFoundError, ForbiddenError):
        return inspect_tracker(parts, tracker_id)
    findings, notes = _inheritance(parts, tracker)
    return Preflight(
        tracker_id,
        tracker_name=tracker.name,
        findings=findings,
        notes=(*notes, *_ALWAYS),
        requests=parts.client.requests_made - began,
    )


def look(parts: Parts, tracker_id: TrackerId, role: str) -> Preflight:
    """Return the whole preflight: account, project and permissions."""
    began = parts.client.requests_made
    account = inspect_account(parts, tracker_id, role)
    if account.project_id is None:
        return account
    try:
        now = parts.read(tracker_id)
    except ApiError as error:
        if error.retry is not Retry.NEVER:
            raise
        return replace(
            account,
            findings=(*account.findings, may_not_read(error)),
            requests=parts.client.requests_made - began,
        )
    findings, notes, writing = inspect_permissions(parts, account, now)
    return replace(
        account,
        findings=(*account.findings, *findings),
        notes=(*account.notes, *notes),
        writing=writing,
        requests=parts.client.requests_made - began,
    )


@dataclass(frozen=True)
class _Found:
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    role_id: RoleId | None = None
    role_name: str = ""
    writers: tuple[tuple[str, RoleId], ...] = ()


def _inspect_tracker(parts: Parts, tracker: Tracker, role: str) -> _Found:
    findings, notes = _inheritance(parts, tracker)
    if parts.rotation is not None and tracker.project is not None:
        seats = inspect_seats(parts, ProjectId(tracker.project.id))
        return _Found(
            (*findings, *seats.findings),
            (*notes, *seats.notes),
            role_name=" or ".join(name for name, _ in seats.roles),
            writers=seats.roles,
        )
    login = parts.client.settings.login
    user = parts.client.users.find_user(login) if login else None
    if tracker.project is None:
        return _Found((*findings, "the server does not say which project it is in"))
    if user is None:
        return _Found((*findings, _unknown_account(login)), notes)
    project_id = ProjectId(tracker.project.id)
    mine = parts.client.projects.list_member_roles(project_id, UserId(user.id))
    chosen = _choose(mine, role)
    if chosen is None:
        return _Found((*findings, _no_role(parts, tracker, role, user)), notes)
    membership = Membership(parts).inspect(project_id, chosen, user)
    return _Found(
        (*findings, *membership.findings),
        (*notes, *membership.notes),
        RoleId(chosen.id),
        chosen.name,
    )


def _inheritance(
    parts: Parts, tracker: Tracker
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    said = []
    if tracker.available_as_template:
        said.append(
            "the tracker is a template: reducing its permissions reduces those of "
            "every tracker derived from it"
        )
    if tracker.template is not None:
        said.append(
            f"the tracker is derived from template {tracker.template.name}: writing "
            "its permissions may end their inheritance for good"
        )
    if parts.settings.allow_templates:
        return (), tuple(said)
    return tuple(f"{one}; allow templates explicitly to lock it" for one in said), ()


def _unknown_account(login: str) -> str:
    if not login:
        return "the account has no log-in name: give it, the API cannot say who asks"
    return f"the server has no account with the log-in name {login}"


def _choose(roles: list[Reference], wanted: str) -> Reference | None:
    for role in roles:
        if wanted and wanted in (role.name, str(role.id)):
            return role
    return None


def _no_role(parts: Parts, tracker: Tracker, wanted: str, user: User) -> str:
    listed = parts.read(TrackerId(tracker.id)).role_names
    names = ", ".join(sorted(listed.values())) or "none"
    if not wanted:
        return f"no exclusive role is set; roles of this tracker: {names}"
    if wanted in listed.values() or wanted in map(str, listed):
        return (
            f"account {user.name} is not a member of the exclusive role {wanted}: add "
            "it to that role, and nobody else"
        )
    return f"there is no role {wanted}; roles of this tracker: {names}"


def inspect_permissions(
    parts: Parts, account: Preflight, now: Permissions
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return findings, notes, and the roles that would be reduced; no request."""
    findings = [*_exclusive_role(account, now)]
    findings += inspect_rest(parts, account.writers, now)
    lock = parts.store.find(parts.server, account.tracker_id)
    findings += find_orphans(parts, lock, now) or _shut(parts, account, lock, now)
    writing = tuple(
        now.name_of(role_id)
        for role_id in sorted(now.roles)
        if role_id != account.role_id
        and freeze(now.roles[role_id], now.names, parts.settings.read_only)
        != now.roles[role_id]
    )
    return tuple(findings), tuple(_unknown_rights(parts, now)), writing


def _shut(
    parts: Parts, account: Preflight, lock: Lock | None, now: Permissions
) -> list[str]:
    """Return what a lost store leaves behind; see `find_shut`."""
    ours = {role_id for _, role_id in account.writers}
    ours |= {role for role in now.roles if is_our_role(parts, now, role)}
    if account.role_id is not None:
        ours.add(account.role_id)
    found = find_shut(parts, account.tracker_id, lock, now, ours)
    return [found] if found else []


def _exclusive_role(account: Preflight, now: Permissions) -> Iterator[str]:
    if account.role_id is None or account.writers:
        return
    rights = now.of_role(account.role_id)
    names = {now.names.get(right, "") for right in rights}
    if not names & _WRITES_ITEMS:
        has = spell(rights, now.names) or "none"
        yield (
            f"the exclusive role {account.role_name} may not write on this tracker "
            f"(it has: {has}): give it the right to add and edit items"
        )


def _unknown_rights(parts: Parts, now: Permissions) -> Iterator[str]:
    known = _KNOWN_WRITING | parts.settings.read_only
    for name in sorted({name for name in now.names.values() if name not in known}):
        yield f"the right {name} is not known to be read-only and will be taken away"


def may_not_read(error: ApiError) -> str:
    """Return the finding for permissions that the account cannot read."""
    return (
        f"the permissions of the tracker cannot be read (status {error.status}): ask "
        'for the project permission "Trackers - Admin"'
    )
