"""Whether two processes changed permissions beside each other, by the server; pure.

Each process has an account of its own, so the emulator's record says whose each
request was. A block is what one account sent without another one in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

__all__ = ["Block", "blocks_of", "overlaps"]


@dataclass(frozen=True)
class Block:
    """Requests of one account in a row; `is_whole` if no role is reduced after it."""

    user: str
    first: str
    last: str
    puts: int
    is_whole: bool


def blocks_of(puts: Sequence[Mapping[str, Any]]) -> list[Block]:
    """Return the blocks of the permission requests that the server accepted.

    A role counts as reduced while it has fewer rights than it was ever given.
    """
    most: dict[str, int] = {}
    for put in puts:
        number = len(put["body"]["permissions"])
        most[put["path"]] = max(most.get(put["path"], 0), number)
    reduced: set[str] = set()
    blocks = []
    accepted = (put for put in puts if put["status"] == 200)
    for user, group in groupby(accepted, key=lambda put: str(put["user"])):
        sent = list(group)
        for put in sent:
            is_less = len(put["body"]["permissions"]) < most[put["path"]]
            (reduced.add if is_less else reduced.discard)(put["path"])
        times = str(sent[0]["time"])[:23], str(sent[-1]["time"])[:23]
        blocks.append(Block(user, *times, len(sent), not reduced))
    return blocks


def overlaps(
    blocks: Sequence[Block],
    kills: Mapping[str, Iterable[str]],
    lost: Mapping[str, Iterable[str]],
) -> list[str]:
    """Return where somebody came between without the holder being gone.

    A block that leaves roles reduced may be followed by another account's only if
    its process was killed, or had lost the lock and said so: between the block's
    first request and its own next one.
    """
    found = []
    for at, (block, after) in enumerate(pairwise(blocks)):
        if block.is_whole:
            continue
        ends = [*kills.get(block.user, ()), *lost.get(block.user, ())]
        later = [b.first for b in blocks[at + 1 :] if b.user == block.user]
        until = later[0] if later else "9999"
        if not any(block.first <= end <= until for end in ends):
            found.append(
                f"{after.user} came between two requests of {block.user} at "
                f"{after.first}"
            )
    if blocks and not blocks[-1].is_whole:
        found.append("the last request left roles reduced")
    return found
