"""Every disturbance of a run, and every second one after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from airflow_codebeamer.errors import CodebeamerError
from tests.schedules.acts import RECOVERIES, Act, janitor, run
from tests.schedules.ground import EDITS, Ground, Image
from tests.schedules.process import COMMIT, CrashedError, Process

__all__ = ["Tally", "deeds_of", "explore", "firsts"]

#: Within the lock delay, and hours later.
_LATE = ("14", "10000")
_MOST_TOLD = 20
#: So many roles are few enough to disturb a process that lives on in every way.
_FEW = 1
#: Up to so many roles, every third crash is played; beyond, one of so many.
_FEW_THIRDS = 2
_SPARSE = 8


@dataclass
class Tally:
    """How many schedules were played, of which kind, and which of them were bad."""

    schedules: Counter[str] = field(default_factory=Counter)
    aside: int = 0
    bad: int = 0
    told: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take another one's counts."""
        self.schedules.update(other.schedules)
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
        self._alone = alone
        self._tally = tally
        self._story = story
        self._sparse = 1 if len(ground.writers) <= _FEW_THIRDS else _SPARSE
        self._count = 0

    def first(self, plan: tuple[int, str]) -> None:
        """Play a run with a first disturbance, and every second one after it.

        A process that lives on after the first is disturbed once more by a crash,
        and with few roles by everything. What follows a crash is disturbed by a
        crash, and recovery by everything.
        """
        at, deed = plan
        ground = self._ground
        base = {at: deed}
        kind = _kind(deed)
        try:
            played = play(ground, ground.start, run, base, keep=True)
            if not played.process.met:
                return
            if played.is_dead:
                left = ground.image()
                for name, act in RECOVERIES.items():
                    self._recovered(left, name, act, kind)
                return
        except Exception as error:
            self._bad(str(error) or repr(error), kind)
            return
        self._judge(kind)
        few = len(ground.writers) <= _FEW
        self._second(ground.start, run, base, played, at, kind, by_all=few)

    def _recovered(self, image: Image, name: str, act: Act, kind: str) -> None:
        told = f"{kind}, then {name}"
        try:
            played = play(self._ground, image, act, keep=True)
        except Exception as error:
            self._bad(f"{told}: {error!r}", kind)
            return
        self._judge(kind, told)
        by_all = act is janitor
        self._second(image, act, {}, played, -1, kind, told, by_all=by_all)

    def _second(
        self,
        start: Image,
        act: Act,
        base: Mapping[int, str],
        first: Played,
        after: int,
        kind: str,
        told: str = "",
        *,
        by_all: bool,
    ) -> None:
        if self._alone:
            return
        edits = by_all and "late" not in kind and "edit" not in kind
        for at, operation in enumerate(first.process.operations):
            if at <= after:
                continue
            for deed in _seconds(operation, edits=edits):
                if deed == "crash" and at and first.images[at] == first.images[at - 1]:
                    # Nothing has changed since the crash before.
                    continue
                if deed != "crash" and not by_all:
                    continue
                both = f"{kind} + {_kind(deed)}"
                where = f"{told} then {deed} at {at} ({operation})"
                if deed == "crash":
                    self._crashed(first.images[at], both, where)
                    continue
                try:
                    again = play(self._ground, start, act, {**base, at: deed})
                except Exception as error:
                    self._bad(f"{where}: {error!r}", both)
                    continue
                if again.process.met > len(base):
                    self._judge(both, where)

    def _crashed(self, image: Image, kind: str, told: str) -> None:
        """Recover from a second crash, and from every third one in that recovery."""
        try:
            played = play(self._ground, image, janitor, keep=True)
        except Exception as error:
            self._bad(f"{told}: {error!r}", kind)
            return
        self._judge(kind, told)
        third = f"{kind} + crash"
        for at in range(1, len(played.images)):
            if played.images[at] == played.images[at - 1]:
                continue
            self._count += 1
            if self._count % self._sparse:
                continue
            try:
                play(self._ground, played.images[at], janitor)
            except Exception as error:
                self._bad(f"{told}, then at {at}: {error!r}", third)
                continue
            self._judge(third, f"{told}, then at {at}")

    def _judge(self, kind: str, told: str = "") -> None:
        try:
            end(self._ground)
        except Exception as error:
            self._bad(f"{told}: {error!r}", kind)
            return
        self._tally.schedules[kind] += 1
        self._tally.aside += bool(self._ground.truth.overwritten)

    def _bad(self, why: str, kind: str) -> None:
        self._tally.schedules[kind] += 1
        self._tally.bad += 1
        if len(self._tally.told) < _MOST_TOLD:
            self._tally.told.append(f"{self._story}: {why}")


def _seconds(operation: str, *, edits: bool) -> Iterator[str]:
    for deed in deeds_of(operation):
        if "late crash" not in deed:
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


def firsts(ground: Ground) -> list[tuple[int, str]]:
    """Return every first disturbance of a run that nothing else disturbs."""
    played = play(ground, ground.start, run, keep=True)
    end(ground)
    found = []
    for at, operation in enumerate(played.process.operations):
        deeds = [*deeds_of(operation), *(f"edit {kind}" for kind in EDITS)]
        if at and played.images[at] == played.images[at - 1]:
            # A crash here leaves what the crash before left.
            deeds.remove("crash")
        found += [(at, deed) for deed in deeds]
    return found


def explore(
    ground: Ground, first: tuple[int, str], tally: Tally, *, alone: bool = False
) -> None:
    """Play one first disturbance, with all that may follow unless it is alone."""
    story = f"{len(ground.writers)} roles, {first[1]} at {first[0]}"
    _Explorer(ground, tally, story, alone=alone).first(first)
