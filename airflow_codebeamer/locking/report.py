"""ReleaseReport: what a release, a recovery or a forced end did; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking.certificate import Certificate

__all__ = ["ReleaseReport"]


@dataclass(frozen=True)
class ReleaseReport:
    """What a release did; `released` False means there was nothing to do for us.

    `restored` names roles that were put back, `drift` says what others changed
    meanwhile and we kept, and what they may have revoked although it came back.
    `floors` is what the server had not taken away. `undone` and `not_undone` tell of
    runs that were rolled back, `certificate` of what others wrote while the tracker
    was held, if that was asked for. `jobs` were not over.
    """

    tracker_id: TrackerId
    released: bool = False
    restored: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    floors: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()
    not_undone: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    requests: int = 0
    why: str = ""
    certificate: Certificate | None = None

    def require(self) -> None:
        """Return if nobody else wrote, or if the policy is only to warn of it.

        Raises:
            ForeignChangesError: others wrote, or it could not be seen.
        """
        if self.certificate is not None:
            self.certificate.require()

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON would have it."""
        return {
            "tracker_id": self.tracker_id,
            "released": self.released,
            "restored": list(self.restored),
            "drift": list(self.drift),
            "floors": list(self.floors),
            "undone": list(self.undone),
            "not_undone": list(self.not_undone),
            "pending": list(self.pending),
            "jobs": list(self.jobs),
            "requests": self.requests,
            "why": self.why,
            "certificate": self.certificate.to_json() if self.certificate else None,
        }
