"""The world of the vendor's page about tracker items, and its examples.

The bodies are those of codebeamer.com/cb/wiki/11375769, shortened where the page
repeats itself; ids, names and texts are the page's.
"""

from __future__ import annotations

from typing import Any

from airflow_codebeamer.emulator import WorldBuilder

TASKS, CASES = 4308, 4309
STORY, SPRINT, TEAM = 1007, 1001, 1127
STORY_NAME = "As User, I want to have a software in my car, which is easy to use"
HTML = (
    "[{Html\r\n\r\n<b> This is some bold text with special charachter @@@###</b>"
    ' <a href=\\"https://www.google.com\\">Visit google!</a> <p>RapidTables ™ </p>'
    ' <table style=\\"width:100%\\"> <tr> <th>Name:</th> <td>John</td> </tr>'
    " </table>\r\n}]"
)


def option(number: int, name: str) -> dict[str, Any]:
    return {"id": number, "name": name, "type": "ChoiceOptionReference"}


def item(number: int, name: str | None = None) -> dict[str, Any]:
    named = {} if name is None else {"name": name}
    return {"id": number, **named, "type": "TrackerItemReference"}


BOND = {"id": 1, "name": "bond", "type": "UserReference"}
HIGH = option(2, "High")
NEW = option(1, "New")
IN_PROGRESS = option(3, "In progress")
CREATE = {
    "name": "Implement car software",
    "storyPoints": 5,
    "priority": HIGH,
    "subjects": [item(STORY, STORY_NAME)],
}
CREATED: dict[str, Any] = {
    **CREATE,
    "descriptionFormat": "PlainText",
    "createdBy": BOND,
    "modifiedBy": BOND,
    "version": 1,
    "assignedTo": [],
    "tracker": {"id": TASKS, "name": "Tasks", "type": "TrackerReference"},
    "children": [],
    "customFields": [],
    "status": NEW,
    "resolutions": [],
    "severities": [],
    "teams": [],
    "versions": [],
    "typeName": "Task",
    "comments": [],
}
STEPS = {"id": 1000000, "name": "Test Steps"}


def text_cell(number: int, name: str, value: str) -> dict[str, Any]:
    return {
        "fieldId": number,
        "name": name,
        "value": value,
        "type": "WikiTextFieldValue",
    }


def step(action: str, expected: str) -> list[dict[str, Any]]:
    """A row as the page builds it: the hidden column is left out."""
    return [
        text_cell(1000001, "Action", action),
        text_cell(1000002, "Expected result", expected),
        {
            "fieldId": 1000003,
            "name": "Critical",
            "value": False,
            "type": "BoolFieldValue",
        },
    ]


BOOL = {"fieldId": 10003, "name": "Reusable", "value": False, "type": "BoolFieldValue"}
CHOICE = {
    "fieldId": 1001,
    "name": "User custom choice",
    "values": [option(2, "Second option")],
    "type": "ChoiceFieldValue",
}
TABLE = {
    "fieldId": 1000000,
    "name": "Test Steps",
    "values": [
        step("Action 1", "Expected result 1"),
        step("Action 2", "Expected result 2"),
    ],
    "type": "TableFieldValue",
}


def world(*, task: bool = False) -> dict[str, Any]:
    """Everything that the examples mention, under its own number.

    `task` adds TASK-1336, the item that the page changes.
    """
    builder = WorldBuilder()
    builder.user("bond", system_admin=True)
    builder.number_from(user=714)
    builder.user("developer")
    project = builder.project("Car", "CAR")
    builder.number_from(role=2)
    role = builder.role(project, "Developer")
    builder.number_from(tracker=TASKS)
    everything = {role: range(28)}
    builder.tracker(project, "Tasks", "TASK", kind="Task", permissions=everything)
    builder.tracker(
        project, "Test Cases", "CASE", kind="Test Case", permissions=everything
    )
    stories = builder.tracker(project, "User Stories", "US", permissions=everything)
    for number, name in (
        (1000, "First"),
        (1001, "Sprint 1.1"),
        (STORY, STORY_NAME),
        (TEAM, "Developer Team"),
        (2750873, "Rocket Science"),
        (2750874, "Warp System"),
    ):
        builder.number_from(item=number)
        tracker = TASKS if number == 1000 else stories
        builder.item(tracker, name)
    builder.number_from(item=1040)
    for name in ("Driving range must be 1000km or more", "Suspension", "Weight"):
        builder.item(TASKS, f'Bug for "{name} Test"')
    if task:
        builder.number_from(item=1336)
        fields = {"Priority": "High", "Story Points": 5, "Subject": [STORY]}
        builder.item(TASKS, "Implement car software", fields=fields)
    builder.number_from(item=54206)
    builder.item(CASES, "Auto Scale on Highway Test")
    builder.number_from(item=54217)
    builder.item(CASES, "Night Mode Test")
    parent = builder.item(CASES, "Radio Tests")
    for number, name in ((54220, "Find"), (54222, "Scan"), (54223, "Select")):
        builder.number_from(item=number)
        builder.item(CASES, f"{name} Radio Station Test", parent=parent)
    return builder.build()
