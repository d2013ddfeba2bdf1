"""Background jobs: how far they are."""

from __future__ import annotations

from typing import Any

from airflow_codebeamer.emulator.call import Call, Route
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.remembered import Job
from airflow_codebeamer.emulator.shown import user_reference

__all__ = ["JOBS"]

NEW, IN_PROGRESS, FINISHED = "NEW", "IN_PROGRESS", "FINISHED"


def _get(call: Call) -> Any:
    job = call.world.jobs.get(call.path["jobId"])
    if job is None:
        raise RefusedError(404, "The background job is not found.")
    if call.user.id != job.user and not call.user.system_admin:
        raise RefusedError(403, "This is a background job of somebody else.")
    has_begun = call.seconds >= job.begins
    is_over = job.next_end() is None
    status = FINISHED if is_over else IN_PROGRESS if has_begun else NEW
    shown = {
        "id": job.id,
        "backgroundJobStatus": status,
        "backgroundJobType": job.kind,
        "createdAt": job.created_at,
        "submittedBy": user_reference(call.world, job.user),
        "steps": [_step(job, number, status) for number in range(len(job.steps))],
    }
    if job.finished_at:
        shown["finishedAt"] = job.finished_at
    return shown


def _step(job: Job, number: int, status: str) -> dict[str, Any]:
    step = job.steps[number]
    shown = {"id": number + 1, "name": step["name"]}
    if number < job.done:
        told = {"result": step["result"], "resultMessage": step["message"]}
        return {**shown, "status": FINISHED, **told}
    is_next = number == job.done and status == IN_PROGRESS
    return {**shown, "status": IN_PROGRESS if is_next else NEW}


JOBS: dict[str, Route] = {"getBackgroundJob": _get}
