"""A run in which a program writes by itself: looked at before and after."""

from __future__ import annotations

from airflow_codebeamer.errors import LockLostError
from airflow_codebeamer.generator.delegate import Delegates
from airflow_codebeamer.generator.parts import Parts, new_run, new_run_id
from airflow_codebeamer.generator.program import Program
from airflow_codebeamer.generator.protocol import GeneratorContext
from airflow_codebeamer.generator.summary import RunSummary, summed
from airflow_codebeamer.journal import RunState
from airflow_codebeamer.locking import Lock

__all__ = ["run_delegate"]


def run_delegate(
    parts: Parts,
    delegates: Delegates,
    program: Program,
    context: GeneratorContext,
    lock: Lock,
) -> RunSummary:
    """Let a program write by itself, and say or undo what it did.

    What an earlier try under the same lock left open is undone first.

    Raises:
        LockLostError: somebody else has the tracker; the run stays open.
        CodebeamerError: whatever failed, the program first of all.
    """
    started, sent = parts.clock.monotonic(), parts.client.requests_made
    warnings: list[str] = []
    with parts.renewed([lock]) as guard:
        around = parts.surroundings(context.run_key, [lock], guard, warnings)
        parts.rollbacks.undo(lock, guard)
        run = new_run(lock, new_run_id(context.run_key), program.on_failure)
        parts.runs.open_run(run)
        try:
            before = delegates.survey(run)
            delegates.run(run, program, context, around, parts.stoppable(guard))
            found = delegates.look(run, before, parts.say)
            parts.runs.set_state(run.run_id, RunState.DONE, found.counts)
        except LockLostError:
            raise
        except BaseException as error:
            parts.rollbacks.fail(run, error, guard)
            raise
    return summed(
        {**found.counts, "pruned": found.counts["deleted"]},
        warnings=(*warnings, *found.left),
        requests=parts.client.requests_made - sent,
        seconds=parts.clock.monotonic() - started,
        run_id=run.run_id,
    )
