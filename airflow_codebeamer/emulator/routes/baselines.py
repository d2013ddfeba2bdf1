"""Baselines of projects and trackers."""

from __future__ import annotations

from typing import Any

from airflow_codebeamer.emulator.access import Rights, require_project, roles_of
from airflow_codebeamer.emulator.baselines import take
from airflow_codebeamer.emulator.call import Call, Route
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.shown import reference

__all__ = ["BASELINES"]


def _create(call: Call) -> Any:
    world, given = call.world, call.body
    project = (given["project"] or {}).get("id")
    if project is None or not (given["name"] or "").strip():
        raise RefusedError(400, "A baseline needs a name and a project.")
    require_project(world, call.user, project)
    tracker = None
    if given.get("tracker") is not None:
        tracker = world.tracker(given["tracker"].get("id", 0))
        Rights(world, call.user, tracker).require_tracker()
        if tracker.project != project:
            raise RefusedError(400, "The tracker is not in the project.")
    roles = roles_of(world, call.user, project)
    if not call.user.system_admin and not any(role.trackers_admin for role in roles):
        raise RefusedError(403, "You have no permission to create baselines.")
    baseline = take(call, project, tracker.id if tracker is not None else None, given)
    shown = {
        "id": baseline.id,
        "name": baseline.name,
        "description": baseline.description,
        "descriptionFormat": "PlainText",
        "project": reference("ProjectReference", world.projects[project]),
    }
    if tracker is not None:
        shown["tracker"] = reference("TrackerReference", tracker)
    return shown


def _list(call: Call) -> Any:
    tracker = call.world.tracker(call.path["trackerId"])
    Rights(call.world, call.user, tracker).require_tracker()
    found = [
        reference("TrackerBaselineReference", baseline)
        for baseline in call.world.baselines.values()
        if baseline.tracker == tracker.id
    ]
    return {
        "page": 1,
        "pageSize": len(found),
        "total": len(found),
        "references": found,
    }


BASELINES: dict[str, Route] = {
    "createBaseline": _create,
    "getTrackerBaselines": _list,
}
