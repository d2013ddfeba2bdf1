"""Escrow: the originals of a lock on one line, for when the lock store is lost; pure.

The line goes where the store is not: into the log of the task, into a file, beside
the notice in Codebeamer. It is written before the first right is taken away, and
again whenever what has to come back has changed. Of several of one tracker the last
counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_codebeamer.errors import EscrowError
from airflow_codebeamer.ids import Epoch, Lineage, PermissionId, RoleId, TrackerId
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.permissions import Names, Permissions, Rights
from airflow_codebeamer.locking.roles import Phase, RoleEntry

__all__ = ["Escrow", "EscrowRole", "choose_escrow", "find_escrows"]

#: The property by which a line is found; its value is the version of the format.
_MARK = "codebeamer_escrow"
_FORMAT = 1
_BEGINS = f'{{"{_MARK}":'


@dataclass(frozen=True)
class EscrowRole:
    """One role: what it had, and what the lock leaves it. The exclusive one keeps all.

    `name` is for people.
    """

    role_id: RoleId
    name: str
    original: Rights
    locked: Rights

    @property
    def is_reduced(self) -> bool:
        """Whether the lock takes anything from it."""
        return self.locked != self.original

    def entry(self, names: Names) -> RoleEntry:
        """Return what the journal would have known of it while it was locked."""
        if not self.is_reduced:
            return RoleEntry(self.role_id, self.name, self.original, names=names)
        return RoleEntry(
            self.role_id,
            self.name,
            self.original,
            base=self.locked,
            touched=True,
            phase=Phase.REDUCED,
            names=names,
        )


@dataclass(frozen=True)
class Escrow:
    """What has to come back to one tracker after one lock; holds no secret.

    Not promised: what an administrator changed after the line was written, unless
    it was written again.
    """

    server: str
    tracker_id: TrackerId
    lineage: Lineage
    epoch: Epoch
    owner: str
    at: str
    roles: tuple[EscrowRole, ...]
    names: Names = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, lock: Lock, roles: Iterable[RoleEntry]) -> Escrow:
        """Return the escrow of a lock whose roles are these.

        A role that nobody has written to yet will be left its `base`.
        """
        known = sorted(roles, key=lambda role: role.role_id)
        names: dict[PermissionId, str] = {}
        for entry in known:
            names.update(
                {right: entry.names.get(right, "") for right in entry.original}
            )
        return cls(
            lock.server,
            lock.tracker_id,
            lock.lineage or Lineage(""),
            lock.epoch,
            lock.owner.key,
            lock.acquired_at.isoformat() if lock.acquired_at else "",
            tuple(
                EscrowRole(
                    entry.role_id,
                    entry.name,
                    entry.original,
                    entry.original if entry.base is None else entry.base,
                )
                for entry in known
                if entry.phase is not Phase.GONE
            ),
            names,
        )

    @property
    def original(self) -> Permissions:
        """The permissions as they were before the lock."""
        return Permissions({role.role_id: role.original for role in self.roles})

    @property
    def digest(self) -> str:
        """The SHA-256 of everything but names, which log maskers may replace."""
        essence = [
            _FORMAT,
            self.server,
            self.tracker_id,
            self.lineage,
            self.epoch,
            [
                [role.role_id, sorted(role.original), sorted(role.locked)]
                for role in self.roles
            ],
        ]
        text = json.dumps(essence, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def line(self) -> str:
        """Return the escrow as one line of JSON, its digest last."""
        return json.dumps(
            {
                _MARK: _FORMAT,
                "server": self.server,
                "tracker": self.tracker_id,
                "lineage": self.lineage,
                "epoch": self.epoch,
                "owner": self.owner,
                "at": self.at,
                "roles": [
                    {
                        "id": role.role_id,
                        "name": role.name,
                        "original": sorted(role.original),
                        "locked": sorted(role.locked),
                    }
                    for role in self.roles
                ],
                "names": {str(right): name for right, name in self.names.items()},
                "digest": self.digest,
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> Escrow:
        """Return the escrow that `line` wrote; `where` names it in errors.

        Raises:
            EscrowError: of a newer release, damaged, or changed since.
        """
        version = data.get(_MARK)
        if version != _FORMAT:
            raise EscrowError(
                where,
                f"it has format {version!r}, and this release reads {_FORMAT}",
                "use the release that wrote it, or a newer one",
            )
        try:
            found = cls(
                str(data["server"]),
                TrackerId(int(data["tracker"])),
                Lineage(str(data["lineage"])),
                Epoch(int(data["epoch"])),
                str(data.get("owner", "")),
                str(data.get("at", "")),
                tuple(
                    EscrowRole(
                        RoleId(int(role["id"])),
                        str(role.get("name", "")),
                        _rights(role["original"]),
                        _rights(role["locked"]),
                    )
                    for role in data["roles"]
                ),
                {PermissionId(int(k)): str(v) for k, v in data["names"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise EscrowError(where, "it is not whole", _ANOTHER) from None
        if found.digest != data.get("digest"):
            raise EscrowError(where, "its digest is not that of its content", _ANOTHER)
        return found


_ANOTHER = "take it from another log of the same lock, or from its notice"


def _rights(numbers: Iterable[Any]) -> Rights:
    return frozenset(PermissionId(int(number)) for number in numbers)


def find_escrows(text: str, where: str) -> list[Escrow]:
    """Return the escrows in a log, or in a file that has nothing else, in order.

    A line may carry a time and a level before it, or be JSON that has it as a string,
    as Airflow's own task logs are.

    Raises:
        EscrowError: there is none, or one of them is damaged.
    """
    found = [
        Escrow.from_json(data, f"{where}, line {number}")
        for number, line in enumerate(text.splitlines(), 1)
        if _MARK in line
        for data in _marked(line, f"{where}, line {number}")
    ]
    if not found:
        raise EscrowError(
            where,
            f"no line of it has {_MARK}",
            "give the whole log of the task that took the lock",
        )
    return found


def choose_escrow(
    escrows: Iterable[Escrow], where: str, server: str, tracker_id: TrackerId | None
) -> Escrow:
    """Return the last escrow of that server and tracker, or of the only tracker.

    Raises:
        EscrowError: there is none, or it must be said of which tracker.
    """
    known = list(escrows)
    here = [escrow for escrow in known if escrow.server == server]
    if not here:
        servers = ", ".join(sorted({escrow.server for escrow in known}))
        raise EscrowError(
            where,
            f"it is of {servers}, and this is {server}",
            "say that server's --url",
        )
    trackers = sorted({escrow.tracker_id for escrow in here})
    listed = ", ".join(map(str, trackers))
    if tracker_id is None and len(trackers) > 1:
        raise EscrowError(where, f"it is of trackers {listed}", "say which one")
    wanted = trackers[0] if tracker_id is None else tracker_id
    if wanted not in trackers:
        raise EscrowError(
            where,
            f"it is of tracker {listed}, and not of {wanted}",
            "give the log of the task that locked it",
        )
    mine = [escrow for escrow in here if escrow.tracker_id == wanted]
    # Store time, then the epoch; of equal ones the later in the log.
    return max(enumerate(mine), key=lambda pair: (pair[1].at, pair[1].epoch, pair[0]))[
        1
    ]


def _marked(line: str, where: str) -> Iterator[Mapping[str, Any]]:
    """Yield what a line has that is marked as escrow."""
    begins = line.find(_BEGINS)
    if begins >= 0:
        try:
            yield json.JSONDecoder().raw_decode(line[begins:])[0]
        except ValueError:
            raise EscrowError(where, "the line is cut off", _ANOTHER) from None
        return
    try:
        record = json.loads(line)
    except ValueError:
        # It only speaks of escrow.
        return
    yield from _inside(record, where)


def _inside(value: Any, where: str) -> Iterator[Mapping[str, Any]]:
    """Yield the escrows in the strings of a log record."""
    if isinstance(value, str) and _MARK in value:
        yield from _marked(value, where)
    elif isinstance(value, Mapping):
        if _MARK in value:
            yield value
            return
        for one in value.values():
            yield from _inside(one, where)
    elif isinstance(value, list):
        for one in value:
            yield from _inside(one, where)
