"""What the programs of these tests begin with; no part of the tests themselves."""

from __future__ import annotations

__all__ = ["SERVER", "SPEAK"]

#: Three functions with which a Python program speaks the protocol.
SPEAK = """
import json, os, sys, time, signal, subprocess
def raw(line):
    with open(os.environ["CB_GEN_MESSAGES"], "ab") as out:
        out.write(line + b"\\n")
def say(method, **params):
    raw(json.dumps({"cbgen": "1", "method": method, "params": params}).encode())
def context():
    return json.load(open(os.environ["CB_GEN_CONTEXT"]))
"""

#: And one with which it speaks to the server, as programs do.
SERVER = """
import base64, urllib.request, urllib.error
def ask(method, path, body=None):
    password = open(os.environ["CB_PASSWORD_FILE"]).read()
    pair = f"{os.environ['CB_USERNAME']}:{password}".encode()
    request = urllib.request.Request(
        os.environ["CB_URL"] + "/api/v3" + path, method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": "Basic " + base64.b64encode(pair).decode(),
                 "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        print(error.code, error.read().decode(), file=sys.stderr)
        raise
    return json.loads(text) if text else None
tracker = os.environ["CB_TRACKER_ID"]
def create(name, parent=None):
    where = f"?parentItemId={parent}" if parent else ""
    return ask("POST", f"/trackers/{tracker}/items" + where, {"name": name})["id"]
def rename(item, name):
    ask("PUT", f"/items/{item}/fields", {"fieldValues": [
        {"fieldId": 3, "type": "TextFieldValue", "value": name}]})
def items():
    found = ask("POST", "/items/query",
        {"queryString": f"tracker.id IN ({tracker})", "page": 1, "pageSize": 500})
    return found["items"]
"""
