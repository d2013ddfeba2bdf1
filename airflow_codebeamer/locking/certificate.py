"""Certificate: what others changed in a tracker while it was locked; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_codebeamer.errors import ForeignChangesError

__all__ = ["Certificate", "ForeignChange"]


@dataclass(frozen=True)
class ForeignChange:
    """One change that was not ours; `at` is what the server wrote, without a zone.

    `kind` is "created", "changed", "commented", "comment changed", "associated",
    "attached", "file changed", "deleted", "comment deleted", "association deleted",
    "file deleted" or "reordered": the items below this one, or at the top of the
    tracker, stand in another order. Of this and of deletions the server tells neither
    who nor when. Without the items' numbers, `count` of them are deleted.
    """

    kind: str
    item_id: int | None = None
    version: int = 0
    at: str = ""
    by: str = ""
    fields: tuple[str, ...] = ()
    count: int = 1

    def __str__(self) -> str:
        """Return the change as a sentence without its end."""
        if self.kind == "reordered":
            where = "at the top" if self.item_id is None else f"below {self.item_id}"
            return f"items {where} reordered, the server does not say by whom"
        if self.kind == "comment deleted":
            return (
                f"{self.count} comment(s) of item {self.item_id} deleted, by nobody "
                "that the server names"
            )
        if self.kind in ("association deleted", "file deleted"):
            what = "an association" if self.kind[0] == "a" else "an attachment"
            return (
                f"{what} of item {self.item_id} deleted, the server does not say by "
                "whom"
            )
        if self.item_id is None:
            return f"{self.count} item(s) deleted, by nobody that the server names"
        if self.kind == "deleted":
            return f"item {self.item_id} deleted, the server does not say by whom"
        what = f" ({', '.join(self.fields)})" if self.fields else ""
        return f"item {self.item_id} {self.kind} by {self.by} at {self.at}{what}"


@dataclass(frozen=True)
class Certificate:
    """That nobody else changed a tracker while it was locked, or who did.

    `items_before` and `items_after` count what was in the tracker, the digests
    are of all items' numbers and versions and empty if not all were read.
    `changed_by_us` counts items that only we wrote, `histories` those whose
    history was read for it. `gaps` say what could not be looked at: with one, the
    certificate does not vouch. `unseen` says what it does not see at all, whatever
    it found.

    Not promised: anything of what `unseen` names.
    """

    tracker_id: int
    policy: str
    owner: str = ""
    began: str = ""
    ended: str = ""
    stamp_before: str = ""
    stamp_after: str = ""
    items_before: int = 0
    items_after: int = 0
    digest_before: str = ""
    digest_after: str = ""
    changed_by_us: int = 0
    deleted_by_us: int = 0
    histories: int = 0
    requests: int = 0
    foreign: int = 0
    changes: tuple[ForeignChange, ...] = ()
    gaps: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether everything was looked at and nothing foreign found."""
        return not self.foreign and not self.gaps

    def require(self) -> None:
        """Return if it is clean, or if the policy is only to warn.

        Raises:
            ForeignChangesError: others wrote, or it could not be seen.
        """
        if self.policy == "fail" and not self.is_clean:
            raise ForeignChangesError(
                self.tracker_id,
                changes=[str(change) for change in self.changes],
                gaps=self.gaps,
                count=self.foreign,
            )

    @property
    def sentence(self) -> str:
        """What it says, as one sentence."""
        seen = (
            f"{self.items_before} item(s) before, {self.items_after} after, "
            f"{self.changed_by_us} changed and {self.deleted_by_us} deleted by us"
        )
        if self.digest_before and self.digest_after:
            seen += f", digests {self.digest_before[:12]} and {self.digest_after[:12]}"
        blind = f"; not seen: {'; '.join(self.unseen)}" if self.unseen else ""
        if self.is_clean:
            return f"nobody else changed anything while it was locked ({seen}){blind}"
        words = []
        if self.foreign:
            shown = "; ".join(str(change) for change in self.changes[:5])
            words.append(f"{self.foreign} change(s) by others: {shown}")
        words += self.gaps
        return f"{'; '.join(words)} ({seen}){blind}"

    def to_json(self) -> dict[str, Any]:
        """Return the certificate as JSON would have it."""
        data = asdict(self)
        data["changes"] = [
            {**asdict(change), "fields": list(change.fields)} for change in self.changes
        ]
        lists = {"gaps": list(self.gaps), "unseen": list(self.unseen)}
        return {**data, **lists, "clean": self.is_clean}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Certificate:
        """Return the certificate that `to_json` wrote."""
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        known["gaps"] = tuple(data.get("gaps", ()))
        known["unseen"] = tuple(data.get("unseen", ()))
        known["changes"] = tuple(
            ForeignChange(**{**change, "fields": tuple(change["fields"])})
            for change in data.get("changes", ())
        )
        return cls(**known)
