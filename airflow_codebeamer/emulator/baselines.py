"""Baselines: what a project or a tracker held at one moment, to be read later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from airflow_codebeamer.emulator.access import Rights, require_project
from airflow_codebeamer.emulator.call import Call
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.remembered import Baseline
from airflow_codebeamer.emulator.world import Item, World

__all__ = ["as_of", "require_baseline", "take"]


def take(
    call: Call, project: int, tracker: int | None, given: dict[str, Any]
) -> Baseline:
    """Remember the version and the place of every item of a project or tracker."""
    world = call.world
    trackers = [
        known
        for known in world.trackers.values()
        if known.project == project and tracker in (None, known.id)
    ]
    inside = {known.id for known in trackers}
    baseline = Baseline(
        id=world.next_id("baseline", 9001),
        project=project,
        tracker=tracker,
        name=given["name"],
        description=given.get("description") or "",
        created_at=call.now,
        created_by=call.user.id,
        roots={known.id: list(known.children) for known in trackers},
        places=[
            [item.id, item.version, item.parent, list(item.children)]
            for item in world.items.values()
            if item.tracker in inside and not item.trashed
        ],
    )
    world.baselines[baseline.id] = baseline
    return baseline


def require_baseline(call: Call, number: int, missing: int) -> Baseline:
    """Return a baseline that the user may see.

    Raises:
        RefusedError: There is none (`missing`), or it is not his to see.
    """
    baseline = call.world.baselines.get(number)
    if baseline is None:
        raise RefusedError(missing, f"Baseline {number} is not found.")
    require_project(call.world, call.user, baseline.project)
    if baseline.tracker is not None:
        tracker = call.world.trackers[baseline.tracker]
        Rights(call.world, call.user, tracker).require_tracker()
    return baseline


def as_of(call: Call, number: int | None, missing: int = 404) -> Call:
    """Return the same call in the world of a baseline; itself for None.

    Raises:
        RefusedError: There is no such baseline, or it is not the user's to see.
    """
    if number is None:
        return call
    baseline = require_baseline(call, number, missing)
    return replace(call, world=_world_of(call.world, baseline))


def _world_of(world: World, baseline: Baseline) -> World:
    """Return a world to look at, in which items are what they were."""
    past = World()
    vars(past).update(vars(world))
    past.found = {}
    past.items = {item.id: item for item in _items_of(world, baseline)}
    past.trackers = {
        **world.trackers,
        **{
            number: replace(world.trackers[number], children=children)
            for number, children in baseline.roots.items()
        },
    }
    past.comments = {
        number: comment
        for number, comment in world.comments.items()
        if comment.created_at <= baseline.created_at
    }
    past.attachments = {
        number: attachment
        for number, attachment in world.attachments.items()
        if attachment.revisions[0]["at"] <= baseline.created_at
    }
    return past


def _items_of(world: World, baseline: Baseline) -> Iterator[Item]:
    for number, version, parent, children in baseline.places:
        item = world.items[number]
        revision = item.history[version - 1]
        yield replace(
            item,
            parent=parent,
            children=children,
            values=revision["values"],
            version=version,
            modified_at=revision["at"],
            modified_by=revision["by"],
            trashed=False,
            history=item.history[:version],
            comments=[
                at
                for at in item.comments
                if world.comments[at].created_at <= baseline.created_at
            ],
            attachments=[
                at
                for at in item.attachments
                if world.attachments[at].revisions[0]["at"] <= baseline.created_at
            ],
        )
