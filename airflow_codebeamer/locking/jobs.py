"""Jobs that the server goes on with after the request that started them.

Under a lock they are written down, and nothing is given back before they are over:
else the server would still write, in our name, into a tracker that is free.
"""

from __future__ import annotations

from airflow_codebeamer.errors import ApiError, CodebeamerError, NotFoundError
from airflow_codebeamer.ids import Lineage
from airflow_codebeamer.journal import Entry, Journal
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts

__all__ = ["register_job", "wait_for_jobs"]

#: Kind of the journal's entries.
_JOB = "job"


def register_job(
    journal: Journal, lineage: Lineage | None, epoch: int, job_id: int, what: str = ""
) -> None:
    """Write down that a job was started under a lock; once for each job."""
    scope = _scope(lineage)
    known = {entry.key for entry in journal.list_entries(scope)}
    if str(job_id) not in known:
        journal.begin(scope, _JOB, str(job_id), {"what": what}, epoch=epoch)


def wait_for_jobs(parts: Parts, lock: Lock) -> tuple[str, ...]:
    """Wait until the jobs of a lock are over; return a sentence for each that is not.

    One request for each job and look, none without jobs. Waits `job_wait` at most;
    what is not over then is told once, and not waited for again.

    Raises:
        LockLostError: the lock is not ours any more.
    """
    journal = Journal(parts.store.database)
    waiting = journal.list_entries(_scope(lock.lineage), open_only=True)
    end = parts.clock.monotonic() + parts.settings.job_wait.total_seconds()
    while waiting:
        sent = parts.deadlines.now()
        parts.store.renew(lock, parts.settings.ttl)
        parts.deadlines.note(lock, sent, parts.settings.ttl)
        found = {entry.number: _look(parts, entry) for entry in waiting}
        over = [entry for entry in waiting if not found[entry.number]]
        journal.finish_many([(entry.number, {"result": "over"}) for entry in over])
        waiting = [entry for entry in waiting if found[entry.number]]
        if parts.clock.monotonic() >= end:
            return _give_up(parts, lock, journal, waiting, found)
        if waiting:
            parts.say(
                f"Tracker {lock.tracker_id}: waiting for {len(waiting)} job(s) of the "
                "server."
            )
            parts.clock.sleep(parts.settings.poll.total_seconds())
    return ()


def _look(parts: Parts, entry: Entry) -> str:
    """Return what keeps a job from being over, empty if nothing does."""
    try:
        job = parts.client.jobs.get_job(int(entry.key))
    except NotFoundError:
        # The server forgets jobs that are over.
        return ""
    except ApiError as error:
        return f"status {error.status} when asked"
    except CodebeamerError as error:
        return str(error)
    return "" if job.is_over else job.status or "no status"


def _give_up(
    parts: Parts,
    lock: Lock,
    journal: Journal,
    waiting: list[Entry],
    found: dict[int, str],
) -> tuple[str, ...]:
    journal.finish_many([(entry.number, {"result": "unfinished"}) for entry in waiting])
    left = tuple(
        f"job {entry.key} of the server was not over ({found[entry.number]}) and may "
        "still write"
        for entry in waiting
    )
    if left:
        parts.history.record(lock, "jobs_unfinished", {"jobs": list(left)})
    for line in left:
        parts.say(f"Tracker {lock.tracker_id}: {line}.")
    return left


def _scope(lineage: Lineage | None) -> str:
    return f"jobs of {lineage}"
