"""What the test button says: who we are, which role is exclusive, what is missing."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_codebeamer.errors import CodebeamerError, ForbiddenError, NotFoundError
from airflow_codebeamer.ids import ProjectId, UserId
from airflow_codebeamer.models import User
from airflow_codebeamer.settings import ServerSettings
from airflow_codebeamer.wiring import Codebeamer

__all__ = ["examine"]

#: Projects are asked one by one; a person waits for the answer.
_PROJECTS = 10


def examine(codebeamer: Codebeamer) -> tuple[bool, str]:
    """Return whether nothing is missing, and one sentence for a person.

    Changes nothing on the server; makes the lock store's tables if need be.

    Not promised: that every tracker can be locked. `airflow-codebeamer doctor`
    looks at one.

    Raises:
        CodebeamerError: the server cannot be reached, or refuses the account.
    """
    server = codebeamer.settings.server
    missing: list[str] = []
    user = codebeamer.client.users.find_user(server.login) if server.login else None
    if user is None:
        missing.append(
            f"the account {server.login} among the server's users"
            if server.login
            else "the login, since the API cannot say whose token this is"
        )
    keeps = _turns(codebeamer.settings.writers) or _role(
        codebeamer, user, server.exclusive_role, missing
    )
    try:
        codebeamer.database.ensure()
    except CodebeamerError as error:
        missing.append(f"a usable lock store ({str(error).rstrip('.')})")
    who = f" as {user.name}" if user else ""
    lacks = f"missing: {'; '.join(missing)}" if missing else "nothing is missing"
    return not missing, f"Connected to {server.base}{who}; {keeps}; {lacks}."


def _turns(writers: Sequence[ServerSettings]) -> str:
    if not writers:
        return ""
    one, other = (f"{w.login} in the role {w.exclusive_role}" for w in writers)
    return f"{one} and {other} write in turn while a tracker is locked"


def _role(
    codebeamer: Codebeamer, user: User | None, role: str, missing: list[str]
) -> str:
    if not role:
        missing.append("the extra exclusive_role, or exclusive_role of each lock task")
        return "no role is exclusive yet"
    keeps = f"the role {role} keeps write access while a tracker is locked"
    if user is None:
        return keeps
    projects = codebeamer.client.projects.list_projects()
    for project in projects[:_PROJECTS]:
        if _is_member(codebeamer, ProjectId(project.id), UserId(user.id), role):
            return f"{keeps}, as in the project {project.name}"
    looked = min(len(projects), _PROJECTS)
    missing.append(
        f"membership of {user.name} in the role {role} "
        f"({looked} of {len(projects)} visible projects looked at)"
    )
    return keeps


def _is_member(
    codebeamer: Codebeamer, project_id: ProjectId, user_id: UserId, role: str
) -> bool:
    try:
        roles = codebeamer.client.projects.list_member_roles(project_id, user_id)
    except (ForbiddenError, NotFoundError):
        return False
    return any(role in (one.name, str(one.id)) for one in roles)
