"""A client program of other people: fifty users who write as fast as they are let.

It shares nothing with us but HTTP. Reads one line of JSON (who, where, how long they
think), hammers until the next line comes, lets what is under way end, and writes one
line of JSON: every request with its user, operation, tracker, item and status.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import sys
import time

import aiohttp

FORM = "TrackerItemReference"


class User:
    """One person with an account, in a loop of small writes."""

    def __init__(self, told, name, session, log):
        self.told = told
        self.name = name
        self.session = session
        self.log = log
        # A seed repeats a run as far as the net allows; nothing secret about it.
        self.chance = random.Random(f"{told['seed']} {name}")  # noqa: S311
        self.mine = []
        self.operations = [
            self.edit,
            self.add,
            self.delete,
            self.comment,
            self.reorder,
            self.bulk,
            self.attach,
            self.associate,
            self.move,
        ]

    async def work(self, stop):
        turn = self.chance.randrange(len(self.operations))
        await asyncio.sleep(self.chance.random() * self.told["think"])
        while not stop.is_set():
            # Everybody does everything, in turn.
            turn = (turn + 1) % len(self.operations)
            tracker = self.chance.choice(sorted(self.told["items"]))
            await self.operations[turn](tracker)
            await asyncio.sleep(self.chance.uniform(0.5, 1.5) * self.told["think"])

    def some(self, tracker):
        return self.chance.choice(self.told["items"][tracker])

    async def ask(self, method, path, operation, tracker, item, body=None, form=None):
        given = {"data": form} if form is not None else {"json": body}
        entry = {
            "user": self.name,
            "operation": operation,
            "tracker": int(tracker),
            "item": item,
        }
        self.log.append(entry)
        url = f"{self.told['url']}/api/v3{path}"
        pair = base64.b64encode(f"{self.name}:{self.name}".encode()).decode()
        given["headers"] = {"Authorization": f"Basic {pair}"}
        async with self.session.request(method, url, **given) as answer:
            entry["status"] = answer.status
            text = await answer.text()
        said = json.loads(text) if text and answer.status == 200 else None
        entry["at"] = time.time()
        return said, entry

    def words(self):
        value = f"by {self.name} at {time.time():.6f}"
        named = {"fieldId": 3, "name": "Summary", "type": "TextFieldValue"}
        return [{**named, "value": value}]

    async def edit(self, tracker):
        item = self.some(tracker)
        body = {"fieldValues": self.words()}
        path = f"/items/{item}/fields"
        await self.ask("PUT", path, "updateCustomFieldTrackerItem", tracker, item, body)

    async def add(self, tracker):
        body = {"name": f"Added by {self.name}"}
        path = f"/trackers/{tracker}/items"
        said, entry = await self.ask(
            "POST", path, "createTrackerItem", tracker, None, body
        )
        if said:
            entry["item"] = said["id"]
            self.mine.append((tracker, said["id"]))

    async def delete(self, tracker):
        # What one added oneself, or what is there to be deleted.
        if self.mine and self.chance.random() < 0.3:
            tracker, item = self.mine.pop(0)
        elif self.told["spares"][tracker]:
            item = self.chance.choice(self.told["spares"][tracker])
        else:
            return
        path = f"/items/{item}"
        _, entry = await self.ask("DELETE", path, "deleteTrackerItem", tracker, item)
        if entry["status"] in (200, 404) and item in self.told["spares"][tracker]:
            self.told["spares"][tracker].remove(item)

    async def comment(self, tracker):
        item = self.some(tracker)
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("comment", f"Said by {self.name}")
        path = f"/items/{item}/comments"
        await self.ask("POST", path, "commentOnTrackerItem", tracker, item, form=form)

    async def attach(self, tracker):
        item = self.some(tracker)
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("attachments", b"bytes", filename="note.txt")
        path = f"/items/{item}/attachments"
        await self.ask(
            "POST", path, "uploadTrackerItemAttachment", tracker, item, form=form
        )

    async def reorder(self, tracker):
        # The heads stand at the top of the tracker.
        item = self.chance.choice(self.told["items"][tracker][::10])
        body = {"itemReference": {"id": item, "type": FORM}, "index": 0}
        path = f"/trackers/{tracker}/children?mode=INSERT"
        await self.ask("PATCH", path, "patchChildrenOfTracker", tracker, item, body)

    async def bulk(self, tracker):
        items = self.chance.sample(self.told["items"][tracker], 3)
        body = [{"itemId": item, "fieldValues": self.words()} for item in items]
        said, entry = await self.ask(
            "PUT", "/items/fields", "bulkUpdateTrackerItemFields", tracker, None, body
        )
        entry["items"] = items
        entry["done"] = said["successfulOperationsCount"] if said else 0

    async def associate(self, tracker):
        start, end = self.some(tracker), self.some(tracker)
        body = {
            "from": {"id": start, "type": FORM},
            "to": {"id": end, "type": FORM},
            "type": {"id": 1},
        }
        await self.ask(
            "POST", "/associations", "createAssociation", tracker, start, body
        )

    async def move(self, tracker):
        item, parent = self.some(tracker), self.some(tracker)
        body = {"id": item}
        path = f"/items/{parent}/children"
        await self.ask("POST", path, "addChildToTrackerItem", tracker, item, body)


async def hammer(told):
    log, stop = [], asyncio.Event()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        users = [User(told, one["name"], session, log) for one in told["users"]]
        working = [asyncio.create_task(user.work(stop)) for user in users]
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, sys.stdin.readline)
        stop.set()
        await asyncio.gather(*working)
    return log


def main():
    told = json.loads(sys.stdin.readline())
    sys.stdout.write(json.dumps(asyncio.run(hammer(told))) + "\n")


if __name__ == "__main__":
    main()
