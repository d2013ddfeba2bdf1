"""What became of every request: by the program's own log, the server's record, and
the certificates; pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.adversary.scene import GENERATOR, PROJECT, SYSTEM

PUT, QUERY = "updatePermission", "findTrackerItemsByCbQL"
ADMINISTRATORS = (PROJECT, SYSTEM)
BEFORE, HELD, AFTER = "before", "held", "after"

ORDERING = ("patchChildrenOfTracker", "addChildToTrackerItem")
#: What makes no version of an item, and how it stands in a certificate.
BESIDE = {
    "commentOnTrackerItem": "commented",
    "uploadTrackerItemAttachment": "attached",
    "createAssociation": "associated",
}

Call = dict[str, Any]
World = Mapping[str, Any]
Sign = tuple[Any, ...]


@dataclass
class Evidence:
    """Everything that is known of a run from outside."""

    calls: list[Call]
    log: list[Call]
    #: The server's world when all was held, right before the release, and at the end.
    held: World
    restoring: World
    end: World
    #: Numbers of the calls that mark the same moments.
    held_at: int
    restoring_at: int
    certificates: Mapping[int, Mapping[str, Any]]


@dataclass
class Verdict:
    """What was found; `problems` is empty if the lock held what it promises."""

    problems: list[str] = field(default_factory=list)
    #: (phase, operation) to (accepted, refused) of ordinary users.
    people: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    #: What became of the administrators' writes under the lock.
    administrators: Counter[tuple[str, str]] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    requests: int = 0
    #: Entries of the certificates by their kind.
    told: Counter[str] = field(default_factory=Counter)


def judge(evidence: Evidence) -> Verdict:
    """Return what became of every request, and whatever should not have been."""
    verdict = Verdict()
    calls = _paired(evidence, verdict)
    verdict.requests = len(calls)
    for call in calls:
        _count(verdict, evidence, call)
    _nobody_between(verdict, evidence, calls)
    _all_told(verdict, evidence)
    _nothing_invented(verdict, evidence)
    for phase in (BEFORE, AFTER):
        accepted = [key for key in verdict.people if key[0] == phase and key[2] == "ok"]
        if len(accepted) < 5:
            verdict.problems.append(f"the users could not write {phase} the lock")
    return verdict


def _paired(evidence: Evidence, verdict: Verdict) -> list[Call]:
    """Return the server's record of the users' calls, each with what the user saw."""
    seen: dict[str, list[Call]] = {}
    for entry in evidence.log:
        seen.setdefault(entry["user"], []).append(entry)
    recorded: dict[str, list[Call]] = {}
    for call in evidence.calls:
        if call["user"] in seen:
            recorded.setdefault(call["user"], []).append(call)
    paired = []
    for user, entries in seen.items():
        calls = recorded.get(user, [])
        ours = [(e["operation"], e["status"]) for e in entries]
        theirs = [(c["operation"], c["status"]) for c in calls]
        if ours != theirs:
            verdict.problems.append(
                f"{user} counts {len(ours)} requests, the server {len(theirs)}, or "
                "they ended otherwise"
            )
            continue
        pairs = zip(calls, entries, strict=True)
        paired += [{**entry, **call} for call, entry in pairs]
    return sorted(paired, key=lambda call: int(call["number"]))


def _is_accepted(call: Call) -> bool:
    """Whether anything was written; a bulk update answers 200 for nothing too."""
    return call["status"] == 200 and call.get("done", 1) > 0


def _phase(evidence: Evidence, call: Call) -> str:
    if call["number"] < evidence.held_at:
        return BEFORE
    return HELD if call["number"] < evidence.restoring_at else AFTER


def _count(verdict: Verdict, evidence: Evidence, call: Call) -> None:
    phase, is_accepted = _phase(evidence, call), _is_accepted(call)
    verdict.statuses[call["status"]] += 1
    if call["user"] in ADMINISTRATORS:
        if phase == HELD:
            became = _became(evidence, call) if is_accepted else "refused"
            verdict.administrators[call["operation"], became] += 1
        return
    word = "ok" if is_accepted else "refused"
    verdict.people[phase, call["operation"], word] += 1
    if phase == HELD and is_accepted:
        verdict.problems.append(f"{call['user']} wrote under the lock: {call['path']}")


def _became(evidence: Evidence, call: Call) -> str:
    """Return how an accepted write of an administrator stands in the certificate."""
    if call["operation"] == PUT:
        return "rights that he had before"
    told = evidence.certificates[call["tracker"]]["changes"]
    items = call.get("items") or [call["item"]]
    kinds = {change["kind"] for change in told if change["item_id"] in items}
    if "deleted" in kinds:
        return "told as deleted"
    if (kind := BESIDE.get(call["operation"])) is not None:
        if kind in kinds:
            return "told"
        return "to an item that was deleted" if kind == "associated" else "not seen"
    is_told = bool(kinds & {"created", "changed"})
    if call["operation"] in ORDERING:
        # Below another parent it is a version, else a place among siblings.
        if is_told and call["operation"] != "patchChildrenOfTracker":
            return "told"
        is_told = any(change["kind"] == "reordered" for change in told)
        return "told as another order" if is_told else "no other order in the end"
    return "told" if is_told else "made and deleted again"


def _nobody_between(verdict: Verdict, evidence: Evidence, calls: list[Call]) -> None:
    """From the last role reduced to the first restored: only administrators write."""
    for tracker in evidence.certificates:
        reduced, restored = _around(evidence, PUT, f"/trackers/{tracker}/", "path")
        verdict.problems += [
            f"{call['user']} wrote between the last reduction and the first restore: "
            f"{call['path']}"
            for call in calls
            if call["tracker"] == tracker
            and reduced < call["number"] < restored
            and _is_accepted(call)
            and call["user"] not in ADMINISTRATORS
        ]


def _around(
    evidence: Evidence, operation: str, words: str, where: str
) -> tuple[int, int]:
    """Return our last such call before all was held, and the first of the release."""
    numbers = [
        call["number"]
        for call in evidence.calls
        if call["operation"] == operation
        and call["user"] == GENERATOR
        and words in str(call[where])
    ]
    return (
        max(number for number in numbers if number < evidence.held_at),
        min(number for number in numbers if number > evidence.restoring_at),
    )


def _all_told(verdict: Verdict, evidence: Evidence) -> None:
    """What others changed by the server's own history stands in the certificate."""
    truth = set(signs(evidence.restoring)) - set(signs(evidence.held))
    told = {sign for one in evidence.certificates.values() for sign in _told(one)}
    gone = {sign[1] for sign in told if sign[0] == "deleted"}
    trashed = _trashed(evidence.end)
    made = {sign[1] for sign in truth if sign[0] == "created"}
    trackers = set(evidence.certificates)
    users = {user["id"]: user["name"] for user in evidence.restoring["users"]}
    links = evidence.restoring["associations"]
    ends = {_linked(link, users): link["end"] for link in links}
    for sign in sorted(truth, key=str):
        kind, item, *rest = sign
        if rest and rest[-1] == GENERATOR:
            continue
        # What was deleted is told as that; what was made and deleted again, before our
        # last look at the latest, left nothing that could be asked for.
        if item in gone or (sign not in told and item in trashed and item in made):
            continue
        if kind != "deleted" and item in _trashed(evidence.restoring):
            continue
        # An association goes with the item at its other end.
        if ends.get(sign) in trashed:
            continue
        if sign not in told:
            verdict.problems.append(f"not in the certificate: {sign}")
    for one in evidence.certificates.values():
        verdict.told.update(change["kind"] for change in one["changes"])
        verdict.problems += [f"a gap in a certificate: {gap}" for gap in one["gaps"]]
    moved = {
        tracker
        for tracker in trackers
        if _has_moved(evidence, tracker) and not _is_moved_beside(evidence, tracker)
    }
    for tracker in moved:
        found = evidence.certificates[tracker]["changes"]
        if not any(c["kind"] == "reordered" and c["item_id"] is None for c in found):
            verdict.problems.append(f"the order of tracker {tracker} is not told")


def _nothing_invented(verdict: Verdict, evidence: Evidence) -> None:
    """What stands in a certificate, somebody else did."""
    known = set(signs(evidence.end)) | set(signs(evidence.restoring))
    for one in evidence.certificates.values():
        for sign in _told(one):
            if sign not in known or sign[-1] == GENERATOR:
                verdict.problems.append(f"nobody did what a certificate tells: {sign}")


def signs(world: World) -> Iterator[Sign]:
    """Yield what a server's world shows of writes: versions, comments, deletions."""
    users = {user["id"]: user["name"] for user in world["users"]}
    for item in world["items"]:
        for version in item["history"]:
            kind = "changed" if version["version"] > 1 else "created"
            by = users[version["by"]]
            yield kind, item["id"], version["version"], version["at"], by
        if item["trashed"]:
            yield "deleted", item["id"]
    for comment in world["comments"]:
        if comment["text"]:
            by = users[comment["created_by"]]
            yield "commented", comment["item"], comment["created_at"], by

    yield from _hung(world, users)


def _hung(world: World, users: Mapping[int, str]) -> Iterator[Sign]:
    for file in world["attachments"]:
        first = file["revisions"][0]
        yield "attached", file["item"], first["at"], users[first["by"]]
    for link in world["associations"]:
        yield _linked(link, users)


def _linked(link: Mapping[str, Any], users: Mapping[int, str]) -> Sign:
    return "associated", link["start"], link["created_at"], users[link["created_by"]]


def _told(certificate: Mapping[str, Any]) -> Iterator[Sign]:
    for change in certificate["changes"]:
        kind, item = change["kind"], change["item_id"]
        if kind in ("created", "changed"):
            yield kind, item, change["version"], change["at"], change["by"]
        elif kind in ("commented", "attached", "associated"):
            yield kind, item, change["at"], change["by"]
        elif kind == "deleted":
            yield kind, item


def _trashed(world: World) -> set[int]:
    return {item["id"] for item in world["items"] if item["trashed"]}


def _has_moved(evidence: Evidence, tracker: int) -> bool:
    """Whether items that stood at the top of a tracker changed their order there."""
    before, after = (
        _top(world, tracker) for world in (evidence.held, evidence.restoring)
    )
    stayed = set(before) & set(after)
    return _only(before, stayed) != _only(after, stayed)


def _is_moved_beside(evidence: Evidence, tracker: int) -> bool:
    """Whether something moved between the server's worlds and our own two looks."""
    first, last = _around(evidence, QUERY, f"IN ({tracker})", "body")
    return any(
        call["operation"] in ORDERING
        and call["status"] == 200
        and (
            first < call["number"] < evidence.held_at
            or evidence.restoring_at < call["number"] < last
        )
        for call in evidence.calls
    )


def _top(world: World, tracker: int) -> list[int]:
    found = next(one for one in world["trackers"] if one["id"] == tracker)
    children: list[int] = found["children"]
    return children


def _only(numbers: Iterable[int], wanted: set[int]) -> list[int]:
    return [number for number in numbers if number in wanted]
