"""What every role must have in the end, whatever we do, and what it may have now."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Truth"]

Rights = frozenset[int]


@dataclass
class Truth:
    """What people made of each role's rights, ours left out.

    `wanted` is what a role must have when nothing is locked, None once it was
    deleted; `ever` all that it may have at any moment. `edited` numbers the last
    edit of a role. `overwritten` are roles that were edited between the look of a
    process and its request: the server has no conditional write, so such an edit
    is lost, and what is asked of that role is less. `unclear` are roles that somebody
    edited while a late request could land on it: what is his doing and what is ours is
    left to a person. `revoked` is what was taken from a role while nobody knew what
    our last request did to it: if it comes back, somebody has to be told.
    """

    wanted: dict[int, Rights | None]
    original: dict[int, Rights]
    ever: dict[int, Rights]
    edited: dict[int, int] = field(default_factory=dict)
    overwritten: set[int] = field(default_factory=set)
    unclear: set[int] = field(default_factory=set)
    revoked: dict[int, Rights] = field(default_factory=dict)
    edits: int = 0

    @classmethod
    def of(cls, rights: dict[int, Rights]) -> Truth:
        """Return the truth about roles that nobody has edited yet."""
        return cls(dict(rights), dict(rights), dict(rights))

    def edit(self, role: int, before: Rights, after: Rights | None) -> None:
        """Note what somebody else made of a role; None is deleted."""
        self.edits += 1
        self.edited[role] = self.edits
        if after is None:
            self.wanted[role] = None
            return
        known = self.wanted.get(role) or frozenset()
        self.wanted[role] = (known | (after - before)) - (before - after)
        self.ever[role] = self.ever.get(role, frozenset()) | after

    def land(self, role: int, view: int) -> None:
        """Note a request of ours whose sender had seen the edits up to `view`."""
        if self.edited.get(role, -1) > view:
            self.overwrite(role)

    def overwrite(self, role: int) -> None:
        """Note that a request goes over the last edit of a role, which nobody saw."""
        self.overwritten.add(role)
        self.revoked.pop(role, None)

    def revoke(self, role: int, rights: Rights) -> None:
        """Note what somebody took while nobody knew what our last request did."""
        self.overwritten.add(role)
        self.revoked[role] = self.revoked.get(role, frozenset()) | rights

    def untold(self, now: dict[int, Rights], told: dict[int, Rights]) -> list[str]:
        """Return a sentence for each revocation that was undone without a word."""
        found = []
        for role, rights in self.revoked.items():
            wanted = self.wanted.get(role) or frozenset()
            back = (rights & now.get(role, frozenset())) - wanted
            if not back <= told.get(role, frozenset()):
                found.append(f"role {role} has {sorted(back)} again, nobody was told")
        return found

    def gained(self, now: dict[int, Rights]) -> list[int]:
        """Return the roles that have what neither they nor anybody gave them."""
        return [r for r, has in now.items() if not has <= self.ever.get(r, frozenset())]

    def wrong(self, now: dict[int, Rights]) -> list[str]:
        """Return a sentence for each role that is not as it must be at the end."""
        found = []
        for role, wanted in self.wanted.items():
            has = now.get(role, frozenset())
            if role in self.unclear and has <= self.ever[role]:
                continue
            if role in self.overwritten:
                must = self.original.get(role, frozenset()) & (wanted or frozenset())
                if must <= has <= self.ever[role]:
                    continue
            elif has == (wanted or frozenset()):
                continue
            found.append(f"role {role} has {sorted(has)}, wanted {_text(wanted)}")
        return found


def _text(rights: Rights | None) -> str:
    return "nothing" if rights is None else str(sorted(rights))
