"""Application: one request from its bytes to its answer, without any socket.

What a request has to pass first, and in which order, is `judging`.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from airflow_codebeamer.emulator.call import EMPTY, Call, Content, Route
from airflow_codebeamer.emulator.calls import Calls, repeatable
from airflow_codebeamer.emulator.clock import WorldClock, stamp
from airflow_codebeamer.emulator.contract import Operation, load_contract
from airflow_codebeamer.emulator.faults import LATE, Fault, Faults
from airflow_codebeamer.emulator.forms import disposition
from airflow_codebeamer.emulator.judging import Bench
from airflow_codebeamer.emulator.reading import claimed_name
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.releases import RELEASE
from airflow_codebeamer.emulator.remembered import Job
from airflow_codebeamer.emulator.routes import ROUTES
from airflow_codebeamer.emulator.step import JSON, Answer, Asked, Step
from airflow_codebeamer.emulator.throttle import Throttle, parse_limits
from airflow_codebeamer.emulator.world import World

__all__ = ["API", "Answer", "Application", "Asked", "Step"]

API = "/cb/api"
"""Where the API is unless the server was told another prefix."""


class Application:
    """A world, its clock, its faults and its journal behind one door."""

    def __init__(
        self,
        world: World,
        throttle: str = "off",
        routes: Mapping[str, Route] = ROUTES,
        *,
        api: str = API,
        release: str = RELEASE,
    ) -> None:
        self.contract = load_contract(release)
        self.api = api
        odd = sorted(routes.keys() ^ load_contract().operations.keys())
        if odd:
            raise RuntimeError(f"Contract and routes differ in {', '.join(odd)}.")
        self._routes = routes
        self.world = world
        self.clock = WorldClock()
        self.faults = Faults(self.contract.operations)
        self.calls = Calls()
        self.keep: Callable[[str, Any], None] | None = None
        """Told of every change before it is answered; None: nobody keeps it."""
        self._limits = parse_limits(throttle)
        if self._limits and 429 not in self.contract.has_status:
            raise ValueError(f"Release {release} has no throttle; it came with 21.09.")
        self._bench = Bench(self.contract, api, self.clock, Throttle(self._limits))

    def replace_world(self, world: World) -> None:
        """Put another world in place of this one, with full budgets."""
        self.world = world
        self._bench.throttle = Throttle(self._limits)
        if self.keep is not None:
            self.keep("world", world.dump())

    def changed(self, kind: str, data: Any) -> None:
        """Tell whoever keeps the world of a change that is no call."""
        self.world.found.clear()
        if self.keep is not None:
            self.keep(kind, data)

    def work(self) -> None:
        """Do what background jobs have to have done by now."""
        for job in self.world.jobs.values():
            now = self.clock.now().timestamp()
            while (end := job.next_end()) is not None and end <= now:
                with self.clock.held(datetime.fromtimestamp(end, UTC)):
                    self._work_on(job)
                self.changed("job", vars(job))

    def _work_on(self, job: Job) -> None:
        """Do the next step of a job, in the name of who started it."""
        step = job.steps[job.done]
        step |= {"result": "SUCCESSFUL", "message": ""}
        if "request" in step:
            asked = self._asked(step["request"])
            as_system = self.world.assumptions["jobs_write_as_system"]
            user = self.world.users[job.user].name
            answer = self.repeat(user, asked, as_system=as_system)
            if answer.status >= 400:
                message = json.loads(answer.body)["message"]
                step |= {"result": "FAILED", "message": message}
        job.done += 1
        if job.next_end() is None:
            job.finished_at = stamp(self.clock.now())

    def begin(self, asked: Asked) -> Step:
        """Write a request down and find out everything that comes before its effect."""
        self.work()
        entry = self._write_down(asked)
        step = Step(asked, entry)
        try:
            self._bench.judge(step, self.world)
        except RefusedError as refusal:
            step.refusal = refusal
        if step.operation is not None:
            user = entry["user"] or claimed_name(asked.authorization)
            step.faults = self.faults.meeting(step.operation, user)
        return step

    def finish(self, step: Step) -> Answer:
        """Let the effect happen, unless something forbids it, and make the answer."""
        fault = next(
            (one for one in step.faults if one.kind == "status" and not one.is_late),
            None,
        )
        self._act(step, late=False)
        answer = self._effect(step) if fault is None else self._failed(step, fault)
        self._act(step, late=True)
        for one in step.faults:
            if one.kind in LATE:
                answer.spoiled = one.kind
            elif one.is_late and one.kind == "stall":
                answer.spoiled, answer.stall_seconds = "stall", one.seconds
            elif one.is_late and one.kind == "reset":
                answer.spoiled = "drop_answer"
            elif one.is_late and one.kind == "status":
                answer = self._failed(step, one)
        step.entry["status"] = answer.status
        if step.faults:
            step.entry["fault"] = step.faults[-1].kind
        return answer

    def _write_down(self, asked: Asked) -> dict[str, Any]:
        return self.calls.add(
            {
                "operation": None,
                "method": asked.method,
                "path": asked.path,
                "query": asked.query,
                "user": None,
                "status": None,
                "fault": None,
                "time": stamp(self.clock.now()),
                "body": asked.body,
            }
        )

    def _effect(self, step: Step) -> Answer:
        if step.refusal is not None or step.call is None or step.operation is None:
            return self._refused(
                step, step.refusal or RefusedError(500, "Nothing to do.")
            )
        # The world may have been replaced, and time gone on, while a fault waited.
        step.call.world = self.world
        with self.clock.held() as moment:
            answer = self._routed(step, step.operation, step.call)
        if not step.operation.is_read:
            self.world.found.clear()
        if self.keep is not None and not step.operation.is_read:
            user = step.call.user
            done = repeatable(step.asked, user.name, moment, answer.status)
            if user.system_admin != self.world.users[user.id].system_admin:
                done["as_system"] = True
            self.keep("call", done)
        return answer

    def _routed(self, step: Step, operation: Operation, call: Call) -> Answer:
        try:
            result = self._routes[operation.id](call)
        except RefusedError as refusal:
            return self._refused(step, refusal)
        except Exception as error:
            answer = self._refused(
                step, RefusedError(500, f"The emulator failed: {error!r}")
            )
            step.entry["problem"] = traceback.format_exc()
            return answer
        if result is EMPTY and operation.may_be_empty:
            return Answer()
        if isinstance(result, Content):
            return self._file(step, operation, result)
        if operation.trim_answer is not None:
            result = operation.trim_answer(result)
        check = operation.check_answer
        problem = check(result) if check is not None else "an answer without a shape"
        if problem is not None:
            return self._refused(step, _broken(step, problem))
        if self.world.assumptions["growing_answers"]:
            result = _grown(result)
        return Answer(body=json.dumps(result, separators=(",", ":")).encode())

    def _file(self, step: Step, operation: Operation, content: Content) -> Answer:
        if content.media != operation.answer_media:
            return self._refused(step, _broken(step, f"{content.media} as an answer"))
        answer = Answer(body=content.body, content_type=content.media)
        answer.headers["Content-Disposition"] = disposition(content.name)
        return answer

    def _refused(self, step: Step, refusal: RefusedError) -> Answer:
        status, operation = refusal.status, step.operation
        if operation is not None and status not in operation.statuses | {500, 501}:
            refusal = _broken(step, f"status {status} is not declared")
        step.entry["problem"] = refusal.message
        resource = step.asked.path.removeprefix(f"{self.api}/v3")
        answer = Answer(
            status=refusal.status, body=json.dumps(refusal.body(resource)).encode()
        )
        if refusal.status == 401:
            answer.headers["WWW-Authenticate"] = 'Basic realm="codebeamer"'
        if refusal.status == 429:
            if "retryAfterSecond" in refusal.extra:
                answer.headers["Retry-After"] = str(refusal.extra["retryAfterSecond"])
            if JSON not in step.asked.accept:
                answer.body = b"<message>Too many requests</message>"
                answer.content_type = "text/xml"
        return answer

    def _failed(self, step: Step, fault: Fault) -> Answer:
        extra: dict[str, Any] = {}
        if fault.status == 429:
            extra["retryAfterSecond"] = max(1, round(fault.seconds))
        refusal = RefusedError(fault.status, fault.message, extra)
        step.entry["problem"] = fault.message
        wanted = Step(step.asked, step.entry)
        return self._refused(wanted, refusal)

    def _act(self, step: Step, *, late: bool) -> None:
        """Let the second actors of this call do what they were told to do."""
        for fault in step.faults:
            if fault.kind == "actor" and fault.is_late == late:
                self.act(fault.request)

    def act(self, request: dict[str, Any]) -> Answer:
        """Do a request as somebody, without password, rate or fault."""
        return self.repeat(request["user"], self._asked(request))

    def _asked(self, request: dict[str, Any]) -> Asked:
        path, _, query = str(request["path"]).partition("?")
        return Asked(
            request["method"].upper(),
            f"{self.api}{path}",
            query,
            body=json.dumps(request["body"]).encode() if "body" in request else b"",
        )

    def repeat(self, name: str, asked: Asked, *, as_system: bool = False) -> Answer:
        """Do a request as it came, as somebody, without password, rate or fault.

        `as_system`: with all rights, and in his name all the same.
        """
        user = self.world.by_name.get(name)
        if user is not None and as_system:
            user = replace(user, system_admin=True)
        entry = self._write_down(asked)
        entry |= {"user": name, "fault": "actor"}
        step = Step(asked, entry)
        try:
            if user is None:
                raise RefusedError(401, f"There is no user {name}.")
            self._bench.judge_actor(step, self.world, user)
        except RefusedError as refusal:
            step.refusal = refusal
        answer = self._effect(step)
        entry["status"] = answer.status
        return answer


def _broken(step: Step, problem: str) -> RefusedError:
    name = step.operation.id if step.operation is not None else "?"
    return RefusedError(
        500, f"The emulator broke its own contract of {name}: {problem}"
    )


def _grown(value: Any) -> Any:
    """Return an answer in which every object has a property nobody knows yet."""
    if isinstance(value, dict):
        grown = {name: _grown(inner) for name, inner in value.items()}
        return {**grown, "addedInLaterRelease": True}
    if isinstance(value, list):
        return [_grown(inner) for inner in value]
    return value
