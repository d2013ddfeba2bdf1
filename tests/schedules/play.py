"""Every disturbance of a run, every second one after it, and third crashes.

A process can crash before and after each of its operations. Many of these points leave
the same: store, server, time and requests under way are equal byte for byte, and what
follows depends on nothing else. Such points are played once and counted as many times
as there are (`weight`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from airflow_codebeamer.errors import CodebeamerError
from tests.schedules.acts import FORMS, Act, janitor
from tests.schedules.ground import EDITS, Ground, Image
from tests.schedules.process import COMMIT, CrashedError, Process

__all__ = ["First", "Tally", "crash_points", "deeds_of", "explore", "firsts"]

#: Within the lock delay, and hours later.
_LATE = ("14", "10000")
_MOST_TOLD = 20
#: So many roles are few enough to disturb a process that lives on in every way.
_FEW = 1
#: Of third crashes one of so many is played, by the number of roles.
_THIRDS = {1: 1, 2: 8, 3: 64, 4: 64}
#: The edits that are played first with more than two roles.
_FEWER_EDITS = ("grant writing to the last", "revoke reading", "role deleted")

#: Where, what, and how many points of the run it stands for.
First = tuple[int, str, int]


@dataclass
class Tally:
    """How many schedules there were of each kind, how many were played, how many bad.

    `aside` and `bad` are of those played.
    """

    schedules: Counter[str] = field(default_factory=Counter)
    played: int = 0
    aside: int = 0
    bad: int = 0
    told: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take another one's counts."""
        self.schedules.update(other.schedules)
        self.played += other.played
        self.aside += other.aside
        self.bad += other.bad
        self.told = (self.told + other.told)[:_MOST_TOLD]


@dataclass
class Played:
    """One act that was played: its operations, and the world before each of them."""

    process: Process
    images: list[Image]
    is_dead: bool


def deeds_of(operation: str) -> list[str]:
    """Return what may happen to an operation, edits left out."""
    if operation == "PUT":
        late = [f"late {seconds}" for seconds in _LATE]
        crash = [f"late crash {seconds}" for seconds in _LATE]
        return ["crash", "refused", "lost", *late, *crash]
    if operation == COMMIT:
        return ["crash", "refused", "lost"]
    return ["crash", "lost"]


def play(
    ground: Ground,
    image: Image,
    act: Act,
    plan: Mapping[int, str] | None = None,
    *,
    keep: bool = False,
) -> Played:
    """Play an act on a world; with `keep`, the world before each operation is kept."""
    ground.restore(image)
    images: list[Image] = []
    process = Process(
        plan,
        watch=(lambda _: images.append(ground.image())) if keep else None,
        edit=ground.edit,
    )
    try:
        act(ground, process)
    except CrashedError:
        pass
    except CodebeamerError:
        # A process that lives may be told of trouble, if trouble there was.
        if not process.met and not ground.truth.edits and image is ground.start:
            raise
    return Played(process, images, process.is_dead)


def end(ground: Ground) -> None:
    """Let faults stop: whoever is left recovers, and all is as it must be."""
    if ground.state() != "free":
        janitor(ground, Process())
    if ground.has_late:
        # Whatever lands late is found by the round after it.
        ground.land_all()
        janitor(ground, Process())
    ground.check_end()


class _Explorer:
    def __init__(
        self, ground: Ground, tally: Tally, story: str, *, alone: bool
    ) -> None:
        self._ground = ground
        self._form = FORMS[ground.form]
        self._alone = alone
        self._tally = tally
        self._story = story
        self._one_of = _THIRDS[len(ground.writers)]
        self._count = 0

    def first(self, at: int, deed: str, weight: int) -> None:
        """Play a run with a first disturbance, and every second one after it.

        A process that lives on after the first is disturbed once more by a crash,
        and with few roles by everything. What follows a crash is disturbed by a
        crash, and recovery by everything.
        """
        ground = self._ground
        base = {at: deed}
        kind = _kind(deed)
        try:
            played = play(ground, ground.start, self._form.act, base, keep=True)
            if not played.process.met:
                return
            if played.is_dead:
                left = ground.image()
                for name, act in self._form.recoveries.items():
                    self._recovered(left, name, act, kind, weight)
                return
        except Exception as error:
            self._bad(str(error) or repr(error), kind)
            return
        self._judge(kind, 1)
        few = len(ground.writers) <= _FEW
        act = self._form.act
        self._second(ground.start, act, base, played, at, kind, 1, by_all=few)

    def _recovered(
        self, image: Image, name: str, act: Act, kind: str, weight: int
    ) -> None:
        told = f"{kind}, then {name}"
        try:
            played = play(self._ground, image, act, keep=True)
        except Exception as error:
            self._bad(f"{told}: {error!r}", kind)
            return
        self._judge(kind, weight, told)
        by_all = act is janitor
        self._second(image, act, {}, played, -1, kind, weight, told, by_all=by_all)

    def _second(
        self,
        start: Image,
        act: Act,
        base: Mapping[int, str],
        first: Played,
        after: int,
        kind: str,
        weight: int,
        told: str = "",
        *,
        by_all: bool,
    ) -> None:
        if self._alone:
            return
        for at, points in crash_points(first.images, after + 1):
            both = f"{kind} + crash"
            where = f"{told} then crash at {at} ({first.process.operations[at]})"
            self._crashed(first.images[at], both, weight * points, where)
        if not by_all:
            return
        edits = "late" not in kind and "edit" not in kind
        for at, operation in enumerate(first.process.operations):
            if at <= after:
                continue
            for deed in _seconds(operation, edits=edits):
                both = f"{kind} + {_kind(deed)}"
                where = f"{told} then {deed} at {at} ({operation})"
                try:
                    again = play(self._ground, start, act, {**base, at: deed})
                except Exception as error:
                    self._bad(f"{where}: {error!r}", both)
                    continue
                if again.process.met > len(base):
                    self._judge(both, weight, where)

    def _crashed(self, image: Image, kind: str, weight: int, told: str) -> None:
        """Recover from a second crash, and from third ones in that recovery."""
        try:
            played = play(self._ground, image, janitor, keep=True)
        except Exception as error:
            self._bad(f"{told}: {error!r}", kind)
            return
        self._judge(kind, weight, told)
        third = f"{kind} + crash"
        for at, points in crash_points(played.images, 0):
            self._count += 1
            if at == 0 or self._count % self._one_of:
                continue
            try:
                play(self._ground, played.images[at], janitor)
            except Exception as error:
                self._bad(f"{told}, then at {at}: {error!r}", third)
                continue
            self._judge(third, weight * points, f"{told}, then at {at}")

    def _judge(self, kind: str, weight: int, told: str = "") -> None:
        try:
            end(self._ground)
        except Exception as error:
            self._bad(f"{told}: {error!r}", kind)
            return
        self._tally.schedules[kind] += weight
        self._tally.played += 1
        self._tally.aside += bool(self._ground.truth.overwritten)

    def _bad(self, why: str, kind: str) -> None:
        self._tally.schedules[kind] += 1
        self._tally.played += 1
        self._tally.bad += 1
        if len(self._tally.told) < _MOST_TOLD:
            self._tally.told.append(f"{self._story}: {why}")


def _seconds(operation: str, *, edits: bool) -> Iterator[str]:
    for deed in deeds_of(operation):
        if "crash" not in deed:
            yield deed
    if edits:
        yield from (f"edit {kind}" for kind in EDITS)


def _kind(deed: str) -> str:
    """Return what a deed is called in the table."""
    words = deed.split()
    if words[0] == "late":
        return "late request, crash" if "crash" in words else "late request"
    return {"refused": "no request or commit", "lost": "lost answer"}.get(
        words[0], words[0]
    )


def crash_points(images: list[Image], start: int) -> list[tuple[int, int]]:
    """Return where a crash leaves something new, and how many points leave just that.

    Before each operation from `start` on there is one, and one after the one before.
    """
    found: list[tuple[int, int]] = []
    for at in range(start, len(images)):
        points = 1 if at == 0 else 2
        if at > start and images[at] == images[at - 1]:
            same, known = found[-1]
            found[-1] = (same, known + points)
        else:
            found.append((at, points))
    return found


def firsts(ground: Ground) -> list[First]:
    """Return every first disturbance of a run that nothing else disturbs."""
    form = FORMS[ground.form]
    played = play(ground, ground.start, form.act, keep=True)
    end(ground)
    edits = EDITS if len(ground.writers) <= 2 else _FEWER_EDITS
    found = [(at, "crash", points) for at, points in crash_points(played.images, 0)]
    for at, operation in enumerate(played.process.operations):
        deeds = [deed for deed in deeds_of(operation) if deed != "crash"]
        deeds += [f"edit {edit}" for edit in edits]
        if operation == COMMIT or not form.commits_only:
            found += [(at, deed, 1) for deed in deeds]
    return sorted(found)


def explore(ground: Ground, first: First, tally: Tally, *, alone: bool = False) -> None:
    """Play one first disturbance, with all that may follow unless it is alone."""
    at, deed, weight = first
    story = f"{ground.form} {len(ground.writers)} roles, {deed} at {at}".strip()
    _Explorer(ground, tally, story, alone=alone).first(at, deed, weight)
