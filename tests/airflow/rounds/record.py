"""Judges the emulator's record against the lock store's history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from airflow_codebeamer.locking import Event
from tests.airflow.matrix.row import Row
from tests.airflow.rounds.ground import CREATE_SECONDS, Ground

__all__ = ["Record", "Window", "Write", "judge", "windows_of"]

#: Whatever of these follows a `hold` ends it.
_ENDS = frozenset(
    {"restore", "take_over", "breaking", "restored_verified", "clear", "grant", "adopt"}
)
#: A request that had left when its lock ended arrives this much later at most.
_UNDER_WAY_SECONDS = 1.0
_COUNT = 12


@dataclass(frozen=True)
class Write:
    """An item that a run created: when its request came, and when it took effect."""

    tag: str
    sent: float
    done: float
    alive: bool


@dataclass(frozen=True)
class Window:
    """From the moment at which a run held the tracker to that at which it did not."""

    owner: str
    begin: float
    end: float

    def holds(self, moment: float) -> bool:
        """Whether a moment is inside."""
        return self.begin <= moment <= self.end


@dataclass
class Record:
    """What a batch's record says, in numbers; `findings` must be empty."""

    writes: int = 0
    undone: int = 0
    holds: int = 0
    #: Writes that arrived when their run's lock had ended, and the latest of them.
    late: int = 0
    latest_seconds: float = 0.0
    findings: list[str] = field(default_factory=list)

    def add(self, other: Record) -> None:
        """Take another tracker's numbers in."""
        self.writes += other.writes
        self.undone += other.undone
        self.holds += other.holds
        self.late += other.late
        self.latest_seconds = max(self.latest_seconds, other.latest_seconds)
        self.findings += other.findings


def windows_of(events: Iterable[Event]) -> list[Window]:
    """Return when who held a tracker, as its history tells."""
    windows: list[Window] = []
    open_since: tuple[str, float] | None = None
    for event in events:
        at = event.at.timestamp()
        if event.kind == "hold":
            open_since = (event.who, at)
        elif event.kind in _ENDS and open_since is not None:
            windows.append(Window(open_since[0], open_since[1], at))
            open_since = None
    if open_since is not None:
        windows.append(Window(*open_since, float("inf")))
    return windows


def judge_tracker(
    row: Row, writes: Sequence[Write], windows: Sequence[Window]
) -> Record:
    """Compare who wrote with who held, and find folders that are half there."""
    found = Record(writes=len(writes), holds=len(windows))
    found.undone = sum(not write.alive for write in writes)
    for write in writes:
        own = [one for one in windows if one.owner == f"{row.dag_id}/{write.tag}"]
        if any(one.holds(write.sent) for one in own):
            continue
        late = min(
            (write.sent - one.end for one in own if one.end <= write.sent),
            default=float("inf"),
        )
        found.late += 1
        found.latest_seconds = max(found.latest_seconds, late)
        if late > _UNDER_WAY_SECONDS:
            found.findings.append(
                f"{write.tag} wrote {late:.1f} s after its lock was lost"
            )
        foreign = [one.owner for one in windows if one.holds(write.done)]
        if foreign:
            found.findings.append(f"{write.tag} wrote while {foreign[0]} held it")
    for tag in sorted({write.tag for write in writes}):
        alive = sum(write.alive for write in writes if write.tag == tag)
        if alive not in (0, _COUNT):
            found.findings.append(f"{alive} of {_COUNT} items of {tag} are left")
    return found


def judge(grounds: Iterable[Ground]) -> Record:
    """Judge all trackers of a batch."""
    grounds = list(grounds)
    world = grounds[0].site.emulator.world()
    total = Record()
    for ground in grounds:
        tracker = ground.plot.tracker_id
        writes = [
            _write(item)
            for item in world["items"]
            if item["tracker"] == tracker and _name(item).startswith("round-")
        ]
        with ground.connect() as codebeamer:
            server = codebeamer.settings.server.base
            events = codebeamer.status.history(server, tracker)
        total.add(judge_tracker(ground.row, writes, windows_of(events)))
    return total


def _name(item: dict[str, object]) -> str:
    history = item["history"]
    assert isinstance(history, list)
    values = history[0]["values"] if history else {}
    return str(values.get("3", values.get(3, "")))


def _write(item: dict[str, object]) -> Write:
    done = datetime.fromisoformat(str(item["created_at"])).replace(tzinfo=UTC)
    return Write(
        tag=_name(item).split(" ")[0],
        sent=done.timestamp() - CREATE_SECONDS,
        done=done.timestamp(),
        alive=not item["trashed"],
    )
