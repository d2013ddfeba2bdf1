"""`doctor`: everything that a lock needs, one line each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import typer

from airflow_codebeamer.cli.options import command
from airflow_codebeamer.cli.session import Session, signed
from airflow_codebeamer.errors import CodebeamerError, ServerError, TransportError
from airflow_codebeamer.ids import ProjectId, TrackerId
from airflow_codebeamer.locking import (
    Notice,
    find_unexplained,
    list_notices,
    repair_epoch,
)
from airflow_codebeamer.wiring import Codebeamer

__all__ = ["register"]

#: Exit code: something is missing.
_MISSING = 1
#: So many trackers in a row without an answer, and the others are not asked for.
_SILENT = 3


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `ok` of None is a note, good or bad."""

    check: str
    ok: bool | None
    text: str

    def __str__(self) -> str:
        mark = {True: "ok", False: "MISSING", None: "note"}[self.ok]
        return f"{mark:<8}{self.check:<12}{self.text}"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    command(app, "doctor")(doctor)


def doctor(
    session: Session,
    trackers: Annotated[
        list[int] | None, typer.Argument(min=1, help="Trackers to look at.")
    ] = None,
    project: Annotated[
        str,
        typer.Option(help="Look for trackers of this project that only look locked."),
    ] = "",
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Raise epochs of the store to those of notices."),
    ] = False,
) -> int:
    """Check server, account, store and trackers: everything that a lock needs.

    Says for everything that is missing what to ask the administrator for, and which
    trackers look locked though no record explains it. Changes nothing on the server.
    Exit code 1: something is missing.
    """
    with session.connect(looks_again=True) as codebeamer:
        findings = list(_examine(codebeamer, trackers or [], project, repair=repair))
    is_ok = all(finding.ok is not False for finding in findings)
    session.out.result(
        {"ok": is_ok, "findings": [vars(finding) for finding in findings]},
        map(str, findings),
    )
    return 0 if is_ok else _MISSING


def _examine(
    codebeamer: Codebeamer, trackers: Sequence[int], project: str, *, repair: bool
) -> Iterator[Finding]:
    yield from _try("store", lambda: _store(codebeamer))
    account = list(_try("server", lambda: _account(codebeamer)))
    yield from account
    if any(finding.ok is False for finding in account):
        return
    if project:
        yield from _try("project", lambda: _project(codebeamer, project, repair=repair))
    elif not trackers:
        yield from _try("projects", lambda: _projects(codebeamer))
    for number in map(TrackerId, trackers):
        found = list(_try("tracker", partial(_tracker, codebeamer, number)))
        yield from found
        told = {finding.text for finding in found}
        for one in _try("record", partial(_record, codebeamer, number, repair=repair)):
            # What refuses a lock was said with the rest that does.
            if one.text.removeprefix(f"tracker {number}: ") not in told:
                yield one


def _project(codebeamer: Codebeamer, name: str, *, repair: bool) -> Iterator[Finding]:
    """Look at each tracker of a project: one request, and one for all notices."""
    found = codebeamer.client.projects.find_project(name)
    if found is None:
        yield Finding("project", False, f"this account sees no project {name!r}")
        return
    listed = codebeamer.client.projects.list_trackers(ProjectId(found.id))
    yield Finding("project", True, f"{found.name} has {len(listed)} trackers")
    notices = list_notices(codebeamer.engine.parts)
    silent = 0
    for nth, one in enumerate(listed, 1):
        look = partial(_record, codebeamer, TrackerId(one.id), notices, repair=repair)
        try:
            yield from look()
            silent = 0
        except (TransportError, ServerError) as error:
            yield _failed("record", error)
            silent += 1
        except CodebeamerError as error:
            yield _failed("record", error)
        if silent == _SILENT:
            left = f"{len(listed) - nth} trackers were not looked at"
            yield Finding("project", False, f"the server does not answer: {left}")
            return


def _record(
    codebeamer: Codebeamer,
    tracker_id: TrackerId,
    notices: Mapping[TrackerId, Notice] | None = None,
    *,
    repair: bool,
) -> Iterator[Finding]:
    parts = codebeamer.engine.parts
    found = find_unexplained(parts, tracker_id, notices)
    for text in found.findings:
        yield Finding("record", False, f"tracker {tracker_id}: {text}")
    if repair and repair_epoch(parts, found, by=signed()):
        text = f"tracker {tracker_id}: its epoch is {found.later_epoch} now"
        yield Finding("record", None, text)


def _try(check: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Turn an error of a check into its finding, so that the others are made too."""
    try:
        yield from look()
    except CodebeamerError as error:
        yield _failed(check, error)


def _failed(check: str, error: CodebeamerError) -> Finding:
    return Finding(check, False, " ".join(str(error).split()))


def _store(codebeamer: Codebeamer) -> Iterator[Finding]:
    codebeamer.database.ensure()
    first, *rest = codebeamer.database.check()
    yield Finding("store", True, first.removeprefix("store: "))
    for line in rest:
        yield Finding("store", None, line)


def _account(codebeamer: Codebeamer) -> Iterator[Finding]:
    server = codebeamer.settings.server
    user = codebeamer.client.users.find_user(server.login)
    yield Finding("server", True, f"{server.base} answers")
    if user is None:
        yield Finding(
            "account",
            False,
            f"the server shows no account {server.login!r} to itself: ask for the "
            "right to see accounts",
        )
    else:
        yield Finding("account", True, f"{user.name} (user {user.id})")


def _projects(codebeamer: Codebeamer) -> Iterator[Finding]:
    found = codebeamer.client.projects.list_projects()
    names = ", ".join(sorted(project.name for project in found)) or "none"
    yield Finding("projects", bool(found), f"this account sees: {names}")
    writers = codebeamer.settings.writers
    role = " or ".join(one.exclusive_role for one in writers)
    role = role or codebeamer.settings.server.exclusive_role
    told = f"{role} keeps write access" if role else "none set: --exclusive-role"
    yield Finding("role", bool(role), told)
    yield Finding("tracker", None, "give a tracker's number to check its permissions")


def _tracker(codebeamer: Codebeamer, tracker_id: TrackerId) -> Iterator[Finding]:
    found = codebeamer.engine.preflight(tracker_id)
    if found.tracker_name:
        yield Finding("tracker", True, f"{found.tracker_name} (tracker {tracker_id})")
    if found.role_name:
        yield Finding("role", True, f"{found.role_name} keeps write access")
    for finding in found.findings:
        yield Finding("lock", False, finding)
    if not found.findings:
        names = ", ".join(found.writing) or "none"
        yield Finding("lock", True, f"roles that would be reduced: {names}")
    for note in found.notes:
        yield Finding("lock", None, note)
